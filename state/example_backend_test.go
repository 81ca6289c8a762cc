package state_test

import (
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/state/statetest"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

// Counts in a storage tier of one's own: a restart finds them there. The source of statetest.Files
// shows what it takes.
func ExampleBackend() {
	visits := topology.NewTopic("visits", serde.String, serde.String)
	counted := topology.NewTopic("visits-counted", serde.String, serde.Int64)

	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, visits).GroupByKey().Count("visits-by-page", state.Options{Backend: statetest.Files{}}).To(counted)
	}, func(d *streamtest.Driver) {
		d.Topic(visits).Put("/a", "ann")
		d.Topic(visits).Put("/a", "bob")
		d.Restart(0)
		d.Topic(visits).Put("/a", "cid")
		d.Topic(counted).Print()
	})
	// Output:
	// /a 1
	// /a 2
	// /a 3
}
