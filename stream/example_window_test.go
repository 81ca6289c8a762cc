package stream_test

import (
	"fmt"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

func ExampleGrouped_Windowed() {
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

func ExampleWindowed_Count() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			GroupByKey().
			Windowed(window.Tumbling(10 * time.Millisecond)).
			Count("counts").
			To(perWindow)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(3, "a", 1)
		in.PutAt(12, "a", 1)
		in.PutAt(8, "a", 1) // late: its window closed at 10
		in.PutAt(14, "a", 1)
		d.Topic(perWindow).Print()
		fmt.Println(d.Dropped())
	})
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} 1
	// {a 1970-01-01T00:00:00.01Z 1970-01-01T00:00:00.02Z} 1
	// {a 1970-01-01T00:00:00.01Z 1970-01-01T00:00:00.02Z} 2
	// map[late:1]
}

func ExampleWindowed_Reduce() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			GroupByKey().
			Windowed(window.Tumbling(10*time.Millisecond)).
			Reduce("largest", func(acc, n int64) int64 { return max(acc, n) }).
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
	// {a 1970-01-01T00:00:00.01Z 1970-01-01T00:00:00.02Z} 5
	// {a 1970-01-01T00:00:00.01Z 1970-01-01T00:00:00.02Z} 5
}

func ExampleWindowed_Aggregate() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			GroupByKey().
			Windowed(window.Tumbling(10*time.Millisecond)).
			Aggregate("sums", stream.Zero[int64], func(_ string, n, sum int64) int64 { return sum + n }).
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
	// {a 1970-01-01T00:00:00.01Z 1970-01-01T00:00:00.02Z} 5
	// {a 1970-01-01T00:00:00.01Z 1970-01-01T00:00:00.02Z} 7
}

func ExampleWindowed_Fold() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			GroupByKey().
			Windowed(window.Tumbling(10*time.Millisecond)).
			Fold("firsts", func(_ string, n int64, old serde.Opt[int64]) serde.Opt[int64] { return serde.Some(old.Or(n)) }).
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
	// {a 1970-01-01T00:00:00.01Z 1970-01-01T00:00:00.02Z} 5
	// {a 1970-01-01T00:00:00.01Z 1970-01-01T00:00:00.02Z} 5
}

func ExampleWindowed_Then() {
	streamtest.Example(func(b *topology.Builder) {
		count := func(w stream.Windowed[string, int64]) table.Windowed[string, int64] { return w.Count("counts") }
		stream.From(b, numbers).
			GroupByKey().
			Windowed(window.Tumbling(10 * time.Millisecond)).
			Then(count).
			To(perWindow)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).PutAt(3, "a", 1)
		d.Topic(perWindow).Print()
	})
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} 1
}

func ExampleWindowed_Late() {
	streamtest.Example(func(b *topology.Builder) {
		perTen := stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(10 * time.Millisecond))
		perTen.Late().To(others)
		perTen.Count("counts").To(perWindow)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(3, "a", 1)
		in.PutAt(12, "a", 5)
		in.PutAt(8, "a", 7) // its window closed at 10
		d.Topic(perWindow).Print()
		fmt.Println("late:")
		d.Topic(others).Print()
		fmt.Println(d.Dropped())
	})
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} 1
	// {a 1970-01-01T00:00:00.01Z 1970-01-01T00:00:00.02Z} 1
	// late:
	// a 7
	// map[]
}
