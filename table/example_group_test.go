package table_test

import (
	"fmt"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// byColor groups the rows of texts by their value.
func byColor(b *topology.Builder) table.Grouped[string, string] {
	return table.From(b, texts).GroupBy(func(k, v string) (string, string) { return v, k })
}

// paint changes the color of two rows.
func paint(d *streamtest.Driver) {
	in := d.Topic(texts)
	in.Put("a", "red")
	in.Put("b", "red")
	in.Put("a", "blue")
}

func ExampleTable_GroupBy() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, texts).
			GroupBy(func(k, color string) (string, string) { return color, k }).
			Count("per-color").
			To(results)
	}, func(d *streamtest.Driver) {
		paint(d)
		d.Topic(results).Print()
	})
	// Output:
	// red 1
	// red 2
	// red 1
	// blue 1
}

func ExampleGrouped_Count() {
	streamtest.Example(func(b *topology.Builder) {
		byColor(b).Count("per-color").To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(texts)
		in.Put("a", "red")
		in.Delete("a") // the count stays, at 0
		d.Topic(results).Print()
	})
	// Output:
	// red 1
	// red 0
}

func ExampleGrouped_Sum() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).
			GroupBy(func(k string, n int64) (string, int64) { return k[:1], n }).
			Sum("sums", func(n int64) int64 { return n }).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a1", 3)
		in.Put("a2", 4)
		in.Put("a1", 5) // in place of 3
		d.Topic(results).Print()
	})
	// Output:
	// a 3
	// a 7
	// a 9
}

func ExampleGrouped_Reduce() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).
			GroupBy(func(k string, n int64) (string, int64) { return k[:1], n }).
			Reduce("products",
				func(acc, n int64) int64 { return acc * n },
				func(acc, n int64) int64 { return acc / n }).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a1", 3)
		in.Put("a2", 4)
		in.Put("a1", 5)
		d.Topic(results).Print()
	})
	// Output:
	// a 3
	// a 12
	// a 20
}

func ExampleGrouped_Aggregate() {
	streamtest.Example(func(b *topology.Builder) {
		byColor(b).Aggregate("log", func() string { return "0" },
			func(_, k, log string) string { return log + "+" + k },
			func(_, k, log string) string { return log + "-" + k }).
			To(labels)
	}, func(d *streamtest.Driver) {
		paint(d)
		d.Topic(labels).Print()
	})
	// Output:
	// red 0+a
	// red 0+a+b
	// red 0+a+b-a
	// blue 0+a
}

func ExampleGrouped_Fold() {
	streamtest.Example(func(b *topology.Builder) {
		// A count that is gone when it comes down to 0.
		byColor(b).Fold("per-color",
			func(_, _ string, n serde.Opt[int64]) serde.Opt[int64] { return serde.Some(n.Value + 1) },
			func(_, _ string, n serde.Opt[int64]) serde.Opt[int64] {
				return serde.Opt[int64]{Value: n.Value - 1, OK: n.Value > 1}
			}).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(texts)
		in.Put("a", "red")
		in.Delete("a")
		d.Topic(results).Print()
	})
	// Output:
	// red 1
	// red null
}

func ExampleGrouped_Then() {
	streamtest.Example(func(b *topology.Builder) {
		counted := func(g table.Grouped[string, string]) table.Table[string, int64] { return g.Count("per-color") }
		byColor(b).Then(counted).To(results)
	}, func(d *streamtest.Driver) {
		paint(d)
		fmt.Println(streamtest.Latest(d.Topic(results)))
	})
	// Output:
	// map[blue:1 red:1]
}
