package runtime

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
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

// Global reports whether every instance has all rows of a store.
func (in *Instance) Global(name string) bool {
	return slices.ContainsFunc(in.cfg.Graph.Globals, func(s *edge.Sub) bool { return declares(s, name) })
}

func declares(s *edge.Sub, name string) bool {
	return slices.ContainsFunc(s.Stores, func(st *edge.Store) bool { return st.Name == name })
}

// Store returns the declaration of a store.
func (in *Instance) Store(name string) (*edge.Store, error) {
	for _, sub := range slices.Concat(in.cfg.Graph.Subs, in.cfg.Graph.Globals) {
		for _, s := range sub.Stores {
			if s.Name == name {
				return s, nil
			}
		}
	}
	return nil, ErrNoStore
}

// PartitionOf returns the only partition of a store that can have a key; ok is false if any can.
func (in *Instance) PartitionOf(s *edge.Store, key []byte) (p int32, ok bool) {
	if key == nil || in.partitionedByUser(s.Name) {
		return 0, false
	}
	return topology.PartitionOf(s, key, tasksOf(s.Sub, in.plan.partitions)), true
}

// Partitions returns those of a store that can have rows to answer q with.
func (in *Instance) Partitions(s *edge.Store, q store.Query) (ps []int32) {
	if p, ok := in.PartitionOf(s, q.Key); ok && (q.Op == "get" || q.Op == "fetch" || q.Op == "watch" || q.Op == "asof") {
		return []int32{p}
	}
	for p := range tasksOf(s.Sub, in.plan.partitions) {
		ps = append(ps, p)
	}
	return ps
}

// TasksOf is how many partitions a store has.
func (in *Instance) TasksOf(s *edge.Store) int32 { return tasksOf(s.Sub, in.plan.partitions) }

// Here reports which partitions of a store are this instance's, though some may not be restored yet.
func (in *Instance) Here(s *edge.Store) map[int32]bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	here := map[int32]bool{}
	for k, a := range in.tasks {
		if a.sub == s.Sub && a.whole() {
			here[k.partition] = true
		}
	}
	return here
}

// Copied reports whether this instance keeps a copy of a partition of a store.
func (in *Instance) Copied(s *edge.Store, partition int32) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return changelogOf(s) != "" && in.copyLocked(taskKey{s.Sub.ID, partition}) != nil
}

// copyLocked returns the copy of a task, nil if there is none.
func (in *Instance) copyLocked(key taskKey) *assigned {
	if in.copies == nil {
		return nil // it has just begun
	}
	return in.copies.copyOf(key)
}

// Ask answers a question from the committed rows of the given partitions of a store, one after the other; they have to be
// this instance's, or with stale copied here. Rows are copies.
func (in *Instance) Ask(ctx context.Context, s *edge.Store, q store.Query, partitions []int32, stale bool) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		as, err := in.having(s, partitions, stale)
		if err != nil {
			yield(store.Row{}, err)
			return
		}
		for _, a := range as {
			if !a.ask(ctx, s.Name, q, yield) {
				return
			}
		}
	}
}

// AskGlobal answers a question from a store that every instance has.
func (in *Instance) AskGlobal(name string, q store.Query) iter.Seq2[store.Row, error] {
	for _, g := range in.globals {
		if rows, ok := g.Ask(name, q); ok {
			return rows
		}
	}
	return func(yield func(store.Row, error) bool) { yield(store.Row{}, ErrMoving) } // not filled yet
}

// having returns the tasks of the given partitions of a store; with stale a copy where there is none.
func (in *Instance) having(s *edge.Store, partitions []int32, stale bool) (as []*assigned, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, p := range partitions {
		key := taskKey{s.Sub.ID, p}
		a := in.tasks[key]
		if stale && (a == nil || a.task == nil) {
			if c := in.copyLocked(key); c != nil && changelogOf(s) != "" {
				as = append(as, c)
				continue
			}
		}
		switch {
		case a == nil || !a.whole():
			return nil, ErrElsewhere
		case a.task == nil:
			return nil, ErrMoving
		}
		as = append(as, a)
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

// asking is one question that is being answered from a task.
type asking struct{ a *assigned }

// ask passes on the rows of one task, a few at a time.
func (a *assigned) ask(ctx context.Context, name string, q store.Query, yield func(store.Row, error) bool) bool {
	var next func() (store.Row, error, bool)
	var stop func()
	var rows []store.Row
	var err error
	done, self := false, &asking{a}
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
			if a.reading == nil {
				a.reading = map[*asking]func(){}
			}
			a.reading[self] = stop
		}
		rows = rows[:0]
		for began := time.Now(); len(rows) < queryRows && time.Since(began) < queryTime; {
			r, e, ok := next()
			if !ok || e != nil {
				err, done = e, true
				return
			}
			r.Key, r.Value, r.Partition = append([]byte{}, r.Key...), append([]byte{}, r.Value...), a.key.partition
			rows = append(rows, r)
		}
	}
	defer func() {
		if stop != nil {
			a.box().wait(func() { stop(); delete(a.reading, self) })
		}
	}()
	for !done {
		if ctx.Err() != nil {
			return yield(store.Row{}, context.Cause(ctx))
		}
		if !a.box().wait(slice) {
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
