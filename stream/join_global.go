package stream

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/table"
)

// JoinGlobal joins each record with the row that ref names; ref reports false for a record that names none. Nothing
// repartitions: every instance has all rows, as they are when the record is processed, without regard to times. A record
// that names a row which is not there is left out; one that names none, or has no value, is dropped and counted.
//
//	table  (c1 x)
//	in             (a →c1)    (b →c2)  (c →)
//	out            (a →c1x)
func (s Stream[K, V]) JoinGlobal[K2, V2, R any](g table.Global[K2, V2], ref func(K, V) (K2, bool), f func(V, V2) R) Stream[K, R] {
	if !s.given("JoinGlobal", ref == nil || f == nil) {
		return Stream[K, R]{}
	}
	return joinGlobal(s, "JoinGlobal", g, ref, false, func(v V, row serde.Opt[V2]) R { return f(v, row.Value) })
}

// LeftJoinGlobal passes on the records without a row too, those that name none among them.
//
//	table  (c1 x)
//	in             (a →c1)    (b →c2)   (c →)
//	out            (a →c1x)   (b →c2-)  (c →-)
func (s Stream[K, V]) LeftJoinGlobal[K2, V2, R any](g table.Global[K2, V2], ref func(K, V) (K2, bool), f func(V, serde.Opt[V2]) R) Stream[K, R] {
	if !s.given("LeftJoinGlobal", ref == nil || f == nil) {
		return Stream[K, R]{}
	}
	return joinGlobal(s, "LeftJoinGlobal", g, ref, true, f)
}

func joinGlobal[K, V, K2, V2, R any](s Stream[K, V], what string, g table.Global[K2, V2], ref func(K, V) (K2, bool), left bool, f func(V, serde.Opt[V2]) R) Stream[K, R] {
	rows := g.Rows()
	if rows == nil {
		return Stream[K, R]{} // the mistake that made it is recorded
	}
	if rows.Builder() != s.out.Builder() {
		s.out.Builder().Fail(0, "%s: stream and table belong to different builders: read both with one", what)
		return Stream[K, R]{}
	}
	op := edge.Op{Kind: "KSTREAM-LEFTJOIN", Keeps: edge.Need{Key: true}, Reads: edge.Need{Key: true, Val: true}, Stores: []any{rows.Pending()}}
	out := s.out.Apply[K, R](op, func(at edge.Place, next edge.Emit[K, R]) (edge.Emit[K, V], error) {
		h, err := at.Store(rows.Name())
		if err != nil {
			return nil, err
		}
		table := h.(state.Timestamped[K2, V2])
		noRef, noValue, null := at.Drop("null-reference"), at.Drop("null-value"), nullOf[V](at)
		return func(m *edge.Meta, k K, v V) error {
			if null != nil && null(m, v) {
				*noValue++
				return nil
			}
			var row serde.Opt[V2]
			k2, ok := ref(k, v)
			if ok {
				if row.Value, _, row.OK, err = table.Get(k2); err != nil {
					return err
				}
			} else if !left {
				*noRef++
				return nil
			}
			if !row.OK && !left {
				return nil
			}
			return next(m, k, f(v, row))
		}, nil
	})
	return Stream[K, R]{out, s.rekeyed}
}
