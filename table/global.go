package table

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// Global is a table that every instance holds in full. It is read by key, from any partition, and its updates are no
// events: see stream's JoinGlobal.
type Global[K, V any] struct {
	out  topology.Output[K, Change[V]]
	rows *Rows[K, V]
}

// GlobalFrom reads a topic in full on every instance before any record is processed, and then as records come, without
// regard to the time of others. A null value deletes the row, a record without a key is dropped and counted. Rows live in
// memory; the topic, which must be compacted, is their changelog.
func GlobalFrom[K, V any](b *topology.Builder, t topology.Topic[K, V], opts ...state.Options) Global[K, V] {
	src, ok := topology.GlobalSource(b, topology.Nullable(t))
	if !ok || !b.Own("GlobalFrom", t.Name) {
		return Global[K, V]{}
	}
	for _, o := range opts {
		if o.Coalesce {
			b.Fail(0, "GlobalFrom %q with Coalesce: nothing follows a global table, leave it out", t.Name)
		}
		if o.TTL != 0 {
			b.Fail(0, "GlobalFrom %q with a TTL: its topic says what is there, leave it out", t.Name)
		}
		if o.Backend != nil {
			b.Fail(0, "GlobalFrom %q with a Backend: a global table lives in memory, leave it out", t.Name)
		}
		if o.History != 0 {
			b.Fail(0, "GlobalFrom %q with a History: a global table keeps the latest rows alone, leave it out", t.Name)
		}
	}
	g := Global[K, V]{rows: makeRows[K, V](b, t.Name, opts, true)}
	g.rows.Use(t.Key, t.Value)
	g.out = src.Apply[K, Change[V]](edge.Op{
		Kind: "KTABLE-SOURCE", Keeps: edge.Need{Key: true}, Stores: []any{g.rows.Pending()},
		Resolve: func(n *edge.Node, in edge.Serdes) (edge.Serdes, error) {
			n.Reads = edge.Need{Key: edge.ReadsKey(in, g.rows.key), Val: true}
			return edge.Serdes{Key: in.Key}, nil
		},
	}, func(at edge.Place, next edge.Emit[K, Change[V]]) (edge.Emit[K, serde.Opt[V]], error) {
		put, err := g.rows.Writer(at, next, false)
		if err != nil {
			return nil, err
		}
		noKey := at.Drop("null-key")
		return func(m *edge.Meta, k K, v serde.Opt[V]) error {
			if m.NoKey {
				*noKey++
				return nil
			}
			return put(m, k, v)
		}, nil
	})
	b.Global(t.Name, src.Node())
	return g
}

// Store returns the store of the rows, for processors, which may only read it.
func (g Global[K, V]) Store[_ edge.Called]() state.Spec[state.Timestamped[K, V]] {
	if g.rows == nil {
		return state.NewTimestamped[K, V]("", nil, nil)
	}
	return state.NewTimestamped(g.rows.name, g.rows.key, g.rows.val, g.rows.opts...)
}

// Rows returns the rows, nil if the table is a mistake. The type is internal.
func (g Global[K, V]) Rows() *Rows[K, V] { return g.rows }

// Query reads the rows from outside.
func (g Global[K, V]) Query[_ edge.Called](c state.Client) state.Rows[K, V] {
	return rowsOf(g.rows.View(), c)
}
