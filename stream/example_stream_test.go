package stream_test

import (
	"fmt"
	"strings"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

func ExampleFrom() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 2)
		d.Topic(results).Print()
	})
	// Output:
	// a 1
	// b 2
}

func ExampleStream_To() {
	streamtest.Example(func(b *topology.Builder) {
		doubled := stream.From(b, numbers).MapValues(func(n int64) int64 { return 2 * n })
		doubled.To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 2)
		d.Topic(results).Print()
	})
	// Output:
	// a 2
	// b 4
}

func ExampleOf() {
	streamtest.Example(func(b *topology.Builder) {
		even := topology.Source(b, numbers).Process("even", func(ctx *topology.Context[string, int64]) (topology.Processor[string, int64], error) {
			return topology.ProcessorFunc[string, int64](func(r topology.Record[string, int64]) error {
				if r.Value%2 == 0 {
					return ctx.Forward(r)
				}
				return nil
			}), nil
		})
		stream.Of(even).MapValues(func(n int64) int64 { return n / 2 }).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 2)
		in.Put("c", 4)
		d.Topic(results).Print()
	})
	// Output:
	// b 1
	// c 2
}

func ExampleStream_Output() {
	streamtest.Example(func(b *topology.Builder) {
		var out topology.Output[string, int64] = stream.From(b, numbers).Output()
		out.Sink(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		d.Topic(results).Print()
	})
	// Output:
	// a 1
}

func ExampleStream_Then() {
	streamtest.Example(func(b *topology.Builder) {
		positive := func(s stream.Stream[string, int64]) stream.Stream[string, int64] {
			return s.Filter(func(_ string, n int64) bool { return n > 0 })
		}
		stream.From(b, numbers).Then(positive).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", -2)
		in.Put("c", 3)
		d.Topic(results).Print()
	})
	// Output:
	// a 1
	// c 3
}

func ExampleStream_Named() {
	t, err := topology.Define("example", func(b *topology.Builder) {
		stream.From(b, numbers).
			Filter(func(_ string, n int64) bool { return n > 0 }).Named("positive").
			To(results)
	})
	fmt.Println(err)
	fmt.Println(strings.Contains(t.String(), "positive"))
	// Output:
	// <nil>
	// true
}

func ExampleStream_Merge() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).Merge(stream.From(b, more)).To(results)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).Put("a", 1)
		d.Topic(more).Put("b", 2)
		d.Topic(numbers).Put("c", 3)
		d.Topic(results).Print()
	})
	// Output:
	// a 1
	// b 2
	// c 3
}

func ExampleStream_Repartition() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			SelectKey(func(k string, _ int64) string { return k[:1] }).
			Repartition("by-letter", stream.RepartitionOptions{Partitions: 2}).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("ada", 1)
		in.Put("bob", 2)
		d.Topic(results).Print()
	})
	// Output:
	// a 1
	// b 2
}
