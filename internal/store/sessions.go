package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/thalweg/thalweg/serde"
)

// Sessions is a map from (key bytes, end, start) to values. It implements [Store].
//
// A session is visible as long as end ≥ observed − retention + 1, where observed is the highest end ever put.
type Sessions[V any] struct{ spans[V] }

// SessionEntry is one row of a read. Of Find, Key is the caller's; else it lives until the next step.
type SessionEntry[V any] struct {
	Key        []byte
	Start, End int64
	Value      V
}

// OpenSessions opens the store. retention is in ms.
func OpenSessions[V any](env Env, name string, sc Schema, retention int64, v serde.Serde[V]) (*Sessions[V], error) {
	s := &Sessions[V]{}
	s.suffix = func(dst []byte, c *Cell[span[V]]) []byte {
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, uint64(c.At)), uint64(c.V.start))
	}
	s.split = func(key []byte) (bare []byte, end, start int64, ok bool) {
		n := len(key) - 16
		if n < 0 {
			return nil, 0, 0, false
		}
		return key[:n], int64(binary.BigEndian.Uint64(key[n:])), int64(binary.BigEndian.Uint64(key[n+8:])), true
	}
	return s, s.openSpans(env, name, sc, retention, v)
}

// Get returns the value of a session.
func (s *Sessions[V]) Get(k Key, start, end int64) (v V, ok bool, err error) {
	row, err := s.row(&k)
	if err != nil {
		return v, false, err
	}
	i, found := s.search(row.rows(), end, start)
	if !found || !s.visible(&row.rows()[i], s.observed) {
		return v, false, nil
	}
	return row.rows()[i].V.v, true, nil
}

// Put makes v the value of a session. A value whose serde writes null removes it. One whose time segment has expired is
// refused and counted, without an error.
func (s *Sessions[V]) Put(k Key, start, end int64, v V, at int64) error {
	return s.change(&k, end, start, v, s.time(at), true)
}

// Delete removes a session.
func (s *Sessions[V]) Delete(k Key, start, end int64, at int64) error {
	return s.change(&k, end, start, *new(V), s.time(at), false)
}

// Append appends the sessions of k that end at earliest or later and start at latest or earlier to dst, by end, then
// start. Their key is k's.
func (s *Sessions[V]) Append(dst []SessionEntry[V], k Key, earliest, latest int64) ([]SessionEntry[V], error) {
	row, err := s.row(&k)
	if err != nil {
		return dst, err
	}
	all := row.rows()
	first := len(all)
	for first > 0 && all[first-1].At >= earliest {
		first--
	}
	for i := first; i < len(all); i++ {
		if c := &all[i]; c.V.start <= latest && s.there(c) {
			dst = append(dst, SessionEntry[V]{k.Bytes, c.V.start, c.At, c.V.v})
		}
	}
	return dst, nil
}

// Closing appends the sessions of all keys that end in from..to to dst, by end, start, key bytes. The store must have
// been told to File. Their keys live on.
func (s *Sessions[V]) Closing(dst []SessionEntry[V], from, to int64) ([]SessionEntry[V], error) {
	at := len(dst)
	err := s.closing(from, to, func(key string, c *Cell[span[V]]) {
		dst = append(dst, SessionEntry[V]{[]byte(key), c.V.start, c.At, c.V.v})
	})
	slices.SortFunc(dst[at:], func(a, b SessionEntry[V]) int {
		return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.Start, b.Start), bytes.Compare(a.Key, b.Key))
	})
	return dst, err
}

// Replay applies committed changelog records in order.
func (s *Sessions[V]) Replay(recs iter.Seq[Logged]) error { return s.replayAll(s, recs) }

// Committed answers queries from outside: "get" (Key, start FromTime), "fetch" (Key, start in
// FromTime..ToTime) and "fetchall", by key, then end. The rows are those of the last commit.
func (s *Sessions[V]) Committed(q Query) iter.Seq2[Row, error] {
	in := func(c *Cell[span[V]]) bool { return c.V.start >= q.FromTime && c.V.start <= q.ToTime }
	first, last := q.Key, q.Key
	switch q.Op {
	case "get":
		in = func(c *Cell[span[V]]) bool { return c.V.start == q.FromTime }
	case "fetch":
	case "fetchall":
		first, last = nil, nil
	default:
		return failing(fmt.Errorf("store: %q: a %s answers get, fetch and fetchall, not %q", s.name, s.schema.Kind, q.Op))
	}
	return s.committed(first, last, in, func(c *Cell[span[V]]) (start, end int64) { return c.V.start, c.At })
}

// committed returns the windows of keys first..last that in reports, as of the last commit.
func (s *spans[V]) committed(first, last []byte, in func(*Cell[span[V]]) bool, bounds func(*Cell[span[V]]) (start, end int64)) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		var value []byte
		err := s.collect(first, last, true, func(key []byte, c *Cell[span[V]]) error {
			if !in(c) || !s.visible(c, s.series.settled) {
				return nil
			}
			b, err := s.of.Append(bytesOf(&value), c.V.v)
			if err != nil {
				return err
			}
			value = b
			row := Row{Key: key, Value: b, Time: c.V.at}
			row.Start, row.End = bounds(c)
			if !yield(row, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(Row{}, err)
		}
	}
}
