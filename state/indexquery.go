package state

import (
	"context"
	"fmt"
	"iter"

	"github.com/thalweg/thalweg/serde"
)

// IndexRows reads a table by something else than its key, as [Rows] reads it by key.
type IndexRows[I, K, V any] struct {
	client Client
	index  serde.Serde[I]
	key    serde.Serde[K]
	val    serde.Serde[V]
	q      Question
}

// IndexRowsOf reads the index of that name. It is for the library's own use.
func IndexRowsOf[I, K, V any](c Client, name string, i serde.Serde[I], k serde.Serde[K], v serde.Serde[V]) IndexRows[I, K, V] {
	return IndexRows[I, K, V]{c, i, k, v, questionOf(name, serde.Bytes, v)}
}

// Get returns the rows indexed under i, from all partitions, by key bytes within each. An error ends it and is yielded
// last.
func (r IndexRows[I, K, V]) Get(ctx context.Context, i I) iter.Seq2[Entry[K, V], error] {
	return r.Range(ctx, i, i)
}

// Range returns the rows indexed from..to, both inclusive by index bytes, by index and key bytes within a partition. An
// error ends it and is yielded last.
func (r IndexRows[I, K, V]) Range(ctx context.Context, from, to I) iter.Seq2[Entry[K, V], error] {
	return func(yield func(Entry[K, V], error) bool) {
		q := r.q
		q.Op = "range"
		lower, err := encode(r.client, r.index, from)
		if err == nil {
			q.Upper, err = encode(r.client, r.index, to)
		}
		if err != nil {
			yield(Entry[K, V]{}, err)
			return
		}
		q.Key = AppendIndex(nil, lower)
		q.Upper = AppendIndex(nil, q.Upper)
		q.Upper[len(q.Upper)-1]++
		for a, err := range r.client.Ask(ctx, q) {
			e := Entry[K, V]{Time: a.Time}
			if err == nil {
				e.Key, err = r.keyOf(a.Key)
			}
			if err == nil {
				e.Value, err = r.val.Decode(a.Value)
			}
			if err != nil {
				yield(Entry[K, V]{}, err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Local asks this instance alone.
func (r IndexRows[I, K, V]) Local() IndexRows[I, K, V] { r.q.Local = true; return r }

// Stale is as for Rows.
func (r IndexRows[I, K, V]) Stale() IndexRows[I, K, V] { r.q.Stale = true; return r }

// After is as for Rows.
func (r IndexRows[I, K, V]) After(t Token) IndexRows[I, K, V] { r.q.After = t; return r }

// An index's store has the keys index 0 1 key, where a 0 of the index is written 0 255: so they order by index, then
// key, whatever the lengths.
const (
	indexEnd    = 1
	indexEscape = 255
)

// AppendIndex appends what the keys of an index entry begin with. It is for the library's own use.
func AppendIndex(dst, index []byte) []byte {
	for _, b := range index {
		if dst = append(dst, b); b == 0 {
			dst = append(dst, indexEscape)
		}
	}
	return append(dst, 0, indexEnd)
}

// keyOf returns the row's key behind the index.
func (r IndexRows[I, K, V]) keyOf(entry []byte) (k K, err error) {
	for i := 0; i+1 < len(entry); i++ {
		if entry[i] != 0 {
			continue
		}
		if entry[i+1] == indexEnd {
			return r.key.Decode(entry[i+2 : len(entry) : len(entry)])
		}
		i++
	}
	return k, fmt.Errorf("state: index %q: entry %q has no key", r.q.Store, entry)
}
