package state

import (
	"iter"
	"sync"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/window"
)

// Timestamped is a KeyValue that keeps the time of each row: the kind behind tables. Its iterators are those of
// KeyValue. A deletion bears the time of the record that caused it.
type Timestamped[K, V any] interface {
	Get(k K) (v V, at window.Instant, ok bool, err error)
	Put(k K, v V, at window.Instant) error
	Delete(k K) error
	All() iter.Seq[Entry[K, V]]
	Range(from, to K) iter.Seq[Entry[K, V]] // both inclusive
}

// Entry is one row of a store or of an answer.
type Entry[K, V any] struct {
	Key   K
	Value V
	Time  window.Instant
}

// NewTimestamped declares a map that keeps times.
func NewTimestamped[K, V any](name string, k serde.Serde[K], v serde.Serde[V], opts ...Options) Spec[Timestamped[K, V]] {
	p := plan(store.KindTimestampedKV, name, typeName(k), typeName(v), opts)
	given(&p, k, v)
	return placed(k, v, func(k serde.Serde[K], v serde.Serde[V]) Spec[Timestamped[K, V]] {
		return Spec[Timestamped[K, V]]{p: p, make: func(env store.Env) (Timestamped[K, V], store.Store, error) {
			kv, err := openMap(env, p, v)
			if err != nil {
				return nil, nil, err
			}
			return &timestamped[K, V]{newHandle(name, env, k), kv}, kv, nil
		}, shared: func(env store.Env, st store.Store, mu *sync.Mutex) Timestamped[K, V] {
			return sharedTimestamped[K, V]{&timestamped[K, V]{newHandle(name, env, k), st.(*store.KV[V])}, mu}
		}}
	})
}

type timestamped[K, V any] struct {
	handle[K]
	kv *store.KV[V]
}

func (m *timestamped[K, V]) Get(k K) (v V, at window.Instant, ok bool, err error) {
	key, err := m.of(k)
	if err != nil {
		return v, 0, false, err
	}
	v, t, ok, err := m.kv.Get(&key)
	return v, window.Instant(t), ok, err
}

func (m *timestamped[K, V]) Put(k K, v V, at window.Instant) error {
	key, err := m.of(k)
	if err != nil {
		return err
	}
	return m.kv.Put(&key, v, int64(at))
}

func (m *timestamped[K, V]) Delete(k K) error {
	key, err := m.of(k)
	if err != nil {
		return err
	}
	return m.kv.Delete(&key, m.now())
}

func (m *timestamped[K, V]) All() iter.Seq[Entry[K, V]] { return m.each(m.kv.Range(nil, nil, false)) }

func (m *timestamped[K, V]) Range(from, to K) iter.Seq[Entry[K, V]] {
	lo, ok := m.kept(from)
	hi, ok2 := m.kept(to)
	if !ok || !ok2 {
		return func(func(Entry[K, V]) bool) {}
	}
	return m.each(m.kv.Range(lo.Bytes, hi.Bytes, false))
}

func (m *timestamped[K, V]) each(rows iter.Seq2[store.Entry[V], error]) iter.Seq[Entry[K, V]] {
	return func(yield func(Entry[K, V]) bool) {
		for e, err := range rows {
			if err != nil {
				m.fail(err)
				return
			}
			k, ok := m.decode(e.Key)
			if !ok || !yield(Entry[K, V]{k, e.Value, window.Instant(e.At)}) {
				return
			}
		}
	}
}
