package state

import (
	"errors"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
)

// openMap opens the store of a map, with the TTL of its plan.
func openMap[V any](env store.Env, p store.Plan, v serde.Serde[V]) (*store.KV[V], error) {
	kv, err := store.OpenKV(env, p.Name, p.Schema, serde.Single(v))
	if err != nil || p.TTL == 0 {
		return kv, err
	}
	if err := kv.Expires(p.TTL); err != nil {
		return nil, errors.Join(err, kv.Close())
	}
	return kv, nil
}

// Expirer returns what a record's time is told to before it is processed, so that rows of a handle whose TTL is over go; nil
// if they stay. clock makes what keeps the highest time seen. It is for the library's own use.
func Expirer(h any, clock func() *int64) (observe func(at int64) error) {
	if e, ok := h.(expirer); ok {
		return e.expirer(clock)
	}
	return nil
}

type expirer interface {
	expirer(clock func() *int64) func(at int64) error
}

func (m *keyValue[K, V]) expirer(clock func() *int64) func(int64) error { return expiring(m.kv, clock) }
func (m *timestamped[K, V]) expirer(clock func() *int64) func(int64) error {
	return expiring(m.kv, clock)
}

func expiring[V any](kv *store.KV[V], clock func() *int64) func(int64) error {
	if kv.TTL() == 0 {
		return nil
	}
	kv.Clock(clock)
	return func(at int64) error { return kv.Observe(at, nil) }
}
