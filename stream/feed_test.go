package stream_test

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/stream"
)

// TestFeedWaitsForNoOther opens a feed while another's commit is under way for as long as it likes: what a kill leaves,
// until the other feed is made anew.
func TestFeedWaitsForNoOther(t *testing.T) {
	var s summed
	addr := freePort(t)
	a, _ := start(t, s.topology, stream.Config{Dir: t.TempDir(), Listen: addr})
	ctx := limit(t)
	feed := func() *stream.Feed[string, int64] {
		f, err := stream.NewFeed(ctx, a, "mine", amounts)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := feed()
	for _, position := range []string{"1", "2"} {
		if err := f.Put(ctx, "k", 1); err != nil {
			t.Fatal(err)
		}
		if err := f.Commit(ctx, position); err != nil {
			t.Fatal(err)
		}
	}
	c, err := kafka.Dial(ctx, kafka.Config{Brokers: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	other := c.NewProducer("words-feed-other", 10*time.Minute)
	defer other.Close()
	if err := other.Init(ctx); err != nil {
		t.Fatal(err)
	}
	out, err := other.Out(ctx, "words-feeds")
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Append(0, 0, []byte("other"), []byte("7"), nil); err != nil {
		t.Fatal(err)
	}
	if err := other.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(ctx, "k", 1); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(ctx, "3"); err != nil { // behind what is open
		t.Fatal(err)
	}
	if err := f.Put(ctx, "k", 1); err != nil {
		t.Fatal(err)
	}
	if got := feed().Position(); got != "3" {
		t.Errorf("position %q, want 3", got)
	}
}
