package state_test

import (
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

var (
	positions = topology.NewTopic("positions", serde.String, serde.String)
	seenNow   = topology.NewTopic("seen-now", serde.String, serde.String)
)

// A ship that has not been heard of for an hour leaves the table, once anything later is heard.
func ExampleOptions_ttl() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, positions).ToTable("ships", state.Options{TTL: time.Hour}).To(seenNow)
	}, func(d *streamtest.Driver) {
		in := d.Topic(positions)
		in.PutAt(0, "Argo", "Iolcus")
		in.PutAt(1_000_000, "Swan", "Troy")
		in.PutAt(3_600_001, "Swan", "Tenedos")
		d.Topic(seenNow).Print()
	})
	// Output:
	// Argo Iolcus
	// Swan Troy
	// Argo null
	// Swan Tenedos
}
