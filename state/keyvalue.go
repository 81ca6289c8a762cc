package state

import (
	"bytes"
	"iter"
	"sync"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
)

// KeyValue is a map, ordered by the bytes of its keys. An iterator sees the store as it was when it began, and
// needs no closing. A failing read ends it, and fails the task after the record.
type KeyValue[K, V any] interface {
	Get(k K) (v V, ok bool, err error)
	Put(k K, v V) error
	Delete(k K) error
	All() iter.Seq2[K, V]
	Range(from, to K) iter.Seq2[K, V]   // both inclusive
	Descend(from, to K) iter.Seq2[K, V] // both inclusive, from the greater end
	Prefix(p []byte) iter.Seq2[K, V]    // keys whose bytes begin with p
	Len() int64                         // approximate
}

// NewKeyValue declares a map. Its rows bear, in the changelog, the time of the record that wrote them.
func NewKeyValue[K, V any](name string, k serde.Serde[K], v serde.Serde[V], opts ...Options) Spec[KeyValue[K, V]] {
	p := plan(store.KindKV, name, typeName(k), typeName(v), opts)
	given(&p, k, v)
	return placed(k, v, func(k serde.Serde[K], v serde.Serde[V]) Spec[KeyValue[K, V]] {
		return Spec[KeyValue[K, V]]{p: p, make: func(env store.Env) (KeyValue[K, V], store.Store, error) {
			kv, err := openMap(env, p, v)
			if err != nil {
				return nil, nil, err
			}
			return &keyValue[K, V]{newHandle(name, env, k), kv}, kv, nil
		}, shared: func(env store.Env, st store.Store, mu *sync.Mutex) KeyValue[K, V] {
			return sharedKeyValue[K, V]{&keyValue[K, V]{newHandle(name, env, k), st.(*store.KV[V])}, mu}
		}}
	})
}

type keyValue[K, V any] struct {
	handle[K]
	kv *store.KV[V]
}

func (m *keyValue[K, V]) Get(k K) (v V, ok bool, err error) {
	key, err := m.of(k)
	if err != nil {
		return v, false, err
	}
	v, _, ok, err = m.kv.Get(&key)
	return v, ok, err
}

func (m *keyValue[K, V]) Put(k K, v V) error {
	key, err := m.of(k)
	if err != nil {
		return err
	}
	return m.kv.Put(&key, v, m.now())
}

func (m *keyValue[K, V]) Delete(k K) error {
	key, err := m.of(k)
	if err != nil {
		return err
	}
	return m.kv.Delete(&key, m.now())
}

func (m *keyValue[K, V]) All() iter.Seq2[K, V] { return m.each(m.kv.Range(nil, nil, false)) }

func (m *keyValue[K, V]) Range(from, to K) iter.Seq2[K, V] { return m.between(from, to, false) }

func (m *keyValue[K, V]) Descend(from, to K) iter.Seq2[K, V] { return m.between(from, to, true) }

func (m *keyValue[K, V]) Prefix(p []byte) iter.Seq2[K, V] {
	return m.each(m.kv.Prefix(bytes.Clone(p)))
}

func (m *keyValue[K, V]) Len() int64 { return m.kv.Rows() }

func (m *keyValue[K, V]) between(from, to K, down bool) iter.Seq2[K, V] {
	lo, ok := m.kept(from)
	hi, ok2 := m.kept(to)
	if !ok || !ok2 {
		return func(func(K, V) bool) {}
	}
	return m.each(m.kv.Range(lo.Bytes, hi.Bytes, down))
}

func (m *keyValue[K, V]) each(rows iter.Seq2[store.Entry[V], error]) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for e, err := range rows {
			if err != nil {
				m.fail(err)
				return
			}
			k, ok := m.decode(e.Key)
			if !ok || !yield(k, e.Value) {
				return
			}
		}
	}
}
