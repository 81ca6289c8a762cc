package main

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/window"
)

// TestAViewCountsInFiveWindows counts views in hopping windows by the time they bear, and drops one without a time.
func TestAViewCountsInFiveWindows(t *testing.T) {
	d := streamtest.New(t, viewsByRegion, streamtest.Options{Instances: 2})
	in, who := d.Topic(views), d.Topic(profiles)
	at := d.Now().Add(-time.Hour)

	who.PutAt(at, "alice", profile{"europe"})
	in.Put("/home", view{"alice", "/home", at.Time()})
	d.Crash(1)
	in.Put("/home", view{"alice", "/home", at.Add(time.Minute).Time()})
	d.Restart(1)
	in.Put("/home", view{"alice", "/home", time.Time{}})
	in.Put("/home", view{"nobody", "/home", at.Time()})

	got := streamtest.Latest(d.Topic(regions))
	for start, want := range map[window.Instant]int64{at.Add(-4 * time.Minute): 1, at.Add(-3 * time.Minute): 2, at: 2, at.Add(time.Minute): 1} {
		if n := got[window.Key[string]{Key: "europe", Start: start, End: start.Add(size)}]; n != want {
			t.Errorf("%d views from %v on, want %d", n, start, want)
		}
	}
	if len(got) != 6 {
		t.Errorf("%d windows, want 6: %v", len(got), got)
	}
}
