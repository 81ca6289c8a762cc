package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/thalweg/thalweg/serde"
)

// Windows is a store of windows: a [Window] where many keys share the starts, a [Scattered] where each has its own.
type Windows[V any] interface {
	Store
	Get(k Key, start int64) (v V, at int64, ok bool, err error)
	Put(k Key, start int64, v V, at int64) error
	Delete(k Key, start int64, at int64) error
	Append(dst []WindowEntry[V], k Key, from, to int64) ([]WindowEntry[V], error)
	Fetch(k Key, from, to int64, descending bool) iter.Seq2[WindowEntry[V], error]
	FetchRange(first, last []byte, from, to int64) iter.Seq2[WindowEntry[V], error]
	Closing(dst []WindowEntry[V], from, to int64) ([]WindowEntry[V], error)
	File(closed *int64)
	End(start int64) int64
}

// Scattered is a map from (key bytes, window start) to values with times, for starts that few keys share: an array for
// each key. It implements [Windows]; what is visible and what is refused is as for [Window].
type Scattered[V any] struct {
	spans[V]
	size int64
}

// OpenScattered opens the store. size and retention are in ms.
func OpenScattered[V any](env Env, name string, sc Schema, size, retention int64, v serde.Serde[V]) (*Scattered[V], error) {
	w := &Scattered[V]{size: size}
	w.lag = size
	w.suffix = func(dst []byte, c *Cell[span[V]]) []byte {
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(dst, uint64(c.At)), 0)
	}
	w.split = func(key []byte) (bare []byte, at, start int64, ok bool) {
		n := len(key) - 12
		if n < 0 {
			return nil, 0, 0, false
		}
		at = int64(binary.BigEndian.Uint64(key[n:]))
		return key[:n], at, at, true
	}
	return w, w.openSpans(env, name, sc, retention, v)
}

// End is the end of a window.
func (w *Scattered[V]) End(start int64) int64 {
	if start > math.MaxInt64-w.size {
		return math.MaxInt64
	}
	return start + w.size
}

// Get returns the row of k in the window that starts at start.
func (w *Scattered[V]) Get(k Key, start int64) (v V, at int64, ok bool, err error) {
	row, err := w.row(&k)
	if err != nil {
		return v, 0, false, err
	}
	i, found := w.search(row.rows(), start, start)
	if !found || !w.visible(&row.rows()[i], w.observed) {
		return v, 0, false, nil
	}
	c := &row.rows()[i].V
	return c.v, c.at, true, nil
}

// Put makes v the value of k in that window. A value whose serde writes null deletes it. A window whose time segment
// has expired is refused and counted, without an error.
func (w *Scattered[V]) Put(k Key, start int64, v V, at int64) error {
	return w.change(&k, start, start, v, w.time(at), true)
}

// Delete makes k absent in that window.
func (w *Scattered[V]) Delete(k Key, start int64, at int64) error {
	return w.change(&k, start, start, *new(V), w.time(at), false)
}

// Append appends the windows of k whose start is in from..to to dst, ascending.
func (w *Scattered[V]) Append(dst []WindowEntry[V], k Key, from, to int64) ([]WindowEntry[V], error) {
	row, err := w.row(&k)
	if err != nil {
		return dst, err
	}
	all := row.rows()
	first := len(all)
	for first > 0 && all[first-1].At >= from {
		first--
	}
	for i := first; i < len(all) && all[i].At <= to; i++ {
		if c := &all[i]; w.there(c) {
			dst = append(dst, WindowEntry[V]{k.Bytes, c.At, c.V.v, c.V.at})
		}
	}
	return dst, nil
}

// Fetch returns the windows of k whose start is in from..to, ascending (or descending). k's bytes must live as long as
// the iteration. It sees the store as it was when it began. An error ends it and is yielded last.
func (w *Scattered[V]) Fetch(k Key, from, to int64, descending bool) iter.Seq2[WindowEntry[V], error] {
	return func(yield func(WindowEntry[V], error) bool) {
		found, err := w.Append(nil, k, from, to)
		if descending {
			slices.Reverse(found)
		}
		give(found, err, yield)
	}
}

// FetchRange returns the windows of keys first..last (nil: open), start in from..to, ordered by start, then key bytes.
// It sees the store as it was when it began. An error ends it and is yielded last.
func (w *Scattered[V]) FetchRange(first, last []byte, from, to int64) iter.Seq2[WindowEntry[V], error] {
	return func(yield func(WindowEntry[V], error) bool) {
		var found []WindowEntry[V]
		err := w.collect(first, last, false, func(key []byte, c *Cell[span[V]]) error {
			if c.At >= from && c.At <= to && w.visible(c, w.observed) {
				found = append(found, WindowEntry[V]{bytes.Clone(key), c.At, c.V.v, c.V.at})
			}
			return nil
		})
		slices.SortStableFunc(found, func(a, b WindowEntry[V]) int { return cmp.Compare(a.Start, b.Start) })
		give(found, err, yield)
	}
}

func give[V any](found []WindowEntry[V], err error, yield func(WindowEntry[V], error) bool) {
	for _, e := range found {
		if !yield(e, nil) {
			return
		}
	}
	if err != nil {
		yield(WindowEntry[V]{}, err)
	}
}

// Closing appends the windows of all keys that start in from..to to dst, by start, then key bytes. The store must have
// been told to File.
func (w *Scattered[V]) Closing(dst []WindowEntry[V], from, to int64) ([]WindowEntry[V], error) {
	at := len(dst)
	err := w.closing(from, to, func(key string, c *Cell[span[V]]) {
		dst = append(dst, WindowEntry[V]{[]byte(key), c.At, c.V.v, c.V.at})
	})
	slices.SortFunc(dst[at:], func(a, b WindowEntry[V]) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), bytes.Compare(a.Key, b.Key))
	})
	return dst, err
}

// Closing appends the windows of all keys that start in from..to to dst, by start, then key bytes.
func (w *Window[V]) Closing(dst []WindowEntry[V], from, to int64) ([]WindowEntry[V], error) {
	for e, err := range w.FetchRange(nil, nil, from, to) {
		if err != nil {
			return dst, err
		}
		e.Key = bytes.Clone(e.Key)
		dst = append(dst, e)
	}
	return dst, nil
}

// File does nothing: the windows of one start lie together.
func (w *Window[V]) File(*int64) {}

// Replay applies committed changelog records in order.
func (w *Scattered[V]) Replay(recs iter.Seq[Logged]) error { return w.replayAll(w, recs) }

// Committed answers queries from outside: "get" (Key, start FromTime), "fetch" (Key, start in FromTime..ToTime) and
// "fetchall", by key, then start. The rows are those of the last commit.
func (w *Scattered[V]) Committed(q Query) iter.Seq2[Row, error] {
	from, to, first, last := q.FromTime, q.ToTime, q.Key, q.Key
	switch q.Op {
	case "get":
		to = from
	case "fetch":
	case "fetchall":
		first, last = nil, nil
	default:
		return failing(fmt.Errorf("store: %q: a %s answers get, fetch and fetchall, not %q", w.name, w.schema.Kind, q.Op))
	}
	return w.committed(first, last, func(c *Cell[span[V]]) bool { return c.At >= from && c.At <= to },
		func(c *Cell[span[V]]) (start, end int64) { return c.At, w.End(c.At) })
}
