package stream_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// where passes on the partition in which each record of a windowed key is met.
func where[V any](ctx *topology.Context[string, int64]) (topology.Processor[window.Key[string], V], error) {
	return topology.ProcessorFunc[window.Key[string], V](func(r topology.Record[window.Key[string], V]) error {
		return ctx.Forward(topology.Record[string, int64]{Key: r.Key.Key, Value: int64(ctx.Partition()), Time: r.Time})
	}), nil
}

// TestWindowsOfAKeyStayTogether writes and repartitions windowed keys on many partitions: all windows of one key are in the
// key's own, as in Kafka Streams, in queries too.
func TestWindowsOfAKeyStayTogether(t *testing.T) {
	t.Run("time", func(t *testing.T) { stayTogether(t, windowed.Time(serde.String, 10*time.Millisecond)) })
	t.Run("session", func(t *testing.T) { stayTogether(t, windowed.Session(serde.String)) })
}

func stayTogether(t *testing.T, keys serde.Serde[window.Key[string]]) {
	spans := topology.NewTopic("spans", keys, serde.Int64)
	written, again := topology.NewTopic("written", serde.String, serde.Int64), topology.NewTopic("again", serde.String, serde.Int64)
	var rows table.Table[window.Key[string], int64]
	d := streamtest.New(t, func(b *topology.Builder) {
		b.Use(keys)
		counts := stream.From(b, lefts).GroupByKey().Windowed(window.Tumbling(10 * time.Millisecond)).Count("n")
		counts.To(spans)
		stream.From(b, spans).Process("written", where[int64]).To(written)
		rows = counts.GroupBy(func(k window.Key[string], n int64) (window.Key[string], int64) { return k, n }).Count("rows")
		stream.Updates(rows).Process("again", where[int64]).To(again)
	}, streamtest.Options{Partitions: 8})
	in := d.Topic(lefts)
	for i := range 40 {
		in.PutAt(window.Instant(i*7), fmt.Sprint("k", i%5), "v")
	}
	d.Topic(spans).PutAt(300, window.Key[string]{Key: "k9", Start: 300, End: 310}, 1) // by hand
	for topic, want := range map[*topology.Topic[string, int64]]int{&written: 41, &again: 40} {
		rs := d.Topic(*topic).Read()
		for _, r := range rs {
			if home := topology.Partition([]byte(r.Key), 8); int32(r.Value) != home {
				t.Errorf("%s: a window of %s is in partition %d, want %d", topic.Name, r.Key, r.Value, home)
			}
		}
		if len(rs) != want {
			t.Errorf("%s: %d windows, want %d", topic.Name, len(rs), want)
		}
	}
	h, err := rows.Query(d).Owner(t.Context(), window.Key[string]{Key: "k1", Start: 0, End: 10})
	if err != nil || h.Partition != topology.Partition([]byte("k1"), 8) {
		t.Errorf("the owner of a row is %v, %v", h, err)
	}
}
