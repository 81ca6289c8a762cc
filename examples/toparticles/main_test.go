package main

import (
	"slices"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/window"
)

// TestAnHourHasItsThreeMostRead counts four articles of one hour, over a crash.
func TestAnHourHasItsThreeMostRead(t *testing.T) {
	d := streamtest.New(t, charts, streamtest.Options{Partitions: 1})
	in, at := d.Topic(reads), d.Now()
	for i, a := range []string{"a", "b", "c", "d", "b", "d", "c", "d"} {
		in.PutAt(at.Add(time.Duration(i)*time.Minute), serde.Void{}, read{a, "news"})
	}
	d.Crash(0)
	d.Restart(0)
	in.PutAt(at.Add(2*time.Hour), serde.Void{}, read{"x", "sports"})
	in.PutAt(at.Add(4*time.Hour), serde.Void{}, read{"x", "sports"})

	got := streamtest.Latest(d.Topic(tops))[window.Key[string]{Key: "news", Start: at, End: at.Add(time.Hour)}]
	if want := []article{{"d", 3}, {"b", 2}, {"c", 2}}; !slices.Equal(got, want) {
		t.Errorf("the chart is %v, want %v", got, want)
	}
}
