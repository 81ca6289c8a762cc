package state

import (
	"maps"
	"strconv"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/window"
)

// NewJoinSide declares the values of one side of a stream-stream join. It is for the library's own use; its handle is
// the store itself.
func NewJoinSide[K, V any](name string, retention window.Instant, k serde.Serde[K], v serde.Serde[V], opts ...Options) Spec[*store.Join[V]] {
	p := plan(store.KindJoin, name, typeName(k), typeName(v), opts)
	given(&p, k, v)
	p.Retention = int64(retention)
	// Every value has a key of its own, so that compaction would find nothing to remove.
	p.Settings["cleanup.policy"] = "delete"
	p.Settings["retention.ms"] = strconv.FormatInt(plus(p.Retention, additional.Milliseconds()), 10)
	if len(opts) == 1 {
		maps.Copy(p.Settings, opts[0].Changelog)
	}
	return placed(k, v, func(_ serde.Serde[K], v serde.Serde[V]) Spec[*store.Join[V]] {
		return Spec[*store.Join[V]]{p: p, make: func(env store.Env) (*store.Join[V], store.Store, error) {
			x, err := store.OpenJoin(env, name, p.Schema, p.Retention, serde.Single(v))
			return x, x, err
		}}
	})
}
