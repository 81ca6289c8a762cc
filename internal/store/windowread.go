package store

import (
	"errors"
	"fmt"
	"iter"
	"slices"
)

// WindowEntry is one row of a read; Key lives until the next step.
type WindowEntry[V any] struct {
	Key   []byte
	Start int64
	Value V
	At    int64
}

// Fetch returns the windows of k whose start is in from..to, ascending (or descending). k's bytes must live as long as
// the iteration. It sees the store as it was when it began. An error ends it and is yielded last.
func (w *Window[V]) Fetch(k Key, from, to int64, descending bool) iter.Seq2[WindowEntry[V], error] {
	return func(yield func(WindowEntry[V], error) bool) {
		found, err := w.Append(nil, k, from, to)
		if descending {
			slices.Reverse(found)
		}
		for _, e := range found {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(WindowEntry[V]{}, err)
		}
	}
}

// Append appends the windows of k whose start is in from..to to dst, ascending.
func (w *Window[V]) Append(dst []WindowEntry[V], k Key, from, to int64) ([]WindowEntry[V], error) {
	starts, err := w.between(from, to, w.observed)
	for _, start := range starts {
		e := WindowEntry[V]{Key: k.Bytes, Start: start}
		var ok bool
		if e.Value, e.At, ok, err = w.Get(k, start); err != nil {
			break
		}
		if ok {
			dst = append(dst, e)
		}
	}
	return dst, err
}

// between returns the starts in from..to that are visible when observed is the highest start, and of which there may
// be rows, ascending.
func (w *Window[V]) between(from, to, observed int64) ([]int64, error) {
	if observed == noTime {
		return nil, nil
	}
	from = max(from, less(observed, w.retention)+1)
	if from > to {
		return nil, nil
	}
	i, _ := slices.BinarySearch(w.starts, from)
	j := i
	for j < len(w.starts) && w.starts[j] <= to {
		j++
	}
	starts := slices.Clone(w.starts[i:j])
	if w.ring != nil { // a table of one of the ring's starts is for writes alone
		starts = slices.DeleteFunc(starts, func(s int64) bool { _, ok := w.ring.number(s); return ok })
		starts = w.ring.starts(starts, from, min(to, observed))
		slices.Sort(starts)
	}
	if w.allHot {
		return starts, nil
	}
	below, err := w.startsBelow(from, to)
	if err != nil {
		return nil, err
	}
	starts = append(starts, below...)
	slices.Sort(starts)
	return slices.Compact(starts), nil
}

// startsBelow returns the starts in from..to that the database has rows of, by one seek each.
func (w *Window[V]) startsBelow(from, to int64) (starts []int64, err error) {
	it, err := w.env.DB.iter(w.prefix())
	if err != nil {
		return nil, err
	}
	for ok := it.SeekGE(w.startPrefix(from)); ok; {
		start := startOf(it.Key())
		if start > to {
			break
		}
		starts = append(starts, start)
		next := successor(w.startPrefix(start))
		ok = next != nil && it.SeekGE(next)
	}
	return starts, errors.Join(it.Error(), it.Close())
}

