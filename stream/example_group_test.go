package stream_test

import (
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

func ExampleStream_GroupByKey() {
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

func ExampleStream_GroupBy() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, texts).
			GroupBy(func(_, text string) string { return text }).
			Count("by-text").
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(texts)
		in.Put("1", "x")
		in.Put("2", "y")
		in.Put("3", "x")
		d.Topic(results).Print()
	})
	// Output:
	// x 1
	// y 1
	// x 2
}

func ExampleGrouped_Then() {
	streamtest.Example(func(b *topology.Builder) {
		count := func(g stream.Grouped[string, int64]) table.Table[string, int64] { return g.Count("counts") }
		stream.From(b, numbers).GroupByKey().Then(count).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 5)
		in.Put("a", 7)
		d.Topic(results).Print()
	})
	// Output:
	// a 1
	// a 2
}

func ExampleGrouped_Output() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).GroupByKey().Output().Sink(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 5)
		d.Topic(results).Print()
	})
	// Output:
	// a 5
}
