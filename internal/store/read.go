package store

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"github.com/thalweg/thalweg/serde"
)

// Entry is one row of an ordered read; Key lives until the next step.
type Entry[V any] struct {
	Key   []byte
	Value V
	At    int64
}

// Range returns the rows from..to (both inclusive; nil: open) in the order of key bytes, descending if asked. It sees
// the store as it was when it began. An error ends it and is yielded last.
func (t *KV[V]) Range(from, to []byte, descending bool) iter.Seq2[Entry[V], error] {
	return t.tab.entries(from, after(to), descending)
}

// Prefix returns the rows whose key begins with p, ascending. It sees the store as it was when it began. An error ends
// it and is yielded last.
func (t *KV[V]) Prefix(p []byte) iter.Seq2[Entry[V], error] {
	return t.tab.entries(p, successor(p), false)
}

// after returns the least key after k; nil: there is no bound.
func after(k []byte) []byte {
	if k == nil {
		return nil
	}
	return append(slices.Clone(k), 0)
}

// entries returns the rows from ≤ key < to, nil: open.
func (t *table[V]) entries(from, to []byte, down bool) iter.Seq2[Entry[V], error] {
	return func(yield func(Entry[V], error) bool) {
		w := t.open(t.reader(), from, to, down, false)
		defer w.close()
		for {
			key, raw, s, err := w.next()
			if err == nil && raw != nil {
				s.v, s.at, err = t.decode(key, raw)
			}
			if err != nil {
				yield(Entry[V]{}, err)
				return
			}
			if key == nil || !yield(Entry[V]{key, s.v, s.at}, nil) {
				return
			}
		}
	}
}

// committedRows returns the rows from ≤ key < to as of the last commit, in bytes.
func (t *table[V]) committedRows(from, to []byte) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		w := t.open(t.reader(), from, to, false, true)
		defer w.close()
		for {
			row, ok, err := w.nextRow()
			if err != nil {
				yield(Row{}, err)
				return
			}
			if !ok || !yield(row, nil) {
				return
			}
		}
	}
}

// reader is what is below, nil: nothing.
func (t *table[V]) reader() reader {
	if t.env.DB == nil {
		return nil
	}
	return t.env.DB.e
}

// nextRow returns the next row in bytes; ok is false at the end.
func (w *view[V]) nextRow() (row Row, ok bool, err error) {
	for {
		key, raw, s, err := w.next()
		if err != nil || key == nil {
			return row, false, err
		}
		if row, ok, err = rowIn(w.tab.serde, &w.value, key, raw, s.v, s.at); ok || err != nil {
			return row, ok, err
		}
	}
}

// rowIn returns a row in bytes: it is raw below, or, where that is nil, v at at. ok is false if its serde writes null.
func rowIn[V any](s serde.Serde[V], scratch *[]byte, key, raw []byte, v V, at int64) (row Row, ok bool, err error) {
	if raw != nil {
		at, value, err := splitRaw(key, raw)
		return Row{Key: key, Value: value, Time: at}, err == nil, err
	}
	value, err := s.Append(bytesOf(scratch), v)
	if err != nil {
		return row, false, fmt.Errorf("store: encode the value of key %q: %w", key, err)
	}
	if value != nil {
		*scratch = value
	}
	return Row{Key: key, Value: value, Time: at}, value != nil, nil
}

// bytesOf returns the scratch buffer, empty but never nil.
func bytesOf(b *[]byte) []byte {
	if *b == nil {
		*b = make([]byte, 0, 64)
	}
	return (*b)[:0]
}

// splitRaw takes a row apart as the database has it.
func splitRaw(key, raw []byte) (at int64, value []byte, err error) {
	if len(raw) < 8 {
		return 0, nil, fmt.Errorf("%w: row of key %q has %d bytes", ErrCorrupt, key, len(raw))
	}
	return int64(binary.BigEndian.Uint64(raw)), raw[8:], nil
}

// committedRow returns the committed row of one key; ok is false if there is none. The value is a copy.
func (t *table[V]) committedRow(key []byte) (row Row, ok bool, err error) {
	k := t.env.Hasher.Key(key)
	var s rowState[V]
	if e, i, found := t.find(&k); found {
		s = t.state(true, e.seg, i)
	}
	if s.hot {
		if !s.live {
			return row, false, nil
		}
		return rowIn(t.serde, new([]byte), key, nil, s.v, s.at)
	}
	if !t.mayBelow(k.Hash) {
		return row, false, nil
	}
	return t.env.DB.rowBelow(append(slices.Clone(t.prefix), key...), key)
}

// rowBelow returns the row that full finds; ok is false if there is none. The value is a copy.
func (db *DB) rowBelow(full, key []byte) (row Row, ok bool, err error) {
	raw, c, err := db.e.get(full)
	if err != nil || raw == nil {
		return row, false, err
	}
	defer c.Close()
	at, value, err := splitRaw(key, raw)
	return Row{Key: key, Value: append([]byte{}, value...), Time: at}, err == nil, err
}

// Committed answers queries from outside: "get", "range" and "all". The rows are those of the last commit.
func (t *KV[V]) Committed(q Query) iter.Seq2[Row, error] {
	switch q.Op {
	case "get":
		return func(yield func(Row, error) bool) {
			if row, ok, err := t.tab.committedRow(q.Key); ok || err != nil {
				yield(row, err)
			}
		}
	case "range":
		return t.tab.committedRows(q.Key, after(q.To))
	case "all":
		return t.tab.committedRows(nil, nil)
	}
	return failing(fmt.Errorf("store: %q: a %s answers get, range and all, not %q", t.name, t.schema.Kind, q.Op))
}

func failing(err error) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) { yield(Row{}, err) }
}
