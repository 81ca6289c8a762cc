package main

import (
	"maps"
	"testing"

	"github.com/thalweg/thalweg/stream/streamtest"
)

// TestRegions counts clicks by the region that a user has at the time, on two instances, one of which dies.
func TestRegions(t *testing.T) {
	d := streamtest.New(t, perRegion, streamtest.Options{Instances: 2})
	in, where := d.Topic(clicks), d.Topic(regions)

	in.Put("alice", 1)
	where.Put("alice", "europe")
	in.Put("alice", 10)
	d.Crash(0)
	where.Put("alice", "asia")
	in.Put("alice", 5)
	d.Restart(0)
	in.Put("bob", 3)

	want := map[string]int64{"unknown": 4, "europe": 10, "asia": 5}
	if got := streamtest.Latest(d.Topic(totals)); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
