package runtime

import (
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
)

// When a store is written below, and in what slices.
const (
	checkpointEvery     = 30 * time.Second
	checkpointTail      = 2_000_000 // changelog records: what a restart of all stores would have to read, about a second
	checkpointTailLeast = 100_000   // of one store, however many there are
	checkpointRows      = 2048      // encoded at once, between groups of records
)

// checkpoints are those of one goroutine's tasks or copies: one at a time.
type checkpoints struct {
	in      *Instance
	poke    func() // wakes the goroutine
	last    map[store.Store]time.Time
	running *running
	failing time.Time // since when no commit has succeeded
}

// running is a checkpoint under way.
type running struct {
	a       *assigned
	s       store.Store
	name    string
	c       *store.Checkpoint
	written chan error // nil while it is being encoded
	began   time.Time
}

// step does a slice of what is due. It reports whether there was something to do.
func (cs *checkpoints) step(as []*assigned) bool {
	r := cs.running
	switch {
	case r == nil:
		cs.running = cs.next(as)
		return cs.running != nil
	case r.written == nil:
		if r.c.Encode(checkpointRows) {
			cs.write(r)
		}
		return true
	}
	select {
	case err := <-r.written:
		cs.settle(r, err)
		return true
	default:
		return false
	}
}

func (cs *checkpoints) write(r *running) {
	r.written = make(chan error, 1)
	go func() {
		r.written <- r.c.Write()
		cs.poke()
	}()
}

func (cs *checkpoints) settle(r *running, err error) {
	r.c.Finish(err)
	cs.running = nil
	cs.mark(r.s)
	if err != nil {
		cs.in.cfg.Logger.Error("checkpoint", "store", r.name, "task", r.a.name(), "err", err)
		return
	}
	cs.in.stats.checkpoints.Add(1)
	cs.in.cfg.Logger.Debug("checkpoint", "store", r.name, "task", r.a.name(), "took", time.Since(r.began))
}

func (cs *checkpoints) mark(s store.Store) {
	if cs.last == nil {
		cs.last = map[store.Store]time.Time{}
	}
	cs.last[s] = time.Now()
}

// tailLimit is how long the tail of one store may become.
func (in *Instance) tailLimit() int64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := 0
	for _, a := range in.tasks {
		n += len(a.sub.Stores)
	}
	return max(checkpointTailLeast, checkpointTail/int64(max(n, 1)))
}

// next begins the checkpoint of a store that is due.
func (cs *checkpoints) next(as []*assigned) (r *running) {
	limit := cs.in.tailLimit()
	for _, a := range as {
		a.task.Stores(func(d *edge.Store, s store.Store, tail int64) {
			if r != nil {
				return
			}
			rows, bytes := s.Pending()
			if rows == 0 {
				return
			}
			if cs.last[s].IsZero() {
				cs.mark(s)
			}
			if time.Since(cs.last[s]) < checkpointEvery && tail < limit && bytes < cs.in.cfg.Memory/4 {
				return
			}
			if c := s.BeginCheckpoint(); c != nil {
				r = &running{a: a, s: s, name: d.Name, c: c, began: time.Now()}
			}
		})
	}
	return r
}

// finish brings a running checkpoint to its end.
func (cs *checkpoints) finish() {
	r := cs.running
	if r == nil {
		return
	}
	if r.written == nil {
		for !r.c.Encode(checkpointRows) {
		}
		cs.write(r)
	}
	cs.settle(r, <-r.written)
}

// final writes all of a task's stores, before it is closed.
func (cs *checkpoints) final(a *assigned) {
	cs.finish()
	a.task.Stores(func(d *edge.Store, s store.Store, _ int64) {
		c := s.BeginCheckpoint()
		if c == nil {
			return
		}
		cs.running = &running{a: a, s: s, name: d.Name, c: c, began: time.Now()}
		cs.finish()
	})
}

// forget lets go of a task that will be closed: its checkpoint under way is waited for.
func (cs *checkpoints) forget(a *assigned) {
	if r := cs.running; r != nil && r.a == a {
		cs.finish()
	}
	a.task.Stores(func(_ *edge.Store, s store.Store, _ int64) { delete(cs.last, s) })
}

// end has nothing left under way.
func (cs *checkpoints) end() {
	if cs.running != nil {
		cs.finish()
	}
}