// FetchRange returns the windows of keys first..last (nil: open), start in from..to, ordered by start, then key bytes.
// It sees the store as it was when it began. An error ends it and is yielded last.
func (w *Window[V]) FetchRange(first, last []byte, from, to int64) iter.Seq2[WindowEntry[V], error] {
	return func(yield func(WindowEntry[V], error) bool) {
		err := w.walk(first, after(last), from, to, false, func(start int64, key, raw []byte, v V, at int64) (err error) {
			if raw != nil {
				if v, at, err = decodeRow(w.serde, key, raw); err != nil {
					return err
				}
			}
			if !yield(WindowEntry[V]{key, start, v, at}, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(WindowEntry[V]{}, err)
		}
	}
}

var errStop = errors.New("store: enough")

// walk opens views of all windows in from..to at once and calls give with their rows. A row is raw below, or, where that is
// nil, v at at.
func (w *Window[V]) walk(first, upper []byte, from, to int64, committed bool, give func(start int64, key, raw []byte, v V, at int64) error) (err error) {
	observed := w.observed
	if committed {
		observed = w.settled
	}
	starts, err := w.between(from, to, observed)
	if err != nil || len(starts) == 0 {
		return err
	}
	var below reader
	if w.env.DB != nil {
		snap, err := w.env.DB.e.snapshot()
		if err != nil {
			return err
		}
		defer snap.Close()
		below = snap
	}
	views := make([]startView[V], len(starts))
	defer func() {
		for _, v := range views {
			if v != nil {
				err = errors.Join(err, v.close())
			}
		}
	}()
	var ring *ringView[V]
	if w.ring != nil {
		ring = w.ring.open(below, first, upper, committed)
		defer func() { err = errors.Join(err, ring.rows.close()) }()
	}
	for i, start := range starts {
		if w.ring != nil {
			if n, ok := w.ring.number(start); ok {
				views[i] = &ringStart[V]{ring, n, false}
				continue
			}
		}
		t := w.tables[start]
		if t == nil {
			t = w.bare(start)
			defer t.drop()
		}
		views[i] = t.open(below, first, upper, false, committed)
	}
	for i, v := range views {
		for {
			key, raw, s, err := v.next()
			if err != nil {
				return err
			}
			if key == nil {
				break
			}
			if err := give(starts[i], key, raw, s.v, s.at); err != nil {
				return err
			}
		}
		if err := v.close(); err != nil {
			return err
		}
	}
	return nil
}

// startView is a view of the windows of one start.
type startView[V any] interface {
	next() (key, raw []byte, s rowState[V], err error)
	close() error
}

// Committed answers queries from outside: "get", "fetch" and "fetchall". The rows are those of the last commit.
func (w *Window[V]) Committed(q Query) iter.Seq2[Row, error] {
	switch q.Op {
	case "get":
		return w.committedFetch(q.Key, q.FromTime, q.FromTime)
	case "fetch":
		return w.committedFetch(q.Key, q.FromTime, q.ToTime)
	case "fetchall":
		return w.committedWalk(q)
	}
	return failing(fmt.Errorf("store: %q: a %s answers get, fetch and fetchall, not %q", w.name, w.schema.Kind, q.Op))
}

// committedFetch returns the committed windows of one key.
func (w *Window[V]) committedFetch(key []byte, from, to int64) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		starts, err := w.between(from, to, w.settled)
		var found []Row
		for _, start := range starts {
			row, ok, e := w.committedRow(key, start)
			if e != nil {
				err = e
				break
			}
			if ok {
				row.Start, row.End = start, w.End(start)
				found = append(found, row)
			}
		}
		for _, row := range found {
			if !yield(row, nil) {
				return
			}
		}
		if err != nil {
			yield(Row{}, err)
		}
	}
}

// committedRow returns the committed row of a key and window; ok is false if there is none.
func (w *Window[V]) committedRow(key []byte, start int64) (row Row, ok bool, err error) {
	if w.ring != nil {
		if n, ok := w.ring.number(start); ok {
			return w.ring.committedRow(key, n)
		}
	}
	t, err := w.table(start, false)
	if t == nil {
		return row, false, err
	}
	return t.committedRow(key)
}

// committedWalk returns the committed windows of all keys, by start, then key bytes.
func (w *Window[V]) committedWalk(q Query) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		var value []byte
		err := w.walk(nil, nil, q.FromTime, q.ToTime, true, func(start int64, key, raw []byte, v V, at int64) error {
			row, ok, err := rowIn(w.serde, &value, key, raw, v, at)
			if !ok || err != nil {
				return err
			}
			if row.Start, row.End = start, w.End(start); !yield(row, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(Row{}, err)
		}
	}
}
