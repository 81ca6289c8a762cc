package runtime

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/topology"
)

// Errors of Ask, beside those of the store.
var (
	ErrNoStore = errors.New("runtime: no store of that name")
	ErrMoving  = errors.New("runtime: the partition is moving")
	// ErrElsewhere: another instance has what was asked for.
	ErrElsewhere = errors.New("runtime: on another instance")
)

// queryRows is how many rows a worker gives at once before it goes back to its records; queryTime how long it may take.
const (
	queryRows = 256
	queryTime = time.Millisecond
)

// Ask answers a question from the committed rows of this instance's tasks. Rows are copies. Unless local is set, a question
// that tasks of other instances would have to answer too is refused.
func (in *Instance) Ask(ctx context.Context, name string, q store.Query, local bool) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		for _, g := range in.globals {
			rows, ok := g.Ask(name, q)
			if !ok {
				continue
			}
			for r, err := range rows {
				if !yield(r, err) {
					return
				}
			}
			return
		}
		as, err := in.withStore(name, q, local)
		if err != nil {
			yield(store.Row{}, err)
			return
		}
		for _, a := range as {
			if !a.ask(ctx, name, q, yield) {
				return
			}
		}
	}
}

// withStore returns the tasks that have rows to answer with.
func (in *Instance) withStore(name string, q store.Query, local bool) (as []*assigned, err error) {
	want := int32(0) // tasks there are
	for _, s := range in.cfg.Graph.Stores {
		if s.Name == name {
			want = tasksOf(s.Sub, in.plan.partitions)
		}
	}
	if want == 0 {
		return nil, ErrNoStore
	}
	one := int32(-1) // the only partition that can have the key
	if q.Key != nil && (q.Op == "get" || q.Op == "fetch") && !in.partitionedByUser(name) {
		one = topology.Partition(q.Key, want)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, a := range in.tasks {
		for _, s := range a.sub.Stores {
			if s.Name != name || a.owned != len(a.places) || one >= 0 && a.key.partition != one {
				continue
			}
			if a.task == nil {
				return nil, ErrMoving
			}
			as = append(as, a)
		}
	}
	if one >= 0 && len(as) == 0 || one < 0 && !local && len(as) < int(want) {
		return nil, ErrElsewhere
	}
	return as, nil
}

// partitionedByUser reports whether rows of a store may lie elsewhere than by the hash of their keys.
func (in *Instance) partitionedByUser(name string) bool {
	for _, s := range in.cfg.Graph.Stores {
		if s.Name != name {
			continue
		}
		for _, src := range s.Sub.Sources {
			// Nothing is known of how a topic of the user's is written.
			if !src.Topic.Internal || src.Topic.Partitioned {
				return true
			}
		}
	}
	return false
}

// ask passes on the rows of one task, a few at a time.
func (a *assigned) ask(ctx context.Context, name string, q store.Query, yield func(store.Row, error) bool) bool {
	var next func() (store.Row, error, bool)
	var stop func()
	var rows []store.Row
	var err error
	done := false
	slice := func() {
		if a.closed {
			err, done = ErrMoving, true
			return
		}
		if next == nil {
			seq, e := a.task.Ask(name, q)
			if e != nil {
				err, done = e, true
				return
			}
			next, stop = iter.Pull2(seq)
		}
		rows = rows[:0]
		for began := time.Now(); len(rows) < queryRows && time.Since(began) < queryTime; {
			r, e, ok := next()
			if !ok || e != nil {
				err, done = e, true
				return
			}
			r.Key, r.Value = append([]byte{}, r.Key...), append([]byte{}, r.Value...)
			rows = append(rows, r)
		}
	}
	defer func() {
		if stop != nil {
			a.worker.wait(stop)
		}
	}()
	for !done {
		if ctx.Err() != nil {
			return yield(store.Row{}, ctx.Err())
		}
		if !a.worker.wait(slice) {
			return yield(store.Row{}, ErrMoving)
		}
		for _, r := range rows {
			if !yield(r, nil) {
				return false
			}
		}
	}
	if err != nil {
		return yield(store.Row{}, err) && false
	}
	return true
}
