package stream

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/table"
)

// ToTable keeps the latest value of each key, in the order in which the records come, whatever their times. Records
// without a key are dropped and counted. See Upsert for streams that delete.
//
//	in    (a 1)  (b 5)  (a 7)
//	rows  a=1    a=1    a=7
//	             b=5    b=5
func (s Stream[K, V]) ToTable[_ edge.Called](name string, opts ...state.Options) table.Table[K, V] {
	return toTable(s, "ToTable", name, opts, func(v V) serde.Opt[V] { return serde.Some(v) })
}

// Upsert keeps the latest value of each key; an absent value deletes. A function, by the law that a method never wraps
// its own type parameters.
//
//	in    (a 1)  (b 5)  (a absent)
//	rows  a=1    a=1    b=5
//	             b=5
func Upsert[K, V any](s Stream[K, serde.Opt[V]], name string, opts ...state.Options) table.Table[K, V] {
	return toTable(s, "Upsert", name, opts, func(v serde.Opt[V]) serde.Opt[V] { return v })
}

func toTable[K, V, V2 any](s Stream[K, V], what, name string, opts []state.Options, row func(V) serde.Opt[V2]) table.Table[K, V2] {
	if !s.given(what, false) || !s.out.Builder().Own(what, name) {
		return table.Table[K, V2]{}
	}
	rows := table.OwnRows[K, V2](s.out.Builder(), name, opts)
	op := edge.Op{
		Kind: "KSTREAM-TOTABLE", Label: name, Keeps: edge.Need{Key: true}, Touch: true, Stores: []any{rows.Pending()},
		Resolve: func(n *edge.Node, in edge.Serdes) (edge.Serdes, error) {
			err := rows.Resolve(edge.Serdes{Key: in.Key})
			n.Reads = edge.Need{Key: edge.ReadsKey(in, rows.KeySerde()), Val: true}
			return edge.Serdes{Key: rows.KeySerde()}, err
		},
	}
	out := s.byKey(name).Apply[K, table.Change[V2]](op, func(at edge.Place, next edge.Emit[K, table.Change[V2]]) (edge.Emit[K, V], error) {
		put, err := rows.Writer(at, next, false)
		if err != nil {
			return nil, err
		}
		noKey := at.Drop("null-key")
		return table.Expiring(rows, at, next, func(m *edge.Meta, k K, v V) error {
			if m.NoKey {
				*noKey++
				return nil
			}
			return put(m, k, row(v))
		})
	})
	return table.Make(rows.Coalesced(out), rows.View())
}
