package stream

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/table"
)

// JoinTable joins each record with the row of its key, as it is when the record comes; a record without a row is left
// out. Only the stream's records bring results. The name is that of the repartition topic, if s changed its key. Records
// without a key are dropped and counted.
//
//	table  (a 1)             (a 2)       (a deleted)
//	in           (a x) (b y)       (a z)             (a w)
//	out          (a x1)            (a z2)
func (s Stream[K, V]) JoinTable[V2, R any](name string, t table.Table[K, V2], f func(V, V2) R) Stream[K, R] {
	if !s.given("JoinTable", f == nil) {
		return Stream[K, R]{}
	}
	return joinTable(s, "JoinTable", "KSTREAM-JOIN", name, t, func(v V, row serde.Opt[V2]) (R, bool) {
		if !row.OK {
			return *new(R), false
		}
		return f(v, row.Value), true
	})
}

// LeftJoinTable passes on the records without a row too.
func (s Stream[K, V]) LeftJoinTable[V2, R any](name string, t table.Table[K, V2], f func(V, serde.Opt[V2]) R) Stream[K, R] {
	if !s.given("LeftJoinTable", f == nil) {
		return Stream[K, R]{}
	}
	return joinTable(s, "LeftJoinTable", "KSTREAM-LEFTJOIN", name, t, func(v V, row serde.Opt[V2]) (R, bool) { return f(v, row), true })
}

func joinTable[K, V, V2, R any](s Stream[K, V], what, kind, name string, t table.Table[K, V2], f func(V, serde.Opt[V2]) (R, bool)) Stream[K, R] {
	b, view := s.out.Builder(), t.View()
	if view == nil || t.Output().Node() == nil {
		return Stream[K, R]{}
	}
	if t.Output().Builder() != b {
		b.Fail(0, "%s %q: stream and table belong to different builders", what, name)
		return Stream[K, R]{}
	}
	in := s.byKey(name)
	op := edge.Op{
		Kind: kind, Touch: true, Keeps: edge.Need{Key: true}, Stores: view.Stores(),
		Resolve: func(n *edge.Node, in edge.Serdes) (edge.Serdes, error) {
			k, _ := view.Serdes()
			n.Reads = edge.Need{Key: edge.ReadsKey(in, k), Val: true}
			return edge.Serdes{Key: in.Key}, nil
		},
	}
	out := in.Apply[K, R](op, func(at edge.Place, next edge.Emit[K, R]) (edge.Emit[K, V], error) {
		get, err := view.Open(at)
		if err != nil {
			return nil, err
		}
		noKey, noValue, null := at.Drop("null-key"), at.Drop("null-value"), nullOf[V](at)
		return func(m *edge.Meta, k K, v V) error {
			if m.NoKey {
				*noKey++
				return nil
			}
			if null != nil && null(m, v) {
				*noValue++
				return nil
			}
			var row serde.Opt[V2]
			var err error
			if row.Value, _, row.OK, err = get(m, k); err != nil {
				return err
			}
			if r, ok := f(v, row); ok {
				return next(m, k, r)
			}
			return nil
		}, nil
	})
	b.Together(what+" "+name, in.Node(), t.Output().Node())
	return Stream[K, R]{out: out}
}
