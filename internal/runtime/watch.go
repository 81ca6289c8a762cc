package runtime

import (
	"context"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/internal/task"
)

// Watch passes on a snapshot of the given partitions of a store, or of the row of a key, between its two marks, and then
// the rows that commits change, the latest of each; a row without a value is a deleted one. It ends when yield says so, or
// with an error: ErrMoving once it may have missed something, be it that a partition goes elsewhere.
func (in *Instance) Watch(ctx context.Context, s *edge.Store, key []byte, partitions []int32, yield func(store.Row) bool) error {
	as, err := in.having(s, partitions, false)
	if err != nil {
		return err
	}
	wake := make(chan struct{}, 1)
	watches := make([]*task.Watch, len(as))
	for i, a := range as {
		w := task.NewWatch(key, wake)
		watches[i] = w
		failed := ErrMoving
		ran := a.box().wait(func() {
			if !a.closed {
				failed = a.task.Watch(s.Name, w)
			}
		})
		if !ran || failed != nil {
			return failed
		}
		defer a.box().wait(func() {
			if !a.closed {
				a.task.Unwatch(s.Name, w)
			}
		})
	}
	q := store.Query{Op: "all"}
	if key != nil {
		q = store.Query{Op: "get", Key: key}
	}
	if more, err := in.snapshot(ctx, s, q, as, yield); err != nil || !more {
		return err
	}
	return in.follow(ctx, s.Name, as, watches, wake, yield)
}

// WatchGlobal is Watch for a store that every instance has.
func (in *Instance) WatchGlobal(ctx context.Context, name string, key []byte, yield func(store.Row) bool) error {
	wake := make(chan struct{}, 1)
	for _, g := range in.globals {
		w := task.NewWatch(key, wake)
		if !g.Watch(name, w) {
			continue
		}
		defer g.Unwatch(name, w)
		q := store.Query{Op: "all"}
		if key != nil {
			q = store.Query{Op: "get", Key: key}
		}
		return followGlobal(ctx, g, name, q, w, wake, yield)
	}
	return ErrMoving // not filled yet
}

func followGlobal(ctx context.Context, g *task.Global, name string, q store.Query, w *task.Watch, wake <-chan struct{}, yield func(store.Row) bool) error {
	pass := func(q store.Query, gone bool) (more bool, err error) {
		rows, _ := g.Ask(name, q)
		for r, err := range rows {
			if err != nil || !yield(r) {
				return false, err
			}
			gone = false
		}
		return !gone || yield(store.Row{Key: q.Key}), nil
	}
	if !yield(store.Row{Mark: store.SnapshotBegins}) {
		return nil
	}
	if more, err := pass(q, false); err != nil || !more || !yield(store.Row{Mark: store.SnapshotEnds}) {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-wake:
		}
		keys, ok := w.Take()
		if !ok {
			return ErrMoving
		}
		for _, k := range keys {
			if more, err := pass(store.Query{Op: "get", Key: k}, true); err != nil || !more {
				return err
			}
		}
	}
}

// snapshot passes on the rows there are, between marks.
func (in *Instance) snapshot(ctx context.Context, s *edge.Store, q store.Query, as []*assigned, yield func(store.Row) bool) (more bool, err error) {
	if !yield(store.Row{Mark: store.SnapshotBegins}) {
		return false, nil
	}
	for _, a := range as {
		more := a.ask(ctx, s.Name, q, func(r store.Row, e error) bool {
			err = e
			return e == nil && yield(r)
		})
		if err != nil || !more {
			return false, err
		}
	}
	return yield(store.Row{Mark: store.SnapshotEnds}), nil
}

// follow passes on what commits change.
func (in *Instance) follow(ctx context.Context, name string, as []*assigned, ws []*task.Watch, wake <-chan struct{}, yield func(store.Row) bool) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-in.ctx.Done():
			return ErrMoving
		case <-wake:
		}
		for i, w := range ws {
			keys, ok := w.Take()
			if !ok {
				return ErrMoving
			}
			for len(keys) > 0 {
				n := min(len(keys), queryRows)
				rows, err := as[i].rows(name, keys[:n])
				if err != nil {
					return err
				}
				for _, r := range rows {
					if !yield(r) {
						return nil
					}
				}
				keys = keys[n:]
			}
		}
	}
}

// rows returns the committed rows of a few keys; those that are gone have no value.
func (a *assigned) rows(name string, keys [][]byte) (rows []store.Row, err error) {
	ran := a.box().wait(func() {
		if a.closed {
			err = ErrMoving
			return
		}
		for _, k := range keys {
			r, _, e := a.task.Row(name, k)
			if e != nil {
				err = e
				return
			}
			r.Partition = a.key.partition
			rows = append(rows, r)
		}
	})
	if !ran {
		err = ErrMoving
	}
	return rows, err
}
