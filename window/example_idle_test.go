package window_test

import (
	"fmt"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

var (
	clicks = topology.NewTopic("clicks", serde.String, serde.String)
	closed = topology.NewTopic("closed", serde.String, serde.Int64)
)

// Nobody clicks after the first minute. Half a minute later, by the clock, the window's end is passed and it closes.
func ExampleWindows_CloseIdle() {
	streamtest.Example(func(b *topology.Builder) {
		w := stream.From(b, clicks).GroupByKey().
			Windowed(window.Tumbling(time.Minute).CloseIdle(30 * time.Second)).
			Count("clicks-per-minute").Final()
		stream.WindowUpdates(w).
			Map(func(k window.Key[string], n int64) (string, int64) { return k.Key, n }).
			To(closed)
	}, func(d *streamtest.Driver) {
		d.Topic(clicks).PutAt(10_000, "home", "ann")
		d.Topic(clicks).PutAt(40_000, "home", "bob")
		d.Advance(29 * time.Second)
		fmt.Println("29 s later")
		d.Topic(closed).Print()
		d.Advance(time.Second)
		fmt.Println("30 s later")
		d.Topic(closed).Print()
	})
	// Output:
	// 29 s later
	// 30 s later
	// home 2
}
