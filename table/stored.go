package table

import (
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
)

// Stored is the store of a table's rows in one task: the latest value of each, or its versions. The type is for the
// operators of this package and of package stream.
type Stored[V any] struct {
	kv       *store.KV[V]
	versions *store.Versioned[V] // nil: there are none
}

// Get returns the latest value of k.
func (s *Stored[V]) Get(k *hashed.Key) (v V, at int64, ok bool, err error) {
	if s.versions != nil {
		return s.versions.Get(*k)
	}
	return s.kv.Get(k)
}

// Look is Get, and says where the row stands.
func (s *Stored[V]) Look(k *hashed.Key) (p store.Place[V], v V, at int64, ok bool, err error) {
	if s.versions != nil {
		v, at, ok, err = s.versions.Get(*k)
		return p, v, at, ok, err
	}
	return s.kv.Look(k)
}

// AsOf returns the value of k that held at t.
func (s *Stored[V]) AsOf(k *hashed.Key, t int64) (v V, at int64, ok bool, err error) {
	if s.versions == nil {
		return s.kv.Get(k)
	}
	x, ok, err := s.versions.AsOf(*k, t)
	return x.V, x.From, ok, err
}

// Put makes v the value of k at that time; an absent one deletes it. kept is false if the store has refused it as too
// old, latest is false if a later version is there.
func (s *Stored[V]) Put(k *hashed.Key, v serde.Opt[V], at int64) (kept, latest bool, err error) {
	switch {
	case s.versions == nil && v.OK:
		return true, true, s.kv.Put(k, v.Value, at)
	case s.versions == nil:
		return true, true, s.kv.Delete(k, at)
	}
	var until int64
	if v.OK {
		until, kept, err = s.versions.Put(*k, v.Value, at)
	} else {
		until, kept, err = s.versions.Delete(*k, at)
	}
	return kept, until == forever, err
}

const forever = 1<<63 - 1
