package task_test

import (
	"slices"
	"testing"
	"time"

	"github.com/thalweg/thalweg/internal/task/tasktest"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// closing counts by windows of 10 s that close after 4 s of silence.
func closing(b *topology.Builder) {
	w := stream.From(b, texts("a")).GroupByKey().Windowed(window.Tumbling(10 * time.Second).CloseIdle(4 * time.Second))
	stream.WindowUpdates(w.Count("n").Final()).
		Map(func(k window.Key[string], n int64) (string, string) { return k.Key, "closed" }).To(topology.NewTopic("out", serde.String, serde.String))
}

// TestWhatCountsAsSilence shows that only time counts in which the input is known to be read to its end, and no more of it
// than was looked at.
func TestWhatCountsAsSilence(t *testing.T) {
	settled := true
	b := tasktest.Open(t, closing, tasktest.Options{IdleStep: time.Second, Settled: func() bool { return settled }})
	pass := func(d time.Duration) string {
		t.Helper()
		b.Now = b.Now.Add(d)
		if err := b.Punctuate(); err != nil {
			t.Fatal(err)
		}
		return values(b.Out("out").Open())
	}
	seconds := func(n int) string {
		for range n - 1 {
			pass(time.Second)
		}
		return pass(time.Second)
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	pass(0)
	b.Feed("a", 1, at(8_000, "k", "v"))
	b.Run()
	want("a record is known to be there", seconds(20), "")
	b.Feed("a", 0, at(8_000, "k", "v"))
	b.Run()
	want("one step, however long it took", pass(5*time.Second), "")
	want("nothing was heard of the input for so long", seconds(20), "")
	b.Feed("a", 0)
	b.Run()
	settled = false
	want("something is being restored", seconds(4), "")
	settled = true
	b.Feed("a", 0)
	b.Run()
	want("three steps in all", seconds(2), "")
	want("four", seconds(1), "closed")
	b.Abort()
	b.Feed("a", 0, at(8_000, "k", "v"), at(8_000, "k", "v"))
	b.Run()
	want("after an abort", seconds(3), "")
	want("it closes again", seconds(1), "closed")
	b.Commit()
	b.Feed("a", 0)
	b.Run()
	want("once", seconds(5), "")
	if got := b.Out("out").Committed(); !slices.Equal([]string{values(got)}, []string{"closed"}) {
		t.Errorf("committed %v", got)
	}
}
