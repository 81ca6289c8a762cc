package state

import (
	"errors"
	"fmt"
	"sync"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
)

// AnySpec is a Spec of any kind, for lists of them.
type AnySpec interface {
	Name() string
	plan() store.Plan
	serdes() (k, v any)
	at(changelog string) AnySpec
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
	place    func(changelog string) Spec[S]              // nil: not declared
}

// placed declares a spec by its serdes; of makes it from them, here and in the place of its changelog.
func placed[K, V, S any](k serde.Serde[K], v serde.Serde[V], of func(serde.Serde[K], serde.Serde[V]) Spec[S]) Spec[S] {
	s := of(k, v)
	s.key, s.val = k, v
	s.place = func(changelog string) Spec[S] {
		at := serde.Place{Topic: changelog, Key: true, Changelog: true}
		k := serde.At(k, at)
		at.Key = false
		return placed(k, serde.At(v, at), of)
	}
	return s
}

// Name returns the durable name.
func (s Spec[S]) Name() string { return s.p.Name }

func (s Spec[S]) plan() store.Plan { return s.p }

func (s Spec[S]) serdes() (k, v any) { return s.key, s.val }

func (s Spec[S]) at(changelog string) AnySpec {
	if s.place == nil {
		return s
	}
	return s.place(changelog)
}

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
	sole := false
	switch open := below(s.p, env); {
	case s.p.InMemory:
		env.DB = nil
	case open != nil:
		db, err := open(s.p.Name, env)
		if err != nil {
			return nil, nil, fmt.Errorf("state: %w", err)
		}
		env.DB, sole = db, true
	}
	h, st, err := s.make(env)
	if err != nil {
		if sole {
			err = errors.Join(err, env.DB.Close())
		}
		return nil, nil, fmt.Errorf("state: %w", err)
	}
	return h, st, nil
}

// PlanOf returns what a topology must know of a store. It is for the library's own use.
func PlanOf(s AnySpec) store.Plan { return s.plan() }

// At returns the spec with its serdes in the place of a changelog. It is for the library's own use.
func At(s AnySpec, changelog string) AnySpec { return s.at(changelog) }

// Serdes returns the serdes of a spec, untyped. It is for the library's own use.
func Serdes(s AnySpec) (k, v any) { return s.serdes() }

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
