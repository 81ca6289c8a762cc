package state

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"github.com/thalweg/thalweg/serde"
)

var errWatchesStored = errors.New("state: rows that are computed from two stores cannot be watched: Materialize the table")

// Watch returns the row of k, now and as it changes, until ctx ends, which is the last error: absent where there is none.
// It sees the rows of commits, not every value between them: whoever is slow gets the latest.
func (r Rows[K, V]) Watch(ctx context.Context, k K) iter.Seq2[serde.Opt[V], error] {
	return func(yield func(serde.Opt[V], error) bool) {
		var last Answer // that was yielded
		told, shown, there := false, false, false
		say := func(a Answer) (more bool, err error) {
			v, ok, err := r.valueOf(k, a)
			if err != nil {
				return false, err
			}
			if told && ok == shown && (!ok || bytes.Equal(a.Value, last.Value) && a.Time == last.Time) {
				return true, nil // a snapshot that says nothing new
			}
			told, shown, last = true, ok, Answer{Value: bytes.Clone(a.Value), Time: a.Time}
			return yield(serde.Opt[V]{Value: v, OK: ok}, nil), nil
		}
		key, err := encode(r.client, r.key, k)
		if err != nil {
			yield(serde.Opt[V]{}, err)
			return
		}
		for a, err := range r.watch(ctx, key) {
			more := true
			switch {
			case err != nil:
			case a.Mark == SnapshotBegins:
				there = false
			case a.Mark == SnapshotEnds:
				if !there {
					more, err = say(Answer{})
				}
			default:
				there = true
				more, err = say(a)
			}
			if err != nil {
				yield(serde.Opt[V]{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// WatchAll returns every row, now and as it changes, until ctx ends, which is the last error; an absent value is a deleted
// row. It sees the rows of commits, not every value between them: whoever is slow gets the latest. Where it may have missed
// something, because partitions moved or too much has changed, all rows come anew, and what has gone meanwhile as absent;
// for that it remembers the keys there are. With Local it follows the partitions that the instance has when it begins.
func (r Rows[K, V]) WatchAll(ctx context.Context) iter.Seq2[Entry[K, serde.Opt[V]], error] {
	return func(yield func(Entry[K, serde.Opt[V]], error) bool) {
		w := watchedRows[K, V]{r: r, yield: yield, live: map[string]bool{}}
		for a, err := range r.watch(ctx, nil) {
			more := true
			if err == nil {
				more, err = w.take(a)
			}
			if err != nil {
				yield(Entry[K, serde.Opt[V]]{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// watchedRows is one WatchAll under way.
type watchedRows[K, V any] struct {
	r     Rows[K, V]
	yield func(Entry[K, serde.Opt[V]], error) bool
	live  map[string]bool // keys that were yielded with a value
	gone  map[string]bool // of these, those that the snapshot at hand has not shown yet; nil: none is
}

func (w *watchedRows[K, V]) take(a Answer) (more bool, err error) {
	switch a.Mark {
	case SnapshotBegins:
		w.gone = map[string]bool{}
		for k := range w.live {
			w.gone[k] = true
		}
		return true, nil
	case SnapshotEnds:
		for k := range w.gone {
			if more, err := w.pass(Answer{Key: []byte(k)}); err != nil || !more {
				return more, err
			}
		}
		w.gone = nil
		return true, nil
	}
	delete(w.gone, string(a.Key))
	return w.pass(a)
}

// pass yields a row, or that it has gone if it was there.
func (w *watchedRows[K, V]) pass(a Answer) (more bool, err error) {
	e := Entry[K, serde.Opt[V]]{Time: a.Time}
	if e.Key, err = w.r.key.Decode(a.Key); err != nil {
		return false, err
	}
	if e.Value.Value, e.Value.OK, err = w.r.valueOf(e.Key, a); err != nil {
		return false, err
	}
	if !e.Value.OK && !w.live[string(a.Key)] {
		return true, nil
	}
	if e.Value.OK {
		w.live[string(a.Key)] = true
	} else {
		delete(w.live, string(a.Key))
	}
	return w.yield(e, nil), nil
}

// valueOf decodes the value of a row; ok is false for a deleted one, and one that the handle's table does not have.
func (r Rows[K, V]) valueOf(k K, a Answer) (v V, ok bool, err error) {
	if a.Value == nil {
		return v, false, nil
	}
	return r.value(k, a.Value)
}

// watch asks for a snapshot of the rows, or of that of a key, and what follows.
func (r Rows[K, V]) watch(ctx context.Context, key []byte) iter.Seq2[Answer, error] {
	q := r.q
	q.Op, q.Key = "watch", key
	if r.answer != nil {
		return failing(errWatchesStored)
	}
	if err := unready(r.client, r.key != nil && r.value != nil); err != nil {
		return failing(err)
	}
	return r.client.Ask(ctx, q)
}

func failing(err error) iter.Seq2[Answer, error] {
	return func(yield func(Answer, error) bool) { yield(Answer{}, err) }
}
