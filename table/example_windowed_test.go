package table_test

import (
	"fmt"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

func ExampleWindowed_To() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			GroupByKey().
			Windowed(window.Tumbling(10 * time.Millisecond)).
			Count("counts").
			To(perWindow)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(3, "a", 1)
		in.PutAt(12, "a", 5)
		in.PutAt(14, "a", 2)
		d.Topic(perWindow).Print()
	})
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} 1
	// {a 1970-01-01T00:00:00.01Z 1970-01-01T00:00:00.02Z} 1
	// {a 1970-01-01T00:00:00.01Z 1970-01-01T00:00:00.02Z} 2
}

func ExampleWindowed_Then() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			GroupByKey().
			Windowed(window.Tumbling(10 * time.Millisecond)).
			Count("counts").
			Then(stream.Unwindowed).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(3, "a", 1)
		in.PutAt(12, "a", 5)
		in.PutAt(14, "a", 2)
		d.Topic(results).Print()
	})
	// Output:
	// a 1
	// a 1
	// a 2
}

func ExampleWindowed_Output() {
	streamtest.Example(func(b *topology.Builder) {
		counts := stream.From(b, numbers).
			GroupByKey().
			Windowed(window.Tumbling(10 * time.Millisecond)).
			Count("counts")
		counts.Output().Process("log", func(ctx *topology.Context[string, int64]) (topology.Processor[window.Key[string], table.Change[int64]], error) {
			return topology.ProcessorFunc[window.Key[string], table.Change[int64]](func(r topology.Record[window.Key[string], table.Change[int64]]) error {
				fmt.Println(r.Key.Key, r.Key.Start.Sub(0), r.Value.New.Value)
				return nil
			}), nil
		})
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(3, "a", 1)
		in.PutAt(12, "a", 5)
		in.PutAt(14, "a", 2)
	})
	// Output:
	// a 0s 1
	// a 10ms 1
	// a 10ms 2
}

// perTen counts in windows of 10 ms.
func perTen(b *topology.Builder) table.Windowed[string, int64] {
	return stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(10 * time.Millisecond)).Count("counts")
}

func ExampleWindowed_Final() {
	streamtest.Example(func(b *topology.Builder) {
		perTen(b).Final().To(perWindow)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(3, "a", 1)
		in.PutAt(7, "a", 1)
		in.PutAt(12, "a", 1) // closes the first window
		d.Topic(perWindow).Print()
	})
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} 2
}

func ExampleWindowed_Filter() {
	streamtest.Example(func(b *topology.Builder) {
		perTen(b).Filter(func(_ window.Key[string], n int64) bool { return n%2 == 0 }).To(perWindow)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(3, "a", 1)
		in.PutAt(7, "a", 1)
		in.PutAt(8, "a", 1)
		d.Topic(perWindow).Print()
	})
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} null
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} 2
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} null
}

func ExampleWindowed_MapValues() {
	streamtest.Example(func(b *topology.Builder) {
		perTen(b).MapValues(func(n int64) int64 { return 10 * n }).To(perWindow)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(3, "a", 1)
		in.PutAt(7, "a", 1)
		d.Topic(perWindow).Print()
	})
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} 10
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} 20
}

func ExampleWindowed_MapWithKey() {
	streamtest.Example(func(b *topology.Builder) {
		perTen(b).
			MapWithKey(func(k window.Key[string], n int64) int64 { return n + int64(k.End) }).
			Then(stream.Unwindowed).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(3, "a", 1)
		in.PutAt(12, "a", 1)
		d.Topic(results).Print()
	})
	// Output:
	// a 11
	// a 21
}

// The counts of all keys together, window by window.
func ExampleWindowed_GroupBy() {
	streamtest.Example(func(b *topology.Builder) {
		b.Use(windowed.Time(serde.String, 10*time.Millisecond))
		stream.From(b, numbers).
			GroupByKey().
			Windowed(window.Tumbling(10*time.Millisecond)).
			Count("counts").
			GroupBy(func(k window.Key[string], n int64) (window.Key[string], int64) { return k.With("all"), n }).
			Sum("sums", func(n int64) int64 { return n }).
			To(perWindow)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(3, "a", 1)
		in.PutAt(4, "b", 1)
		in.PutAt(5, "a", 1)
		in.PutAt(12, "a", 1)
		d.Topic(perWindow).Print()
	})
	// Output:
	// {all 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} 1
	// {all 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} 2
	// {all 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} 3
	// {all 1970-01-01T00:00:00.01Z 1970-01-01T00:00:00.02Z} 1
}
