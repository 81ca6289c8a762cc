package state

import (
	"context"
	"iter"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/window"
)

// WindowRows reads a windowed table, as [Rows] reads a table.
type WindowRows[K, V any] struct {
	client Client
	key    serde.Serde[K]
	value  func(k window.Key[K], data []byte) (v V, ok bool, err error)
	q      Question
}

// WindowRowsOf reads the store of that name. It is for the library's own use; see [QueryWindow].
func WindowRowsOf[K, V any](c Client, name string, k serde.Serde[K], v serde.Serde[V]) WindowRows[K, V] {
	return WindowRows[K, V]{client: c, key: k, q: questionOf(name, k, v), value: func(_ window.Key[K], data []byte) (V, bool, error) {
		x, err := v.Decode(data)
		return x, err == nil, err
	}}
}

// MapWindowRows reads the rows of r as f makes them: a row that f refuses is not there. It is for the library's own use.
func MapWindowRows[K, V, V2 any](r WindowRows[K, V], f func(window.Key[K], V) (V2, bool)) WindowRows[K, V2] {
	return WindowRows[K, V2]{client: r.client, key: r.key, q: r.q, value: func(k window.Key[K], data []byte) (v2 V2, ok bool, err error) {
		v, ok, err := r.value(k, data)
		if ok && err == nil {
			v2, ok = f(k, v)
		}
		return v2, ok, err
	}}
}

// QueryWindow reads a processor's Window store from outside.
func QueryWindow[K, V any](s Spec[Window[K, V]], c Client) WindowRows[K, V] {
	k, _ := s.key.(serde.Serde[K])
	v, _ := s.val.(serde.Serde[V])
	return WindowRowsOf(askable(s.p, c), s.Name(), k, v)
}

// Get returns the value of k in the window that starts at start.
func (r WindowRows[K, V]) Get(ctx context.Context, k K, start window.Instant) (v V, ok bool, err error) {
	for e, err := range r.fetch(ctx, "get", k, start, start) {
		return e.Value, err == nil, err
	}
	return v, false, nil
}

// Fetch returns the windows of k that start in from..to, ascending. An error ends it and is yielded last.
func (r WindowRows[K, V]) Fetch(ctx context.Context, k K, from, to window.Instant) iter.Seq2[Entry[window.Key[K], V], error] {
	return r.fetch(ctx, "fetch", k, from, to)
}

// FetchAll returns the windows of every key that start in from..to, partition by partition, ordered by start and key
// bytes within each. An error ends it and is yielded last.
func (r WindowRows[K, V]) FetchAll(ctx context.Context, from, to window.Instant) iter.Seq2[Entry[window.Key[K], V], error] {
	q := r.q
	q.Op, q.From, q.To = "fetchall", from, to
	return r.ask(ctx, q)
}

// Local is as for Rows.
func (r WindowRows[K, V]) Local() WindowRows[K, V] { r.q.Local = true; return r }

// Stale is as for Rows.
func (r WindowRows[K, V]) Stale() WindowRows[K, V] { r.q.Stale = true; return r }

// After is as for Rows.
func (r WindowRows[K, V]) After(t Token) WindowRows[K, V] { r.q.After = t; return r }

func (r WindowRows[K, V]) fetch(ctx context.Context, op string, k K, from, to window.Instant) iter.Seq2[Entry[window.Key[K], V], error] {
	q := r.q
	q.Op, q.From, q.To = op, from, to
	var err error
	if q.Key, err = encode(r.client, r.key, k); err != nil {
		return func(yield func(Entry[window.Key[K], V], error) bool) { yield(Entry[window.Key[K], V]{}, err) }
	}
	return r.ask(ctx, q)
}

// ask returns the typed rows that answer q.
func (r WindowRows[K, V]) ask(ctx context.Context, q Question) iter.Seq2[Entry[window.Key[K], V], error] {
	return func(yield func(Entry[window.Key[K], V], error) bool) {
		if err := unready(r.client, r.key != nil); err != nil {
			yield(Entry[window.Key[K], V]{}, err)
			return
		}
		for a, err := range r.client.Ask(ctx, q) {
			e := Entry[window.Key[K], V]{Time: a.Time, Key: window.Key[K]{Start: a.Start, End: a.End}}
			if err == nil {
				e.Key.Key, err = r.key.Decode(a.Key)
			}
			ok := true
			if err == nil {
				e.Value, ok, err = r.value(e.Key, a.Value)
			}
			if err == nil && !ok {
				continue
			}
			if err != nil {
				yield(Entry[window.Key[K], V]{}, err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}
