package stream_test

import (
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

func ExampleStream_ToTable() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).ToTable("latest").
			Filter(func(_ string, n int64) bool { return n > 1 }).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 5)
		in.Put("a", 1) // the row no longer passes
		d.Topic(results).Print()
	})
	// Output:
	// a 5
	// a null
}

func ExampleUpsert() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			MapValues(func(n int64) serde.Opt[int64] { return serde.Opt[int64]{Value: n, OK: n >= 0} }).
			Then(func(s stream.Stream[string, serde.Opt[int64]]) stream.Stream[string, int64] {
				t := stream.Upsert(s, "latest")
				t.To(results)
				return stream.Updates(t)
			}).
			Print("now")
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 5)
		in.Put("a", -1)
		d.Topic(results).Print()
	})
	// Output:
	// now: a 5
	// a 5
	// a null
}
