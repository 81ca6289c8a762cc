package wire

import (
	"sync"

	"github.com/thalweg/thalweg/internal/engine/log"
)

// waiters are the fetches that wait for more of some partitions.
type waiters struct {
	mu sync.Mutex
	m  map[log.ID]map[*waiter]struct{}
}

// waiter is one waiting fetch. woken has room for one signal, so that none is lost between two looks.
type waiter struct {
	ids   []log.ID
	woken chan struct{}
}

func newWaiters() *waiters { return &waiters{m: map[log.ID]map[*waiter]struct{}{}} }

// add registers a fetch of the partitions; remove must follow.
func (w *waiters) add(ids []log.ID) *waiter {
	f := &waiter{ids: ids, woken: make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		set := w.m[id]
		if set == nil {
			set = map[*waiter]struct{}{}
			w.m[id] = set
		}
		set[f] = struct{}{}
	}
	return f
}

func (w *waiters) remove(f *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range f.ids {
		set := w.m[id]
		delete(set, f)
		if len(set) == 0 {
			delete(w.m, id)
		}
	}
}

func (w *waiters) wake(id log.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for f := range w.m[id] {
		select {
		case f.woken <- struct{}{}:
		default:
		}
	}
}
