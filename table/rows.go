package table

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// Rows are the stored rows of one table: its store's name and options, and its serdes, which are known after Build.
// The type is for the operators of this package and of package stream.
type Rows[K, V any] struct {
	b    *topology.Builder
	name string
	opts []state.Options
	spec *state.Spec[state.Timestamped[K, V]] // nil: made of the serdes
	key  serde.Serde[K]
	val  serde.Serde[V]
	old  bool
}

// NewRows are the rows of a store that is declared already.
func NewRows[K, V any](b *topology.Builder, spec state.Spec[state.Timestamped[K, V]]) *Rows[K, V] {
	r := &Rows[K, V]{b: b, name: spec.Name(), spec: &spec, old: true}
	if b != nil {
		spec = state.At(spec, b.ChangelogOf(spec.Name())).(state.Spec[state.Timestamped[K, V]])
	}
	r.key, r.val = state.SerdesOf(spec)
	return r
}

// OwnRows are the rows of an operator's own store of that name. The operator's node has to call Resolve in its own.
func OwnRows[K, V any](b *topology.Builder, name string, opts []state.Options) *Rows[K, V] {
	if len(opts) > 1 {
		b.Fail(0, "%q is given %d Options, want one at most", name, len(opts))
	}
	return &Rows[K, V]{b: b, name: name, opts: opts}
}

// Resolve settles the serdes: those of the bytes there are, else those of the types.
func (r *Rows[K, V]) Resolve(in edge.Serdes) (err error) {
	if r.key, err = topology.StoreSerde[K](r.b, r.name, true, in.Key); err != nil {
		return err
	}
	r.val, err = topology.StoreSerde[V](r.b, r.name, false, in.Val)
	return err
}

// Use settles the serdes at once: of a topic's.
func (r *Rows[K, V]) Use(k serde.Serde[K], v serde.Serde[V]) { r.key, r.val = k, v }

// KeySerde returns the serde of the keys, after Build.
func (r *Rows[K, V]) KeySerde() serde.Serde[K] { return r.key }

// Value returns the serde of the values, after Build.
func (r *Rows[K, V]) ValueSerde() serde.Serde[V] { return r.val }

// Old reports whether somebody below asked for old values.
func (r *Rows[K, V]) Old() bool { return r.old }

// Pending declares the store to a node.
func (r *Rows[K, V]) Pending() edge.Pending {
	return edge.PendingOf(r.name, func() state.Spec[state.Timestamped[K, V]] {
		if r.spec == nil {
			s := state.NewTimestamped(r.name, r.key, r.val, r.opts...)
			r.spec = &s
		}
		return *r.spec
	})
}

// Open returns the table of the store in the task at p, and what makes its keys.
func (r *Rows[K, V]) Open(p edge.Place) (*store.KV[V], *edge.Keyer[K], error) {
	h, err := p.Store(r.name)
	if err != nil {
		return nil, nil, err
	}
	return state.RawKV[K, V](h.(state.Timestamped[K, V])), edge.NewKeyer(p, r.key), nil
}

// View is how others look the rows up.
func (r *Rows[K, V]) View() *edge.View[K, V] {
	return &edge.View[K, V]{
		Store:  func() string { return r.name },
		Stores: func() []any { return []any{r.Pending()} },
		Old:    func(bool) bool { r.old = true; return true },
		Serdes: func() (serde.Serde[K], serde.Serde[V]) { return r.key, r.val },
		Open: func(p edge.Place) (edge.Lookup[K, V], error) {
			kv, keys, err := r.Open(p)
			if err != nil {
				return nil, err
			}
			return func(m *edge.Meta, k K) (v V, at int64, ok bool, err error) {
				if m, err = keys.Key(m, k); err != nil {
					return v, 0, false, err
				}
				return kv.Get(KeyOf(m))
			}, nil
		},
	}
}

// KeyOf is the store's key of a record whose key has been hashed.
func KeyOf(m *edge.Meta) store.Key { return store.Key{Bytes: m.Key, Lo: m.Lo, Hi: m.Hi, Hash: m.Hash} }
