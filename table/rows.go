package table

import (
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
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
	spec *state.Spec[state.Timestamped[K, V]] // nil: made of the serdes, or of versions
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
	return makeRows[K, V](b, name, opts, false)
}

// makeRows is OwnRows, for tables read from a topic too.
func makeRows[K, V any](b *topology.Builder, name string, opts []state.Options, fromTopic bool) *Rows[K, V] {
	if len(opts) > 1 {
		b.Fail(0, "%q is given %d Options, want one at most", name, len(opts))
	}
	for _, o := range opts {
		if o.History < 0 || o.History%time.Millisecond != 0 {
			b.Fail(0, "%q: History %v, want whole milliseconds, 0 or more", name, o.History)
		}
		if o.Bootstrap && !fromTopic {
			b.Fail(0, "%q: Bootstrap is for tables from a topic, which are read to their end before others: leave it out", name)
		}
		if o.Coalesce && o.History != 0 {
			b.Fail(0, "%q: Coalesce with a History: versions are passed on one by one, leave one of the two out", name)
		}
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

// Name returns the store's name.
func (r *Rows[K, V]) Name() string { return r.name }

// Builder returns the builder the rows belong to.
func (r *Rows[K, V]) Builder() *topology.Builder { return r.b }

// KeySerde returns the serde of the keys, after Build.
func (r *Rows[K, V]) KeySerde() serde.Serde[K] { return r.key }

// Value returns the serde of the values, after Build.
func (r *Rows[K, V]) ValueSerde() serde.Serde[V] { return r.val }

// Old reports whether somebody below asked for old values.
func (r *Rows[K, V]) Old() bool { return r.old }

// history is how far back the store keeps versions; 0: it keeps the latest value alone.
func (r *Rows[K, V]) history() time.Duration {
	if len(r.opts) == 0 {
		return 0
	}
	return r.opts[0].History
}

// ttl is how long rows stay that are not written; 0: for ever.
func (r *Rows[K, V]) ttl() time.Duration {
	if len(r.opts) == 0 {
		return 0
	}
	return r.opts[0].TTL
}

// Pending declares the store to a node.
func (r *Rows[K, V]) Pending() edge.Pending {
	if h := r.history(); h > 0 {
		return edge.PendingOf(r.name, func() state.Spec[state.Versioned[K, V]] {
			return state.NewVersioned(r.name, h, r.key, r.val, r.opts...)
		})
	}
	return edge.PendingOf(r.name, func() state.Spec[state.Timestamped[K, V]] {
		if r.spec == nil {
			s := state.NewTimestamped(r.name, r.key, r.val, r.opts...)
			r.spec = &s
		}
		return *r.spec
	})
}

// Open returns the store of the rows in the task at p, and what makes its keys.
func (r *Rows[K, V]) Open(p edge.Place) (*Stored[V], *edge.Keyer[K], error) {
	h, err := p.Store(r.name)
	if err != nil {
		return nil, nil, err
	}
	s := &Stored[V]{}
	switch h := h.(type) {
	case state.Timestamped[K, V]:
		s.kv = state.RawKV[K, V](h)
	case state.Versioned[K, V]:
		s.versions = state.RawVersioned[K, V](h)
	}
	return s, edge.NewKeyer(p, r.key), nil
}

// Writer returns what writes a row of the store at p, or deletes it where v is absent, and passes the change on to next.
// at is the row's time. filter: a deletion of what is not there is dropped, if old values are asked for.
func (r *Rows[K, V]) Writer(p edge.Place, next edge.Emit[K, Change[V]], filter bool) (func(m *edge.Meta, k K, v serde.Opt[V]) error, error) {
	rows, keys, err := r.Open(p)
	if err != nil {
		return nil, err
	}
	sendOld := r.Old()
	filter = filter && sendOld
	return func(m *edge.Meta, k K, v serde.Opt[V]) error {
		c := Change[V]{New: v}
		key, err := keys.Key(m, k)
		if err != nil {
			return err
		}
		var place store.Place[V]
		if sendOld {
			if place, c.Old.Value, _, c.Old.OK, err = rows.Look(key); err != nil {
				return err
			}
			if filter && !v.OK && !c.Old.OK {
				return nil
			}
		}
		return Put(rows, place, key, m, k, c, next)
	}, nil
}

// Put writes the new row of c, which Look has found at p, at the record's time, and passes the change on.
func Put[K, V any](rows *Stored[V], p store.Place[V], key *hashed.Key, m *edge.Meta, k K, c Change[V], next edge.Emit[K, Change[V]]) error {
	if rows.versions == nil && c.New.OK && !m.Stale { // the record path's, with no more calls than it needs
		if err := rows.kv.PutAt(p, key, c.New.Value, m.Time); err != nil {
			return err
		}
		return next(m, k, c)
	}
	kept, latest, err := rows.Put(key, c.New, m.Time)
	if err != nil || !kept {
		return err
	}
	was := m.Stale
	m.Stale = !latest
	err = next(m, k, c)
	m.Stale = was
	return err
}

// View is how others look the rows up.
func (r *Rows[K, V]) View() *edge.View[K, V] {
	v := &edge.View[K, V]{
		Store:  func() string { return r.name },
		Stores: func() []any { return []any{r.Pending()} },
		Old:    func(bool) bool { r.old = true; return true },
		Serdes: func() (serde.Serde[K], serde.Serde[V]) { return r.key, r.val },
		Open:   r.lookup(false),
	}
	if h := r.history(); h > 0 {
		v.OpenAsOf, v.History = r.lookup(true), h.Milliseconds()
	}
	return v
}

// lookup opens the lookup of rows: the latest, or as they were at the record's time.
func (r *Rows[K, V]) lookup(asOf bool) func(p edge.Place) (edge.Lookup[K, V], error) {
	return func(p edge.Place) (edge.Lookup[K, V], error) {
		rows, keys, err := r.Open(p)
		if err != nil {
			return nil, err
		}
		return func(m *edge.Meta, k K) (v V, at int64, ok bool, err error) {
			key, err := keys.Key(m, k)
			if err != nil {
				return v, 0, false, err
			}
			if asOf {
				return rows.AsOf(key, m.Time)
			}
			return rows.Get(key)
		}, nil
	}
}
