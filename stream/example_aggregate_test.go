package stream_test

import (
	"fmt"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

func ExampleGrouped_Count() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).GroupByKey().Count("counts").To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 5)
		in.Put("b", 6)
		in.Put("a", 7)
		d.Topic(results).Print()
	})
	// Output:
	// a 1
	// b 1
	// a 2
}

func ExampleGrouped_Reduce() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			GroupByKey().
			Reduce("largest", func(acc, n int64) int64 { return max(acc, n) }).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 5)
		in.Put("a", 3)
		in.Put("a", 7)
		d.Topic(results).Print()
	})
	// Output:
	// a 5
	// a 5
	// a 7
}

func ExampleGrouped_Aggregate() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			GroupByKey().
			Aggregate("history", func() string { return "seen" }, func(_ string, n int64, all string) string { return fmt.Sprint(all, " ", n) }).
			To(labels)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 5)
		in.Put("a", 3)
		in.Put("a", 7)
		d.Topic(labels).Print()
	})
	// Output:
	// a seen 5
	// a seen 5 3
	// a seen 5 3 7
}

func ExampleGrouped_Fold() {
	streamtest.Example(func(b *topology.Builder) {
		// A sum that goes away when it is nothing.
		sum := func(_ string, n int64, old serde.Opt[int64]) serde.Opt[int64] {
			if old.Value+n == 0 {
				return serde.Opt[int64]{}
			}
			return serde.Some(old.Value + n)
		}
		stream.From(b, numbers).GroupByKey().Fold("balances", sum).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 5)
		in.Put("a", -2)
		in.Put("a", -3)
		d.Topic(results).Print()
	})
	// Output:
	// a 5
	// a 3
	// a null
}
