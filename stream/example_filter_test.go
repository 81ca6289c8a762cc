package stream_test

import (
	"errors"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

func ExampleStream_Filter() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			Filter(func(_ string, n int64) bool { return n > 3 }).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 5)
		in.Put("a", 7)
		d.Topic(results).Print()
	})
	// Output:
	// b 5
	// a 7
}

func ExampleStream_FilterNot() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			FilterNot(func(_ string, n int64) bool { return n > 3 }).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 5)
		in.Put("a", 2)
		d.Topic(results).Print()
	})
	// Output:
	// a 1
	// a 2
}

func ExampleStream_TryFilter() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			TryFilter(func(_ string, n int64) (bool, error) {
				if n < 0 {
					return false, errors.New("negative")
				}
				return n > 3, nil
			}).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 5)
		in.Put("b", -1)
		in.Put("c", 7)
		d.Topic(results).Print()
	}, streamtest.Options{Partitions: 1, Seed: 1, Errors: func(string, error) bool { return true }})
	// Output:
	// a 5
	// c 7
}
