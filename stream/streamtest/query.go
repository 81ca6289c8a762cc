package streamtest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/internal/task"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// Ask implements state.Client. A watch says what has changed since its last step, and ends when nothing has: the body of
// its loop is what may change something.
func (d *Driver) Ask(ctx context.Context, q state.Question) iter.Seq2[state.Answer, error] {
	return func(yield func(state.Answer, error) bool) {
		if err := d.ask(q, func(a state.Answer) bool { return yield(a, nil) }); err != nil {
			yield(state.Answer{}, err)
		}
	}
}

func (d *Driver) ask(q state.Question, yield func(state.Answer) bool) error {
	fits, err := d.fits(q)
	switch {
	case err != nil:
		return err
	case !fits:
		return state.ErrNoStore
	case q.Op == "owner":
		return d.owner(q, yield)
	case q.Op == "watch":
		return d.watch(q, yield)
	}
	_, err = d.rows(q, yield)
	return err
}

// fits checks the question against the store's declaration; false: there is no such store.
func (d *Driver) fits(q state.Question) (bool, error) {
	for _, sub := range slices.Concat(d.graph.Subs, d.graph.Globals) {
		for _, s := range sub.Stores {
			if s.Name == q.Store {
				return true, state.Fits(q, state.PlanOf(s.Spec.(state.AnySpec)))
			}
		}
	}
	return false, nil
}

// rows passes on the committed rows that answer q, and reports whether to go on.
func (d *Driver) rows(q state.Question, yield func(state.Answer) bool) (bool, error) {
	pass := func(rows iter.Seq2[store.Row, error], partition int32) (bool, error) {
		for r, err := range rows {
			r.Partition = partition
			if err != nil || !yield(state.AnswerOf(r)) {
				return false, err
			}
		}
		return true, nil
	}
	for _, in := range d.instances {
		for _, g := range in.globals {
			if rows, ok := g.Ask(q.Store, state.QueryOf(q)); ok {
				return pass(rows, 0) // every instance has all rows
			}
		}
		for _, t := range in.tasks {
			rows, err := t.Ask(q.Store, state.QueryOf(q))
			if err != nil {
				continue // another sub-topology's task
			}
			if more, err := pass(rows, t.Partition()); err != nil || !more {
				return false, err
			}
		}
	}
	return true, nil
}

// owner names the instance that has the partition of a key.
func (d *Driver) owner(q state.Question, yield func(state.Answer) bool) error {
	for i, in := range d.instances {
		for _, t := range in.tasks {
			if _, err := t.Ask(q.Store, store.Query{Op: "all"}); err != nil || t.Partition() != topology.Partition(q.Key, d.tasksOf(t.Sub())) {
				continue
			}
			host, err := json.Marshal(state.Host{Addr: fmt.Sprint("instance-", i), Partition: t.Partition()})
			if err == nil {
				yield(state.Answer{Value: host})
			}
			return err
		}
	}
	return state.ErrRebalancing
}

// watch answers with a snapshot, and with changes until there are none.
func (d *Driver) watch(q state.Question, yield func(state.Answer) bool) error {
	for {
		again, err := d.watchOnce(q, yield)
		if err != nil || !again {
			return err
		}
	}
}

// watchOnce reports whether a new snapshot is wanted.
func (d *Driver) watchOnce(q state.Question, yield func(state.Answer) bool) (again bool, err error) {
	type watched struct {
		t *task.Task
		w *task.Watch
	}
	var watches []watched
	wake := make(chan struct{}, 1)
	for _, in := range d.instances {
		for _, t := range in.tasks {
			w := task.NewWatch(q.Key, wake)
			if t.Watch(q.Store, w) == nil {
				watches = append(watches, watched{t, w})
				defer t.Unwatch(q.Store, w)
			}
		}
	}
	if len(watches) == 0 {
		return false, fmt.Errorf("streamtest: store %q is in no task that runs, or global: only tables of tasks can be watched in a test", q.Store)
	}
	first := q
	if first.Op = "all"; q.Key != nil {
		first.Op = "get"
	}
	if !yield(state.Answer{Mark: state.SnapshotBegins}) {
		return false, nil
	}
	more, err := d.rows(first, yield)
	if err != nil && slices.ContainsFunc(watches, func(x watched) bool { return x.w.Lost() }) {
		return true, nil // a task has gone meanwhile
	}
	if err != nil || !more || !yield(state.Answer{Mark: state.SnapshotEnds}) {
		return false, err
	}
	for changed := true; changed; {
		changed = false
		for _, x := range watches {
			keys, ok := x.w.Take()
			for _, k := range keys {
				changed = true
				r, _, err := x.t.Row(q.Store, k)
				if err == nil && !yield(state.AnswerOf(r)) {
					return false, nil
				}
				if ok = ok && !x.w.Lost(); !ok {
					break
				}
				if err != nil {
					return false, err
				}
			}
			if !ok {
				return true, nil
			}
		}
	}
	return false, nil
}
