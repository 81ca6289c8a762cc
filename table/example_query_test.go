package table_test

import (
	"context"
	"fmt"
	"time"

	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

func ExampleTable_Materialize() {
	var doubled table.Table[string, int64]
	streamtest.Example(func(b *topology.Builder) {
		doubled = table.From(b, numbers).
			MapValues(func(n int64) int64 { return 2 * n }).
			Materialize("doubled")
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).Put("a", 21)
		n, ok, err := doubled.Query(d).Get(context.Background(), "a")
		fmt.Println(n, ok, err)
	})
	// Output:
	// 42 true <nil>
}

func ExampleTable_Query() {
	var counts table.Table[string, int64]
	streamtest.Example(func(b *topology.Builder) {
		counts = stream.From(b, numbers).GroupByKey().Count("counts")
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 5)
		in.Put("b", 6)
		in.Put("a", 7)
		for e, err := range counts.Query(d).All(context.Background()) {
			fmt.Println(e.Key, e.Value, err)
		}
	})
	// Output:
	// a 2 <nil>
	// b 1 <nil>
}

func ExampleWindowed_Query() {
	var counts table.Windowed[string, int64]
	streamtest.Example(func(b *topology.Builder) {
		counts = stream.From(b, numbers).
			GroupByKey().
			Windowed(window.Tumbling(10*time.Millisecond)).
			Count("counts", state.Options{Retention: time.Hour})
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(3, "a", 5)
		in.PutAt(4, "a", 6)
		in.PutAt(12, "a", 7)
		for e, err := range counts.Query(d).Fetch(context.Background(), "a", 0, 20) {
			fmt.Println(e.Key.Start.Sub(0), e.Value, err)
		}
	})
	// Output:
	// 0s 2 <nil>
	// 10ms 1 <nil>
}
