package main

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream/streamtest"
)

// TestAnIDPassesOnceADay repeats an event at once, after its task has moved, and a day later.
func TestAnIDPassesOnceADay(t *testing.T) {
	d := streamtest.New(t, eachOnce, streamtest.Options{Partitions: 1, Instances: 2})
	in := d.Topic(raw)

	in.Put("k", event{"1", "a"})
	in.Put("k", event{"1", "b"})
	d.Scale(1)
	in.Put("k", event{"1", "c"})
	in.PutAt(d.Now().Add(25*time.Hour), "k", event{"1", "d"}) // forgotten by now

	d.Topic(unique).Want(
		streamtest.KV("k", event{"1", "a"}),
		streamtest.KV("k", event{"1", "d"}),
	)
	if offset, ok, err := state.QueryKeyValue(seen, d).Get(t.Context(), "1"); offset != 3 || !ok || err != nil {
		t.Errorf("id 1 was seen at %d, %v, %v; want 3", offset, ok, err)
	}
}
