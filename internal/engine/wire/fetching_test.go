package wire

import (
	"sync"
	"testing"
	"time"
)

// waitClock says when a time is first waited for, which never comes.
type waitClock struct {
	realClock
	waits func()
}

func (c waitClock) AfterFunc(time.Duration, func()) func() bool {
	c.waits()
	return func() bool { return true }
}

// TestFetchStopsLooking wakes a fetch that waits for more than there will be: each write has it look at all its partitions, and
// after so many looks it is answered with what there is.
func TestFetchStopsLooking(t *testing.T) {
	waiting := make(chan struct{})
	s := newTestServer(t, func(cfg *Config) { cfg.Clock = waitClock{waits: sync.OnceFunc(func() { close(waiting) })} })
	req := fetchOf(12, 0, []string{"t", "compact", "recent"})
	req.MinBytes, req.MaxWaitMillis = 1<<30, 1<<30
	answered := make(chan []byte, 1)
	go func() {
		_, answer := exchange(t.Context(), s, frameOf(req, 0), nil)
		answered <- answer
	}()
	<-waiting
	var w *waiter
	s.waiters.mu.Lock()
	for _, set := range s.waiters.m {
		for w = range set {
		}
	}
	s.waiters.mu.Unlock()
	late := time.After(time.Minute)
	for wakes := 0; ; wakes++ {
		select {
		case w.woken <- struct{}{}: // there is room once it has looked
		case answer := <-answered:
			if answer == nil {
				t.Error("no answer")
			}
			if looks := (wakes - 1) * 3; looks > mostLooks+3 || looks < mostLooks-3 {
				t.Errorf("answered after %d wakes, which are %d looks, want %d", wakes, looks, mostLooks)
			}
			return
		case <-late:
			t.Fatalf("not answered after %d wakes", wakes)
		}
	}
}
