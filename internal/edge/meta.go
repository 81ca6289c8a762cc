// Package edge is what passes between the nodes of a topology inside: the untyped graph, the typed functions that its
// edges become in a task, and the doors that a task opens to its nodes.
//
// A node keeps Open, which makes its receive function for one task: an [Emit] of its own types behind an any. The
// generic method that adds a node closes over those types, and asserts its children's functions once for each edge and
// task. From then on a record goes from function to function by plain typed calls.
package edge

import (
	"slices"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/hashed"
)

// Meta is what a record has beside key and value. A task has one and reuses it. A node that changes a field saves what
// it overwrites, calls on, and restores it before it returns: siblings after it see the old.
//
// The byte slices point into a buffer of the source and live until the call returns: who keeps bytes copies them.
type Meta struct {
	Key        hashed.Key // encoded key, nil bytes for null, where the edge has them: see Node.In; the rest of it while Hashed
	Val        []byte     // encoded value, nil for null, where the edge has bytes
	Time       int64      // event time, ms
	Headers    *Headers   // immutable
	RawHeaders []byte     // in place of Headers: as the batch has them, nil for none
	Topic      string     // where the record was read, "" in a punctuation
	Offset     int64
	Partition  int32
	Hashed     bool
	NoKey      bool // the record has no key; the typed key is zero
	Stale      bool // the change at hand is not of its row's latest version
}

// Emit passes one record on.
type Emit[K, V any] = func(m *Meta, k K, v V) error

// Saved is what Rekeyed has overwritten of a Meta.
type Saved struct {
	key   []byte
	noKey bool
}

// Rekeyed marks the record as having a new key, of no bytes yet. Restore takes it back.
func (m *Meta) Rekeyed(noKey bool) Saved {
	s := Saved{m.Key.Bytes, m.NoKey}
	m.SetKey(nil)
	m.NoKey = noKey
	return s
}

// Restore undoes Rekeyed. The hash is made anew by whoever needs it.
func (m *Meta) Restore(s Saved) {
	m.SetKey(s.key)
	m.NoKey = s.noKey
}

// SetKey makes b the key's bytes, not hashed yet.
func (m *Meta) SetKey(b []byte) { m.Key.Bytes, m.Hashed = b, false }

// Headers are the headers of a record. They are immutable.
type Headers struct{ KV []batch.KV }

// List returns the record's headers, nil if it has none.
func (m *Meta) List() (*Headers, error) {
	if m.Headers != nil || len(m.RawHeaders) == 0 {
		return m.Headers, nil
	}
	kv, err := batch.Headers(m.RawHeaders)
	if err != nil || len(kv) == 0 {
		return nil, err
	}
	for i := range kv {
		kv[i].Value = slices.Clone(kv[i].Value) // nil stays nil
	}
	return &Headers{kv}, nil
}

// AppendRaw appends the raw form of the record's headers to dst; nothing if there are none.
func (m *Meta) AppendRaw(dst []byte) []byte {
	if m.Headers == nil {
		return append(dst, m.RawHeaders...)
	}
	if len(m.Headers.KV) == 0 {
		return dst
	}
	return batch.AppendHeaders(dst, m.Headers.KV)
}
