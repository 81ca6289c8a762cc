package state

import (
	"fmt"
	"sync"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
)

// AnySpec is a Spec of any kind, for lists of them.
type AnySpec interface {
	Name() string
	plan() store.Plan
	open(store.Env) (any, store.Store, error)
	share(store.Env, store.Store, *sync.Mutex) any
}

// Spec declares a store of kind S under a durable name. It is the handle by which a processor gets the typed store.
// Specs are values; declare each once and use it wherever the store is meant.
type Spec[S any] struct {
	p        store.Plan
	key, val any // the serdes
	make     func(store.Env) (S, store.Store, error)
	shared   func(store.Env, store.Store, *sync.Mutex) S // nil: it cannot be
}

// Name returns the durable name.
func (s Spec[S]) Name() string { return s.p.Name }

func (s Spec[S]) plan() store.Plan { return s.p }

func (s Spec[S]) share(env store.Env, st store.Store, mu *sync.Mutex) any {
	return s.shared(env, st, mu)
}

func (s Spec[S]) open(env store.Env) (any, store.Store, error) {
	if s.p.Err != nil {
		return nil, nil, s.p.Err
	}
	if s.make == nil {
		return nil, nil, fmt.Errorf("state: a Spec of %T that was not declared", *new(S))
	}
	if s.p.InMemory {
		env.DB = nil
	}
	h, st, err := s.make(env)
	if err != nil {
		return nil, nil, fmt.Errorf("state: %w", err)
	}
	return h, st, nil
}

// PlanOf returns what a topology must know of a store. It is for the library's own use.
func PlanOf(s AnySpec) store.Plan { return s.plan() }

// Open opens a store in a task: the handle that processors see, and the store that the task drives. The handle has a
// method Failed() error, which returns an error that an iteration has met since the last call. It is for the library's
// own use.
func Open(s AnySpec, env store.Env) (handle any, st store.Store, err error) { return s.open(env) }

// SerdesOf returns the serdes of a store of tables. It is for the library's own use.
func SerdesOf[K, V any](s Spec[Timestamped[K, V]]) (k serde.Serde[K], v serde.Serde[V]) {
	k, _ = s.key.(serde.Serde[K])
	v, _ = s.val.(serde.Serde[V])
	return k, v
}

// RawKV returns the store behind a handle that Open has returned, nil behind any other. It is for the library's own
// use.
func RawKV[K, V any](h Timestamped[K, V]) *store.KV[V] {
	if t, ok := h.(*timestamped[K, V]); ok {
		return t.kv
	}
	return nil
}

// RawKeyValue is RawKV for plain stores.
func RawKeyValue[K, V any](h KeyValue[K, V]) *store.KV[V] {
	if t, ok := h.(*keyValue[K, V]); ok {
		return t.kv
	}
	return nil
}

// RawVersioned is RawKV for stores of versions.
func RawVersioned[K, V any](h Versioned[K, V]) *store.Versioned[V] {
	if x, ok := h.(*versioned[K, V]); ok {
		return x.x
	}
	return nil
}

// RawWindow is RawKV for stores of windows.
func RawWindow[K, V any](h Window[K, V]) store.Windows[V] {
	if w, ok := h.(*windows[K, V]); ok {
		return w.w
	}
	return nil
}
