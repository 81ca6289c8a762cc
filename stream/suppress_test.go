package stream_test

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// TestDeletionOfARowThatWasOnlyHeldIsPassedOn: a row passes a filter and fails it while Suppress holds it. What leaves is a
// deletion of a row that nobody has seen, as in Kafka Streams, and a store behind it keeps none back.
func TestDeletionOfARowThatWasOnlyHeldIsPassedOn(t *testing.T) {
	d := streamtest.New(t, func(b *topology.Builder) {
		rows := table.From(b, numbers).
			Filter(func(_ string, n int64) bool { return n > 0 }).
			Suppress("held", table.Suppression{After: 5 * time.Millisecond}).
			Materialize("stored")
		rows.To(results)
		rows.GroupBy(func(_ string, n int64) (string, int64) { return "all", n }).Count("counted").To(more)
	}, streamtest.Options{Partitions: 1})
	in := d.Topic(numbers)
	in.PutAt(81, "d", 1)
	in.PutAt(82, "d", -1)
	in.PutAt(98, "b", 1)
	d.Topic(topology.Nullable(results)).Want(streamtest.KV("d", serde.Opt[int64]{}))
}
