package topology

import (
	"iter"
	"slices"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/window"
)

// Record is one fact on its way.
type Record[K, V any] struct {
	Key     K
	Value   V
	Time    window.Instant
	Headers Headers
	NoKey   bool // the record has no key; Key is the zero K
}

// With returns r with another value: key, time and headers pass on.
func (r Record[K, V]) With[V2 any](v V2) Record[K, V2] {
	return Record[K, V2]{r.Key, v, r.Time, r.Headers, r.NoKey}
}

// Rekey returns r with another key and value.
func (r Record[K, V]) Rekey[K2, V2 any](k K2, v V2) Record[K2, V2] {
	return Record[K2, V2]{k, v, r.Time, r.Headers, false}
}

// At returns r at another time.
func (r Record[K, V]) At(t window.Instant) Record[K, V] { r.Time = t; return r }

// Headers are the headers of a record. They are immutable; the zero Headers are none.
type Headers struct{ h *edge.Headers }

// Get returns the last header named key, nil if there is none. The caller must not change it.
func (h Headers) Get(key string) []byte {
	for _, kv := range slices.Backward(h.list()) {
		if kv.Key == key {
			return kv.Value
		}
	}
	return nil
}

// Set returns h with key in place of any other of that name.
func (h Headers) Set(key string, value []byte) Headers { return h.Delete(key).Add(key, value) }

// Add returns h with one more header. It keeps value.
func (h Headers) Add(key string, value []byte) Headers {
	old := h.list()
	kv := make([]batch.KV, len(old), len(old)+1)
	copy(kv, old)
	return Headers{&edge.Headers{KV: append(kv, batch.KV{Key: key, Value: value})}}
}

// Delete returns h without key.
func (h Headers) Delete(key string) Headers {
	named := func(kv batch.KV) bool { return kv.Key == key }
	if !slices.ContainsFunc(h.list(), named) {
		return h
	}
	kv := slices.DeleteFunc(slices.Clone(h.list()), named)
	if len(kv) == 0 {
		return Headers{}
	}
	return Headers{&edge.Headers{KV: kv}}
}

// All returns the headers in their order.
func (h Headers) All() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, kv := range h.list() {
			if !yield(kv.Key, kv.Value) {
				return
			}
		}
	}
}

func (h Headers) list() []batch.KV {
	if h.h == nil {
		return nil
	}
	return h.h.KV
}

// HeadersOf is the way from the records inside to [Headers]: its types are internal.
func HeadersOf(m *edge.Meta) (Headers, error) {
	h, err := m.List()
	return Headers{h}, err
}

// SetMeta makes time, headers and NoKey of m those of the record: the way back inside. Its types are internal.
func (r Record[K, V]) SetMeta(m *edge.Meta) {
	m.Time, m.Headers, m.RawHeaders, m.NoKey = int64(r.Time), r.Headers.h, nil, r.NoKey
}

// RecordOf makes the record that public callbacks see. Its types are internal.
func RecordOf[K, V any](m *edge.Meta, k K, v V) (Record[K, V], error) {
	r := Record[K, V]{Key: k, Value: v, Time: window.Instant(m.Time), NoKey: m.NoKey}
	if m.Headers == nil && len(m.RawHeaders) == 0 {
		return r, nil
	}
	h, err := m.List()
	r.Headers = Headers{h}
	return r, err
}
