package stream_test

import (
	"fmt"
	"time"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

func ExampleUpdates() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).Then(stream.Updates).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 6)
		in.Delete("b")
		d.Topic(results).Print()
	})
	// Output:
	// a 1
	// b 6
}

func ExampleChanges() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).
			Then(stream.Changes).
			MapValues(func(c table.Change[int64]) string { return fmt.Sprintf("%d to %d", c.Old.Value, c.New.Value) }).
			To(labels)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("a", 6)
		in.Delete("a")
		d.Topic(labels).Print()
	})
	// Output:
	// a 0 to 1
	// a 1 to 6
	// a 6 to 0
}

func ExampleWindowUpdates() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			GroupByKey().
			Windowed(window.Tumbling(10 * time.Millisecond)).
			Count("counts").
			Then(stream.WindowUpdates).
			Map(func(k window.Key[string], n int64) (string, string) {
				return k.Key, fmt.Sprintf("from %d: %d", k.Start, n)
			}).
			To(labels)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(3, "a", 1)
		in.PutAt(12, "a", 5)
		in.PutAt(14, "a", 2)
		d.Topic(labels).Print()
	})
	// Output:
	// a from 0: 1
	// a from 10: 1
	// a from 10: 2
}

func ExampleWindowChanges() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			GroupByKey().
			Windowed(window.Tumbling(10 * time.Millisecond)).
			Count("counts").
			Then(stream.WindowChanges).
			Map(func(k window.Key[string], c table.Change[int64]) (string, string) {
				return k.Key, fmt.Sprintf("from %d: %d to %d", k.Start, c.Old.Value, c.New.Value)
			}).
			To(labels)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(3, "a", 1)
		in.PutAt(12, "a", 5)
		in.PutAt(14, "a", 2)
		d.Topic(labels).Print()
	})
	// Output:
	// a from 0: 0 to 1
	// a from 10: 0 to 1
	// a from 10: 1 to 2
}

func ExampleUnwindowed() {
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
