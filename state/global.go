package state

import (
	"errors"
	"iter"
	"sync"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/window"
)

// errGlobal is the error of a write to a global store.
var errGlobal = errors.New("state: a global store is filled from its topic alone")

// Shared reports whether stores of s can be read by many tasks at once: maps can. It is for the library's own use.
func Shared(s AnySpec) bool {
	k := s.plan().Schema.Kind
	return k == store.KindKV || k == store.KindTimestampedKV
}

// Share returns a handle of a task's own on a global store, which mu guards: for reading. It is for the library's own use.
func Share(s AnySpec, env store.Env, st store.Store, mu *sync.Mutex) any { return s.share(env, st, mu) }

// sharedKeyValue is a KeyValue that many tasks read.
type sharedKeyValue[K, V any] struct {
	*keyValue[K, V]
	mu *sync.Mutex
}

func (m sharedKeyValue[K, V]) Get(k K) (v V, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keyValue.Get(k)
}

func (sharedKeyValue[K, V]) Put(K, V) error { return errGlobal }
func (sharedKeyValue[K, V]) Delete(K) error { return errGlobal }

func (m sharedKeyValue[K, V]) All() iter.Seq2[K, V] { return gathered(m.mu, m.keyValue.All) }

func (m sharedKeyValue[K, V]) Range(from, to K) iter.Seq2[K, V] {
	return gathered(m.mu, func() iter.Seq2[K, V] { return m.keyValue.Range(from, to) })
}

func (m sharedKeyValue[K, V]) Descend(from, to K) iter.Seq2[K, V] {
	return gathered(m.mu, func() iter.Seq2[K, V] { return m.keyValue.Descend(from, to) })
}

func (m sharedKeyValue[K, V]) Prefix(p []byte) iter.Seq2[K, V] {
	return gathered(m.mu, func() iter.Seq2[K, V] { return m.keyValue.Prefix(p) })
}

func (m sharedKeyValue[K, V]) Len() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keyValue.Len()
}

// gathered reads all rows under the lock, and gives them without it: a reader may do what it likes in between.
func gathered[K, V any](mu *sync.Mutex, rows func() iter.Seq2[K, V]) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		var ks []K
		var vs []V
		mu.Lock()
		for k, v := range rows() {
			ks, vs = append(ks, k), append(vs, v)
		}
		mu.Unlock()
		for i := range ks {
			if !yield(ks[i], vs[i]) {
				return
			}
		}
	}
}

// sharedTimestamped is a Timestamped that many tasks read.
type sharedTimestamped[K, V any] struct {
	*timestamped[K, V]
	mu *sync.Mutex
}

func (m sharedTimestamped[K, V]) Get(k K) (v V, at window.Instant, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.timestamped.Get(k)
}

func (sharedTimestamped[K, V]) Put(K, V, window.Instant) error { return errGlobal }
func (sharedTimestamped[K, V]) Delete(K) error                 { return errGlobal }

func (m sharedTimestamped[K, V]) All() iter.Seq[Entry[K, V]] {
	return m.gather(m.timestamped.All)
}

func (m sharedTimestamped[K, V]) Range(from, to K) iter.Seq[Entry[K, V]] {
	return m.gather(func() iter.Seq[Entry[K, V]] { return m.timestamped.Range(from, to) })
}

func (m sharedTimestamped[K, V]) gather(rows func() iter.Seq[Entry[K, V]]) iter.Seq[Entry[K, V]] {
	return func(yield func(Entry[K, V]) bool) {
		var all []Entry[K, V]
		m.mu.Lock()
		for e := range rows() {
			all = append(all, e)
		}
		m.mu.Unlock()
		for _, e := range all {
			if !yield(e) {
				return
			}
		}
	}
}
