package stream

import (
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// JoinTable joins each record with the row of its key, as it is when the record comes; of a table that keeps history, as
// it was at the record's time. A record without a row is left out. Only the stream's records bring results. The name is
// that of the repartition topic, if s changed its key, and of the buffer, if there is a grace. Records without key or
// value are dropped and counted.
//
//	table  (a 1)             (a 2)       (a deleted)
//	in           (a x) (b y)       (a z)             (a w)
//	out          (a x1)            (a z2)
func (s Stream[K, V]) JoinTable[V2, R any](name string, t table.Table[K, V2], f func(V, V2) R, opts ...JoinTableOptions) Stream[K, R] {
	if !s.given("JoinTable", f == nil) {
		return Stream[K, R]{}
	}
	return joinTable(s, "JoinTable", "KSTREAM-JOIN", name, t, opts, false, func(v V, row serde.Opt[V2]) R { return f(v, row.Value) })
}

// LeftJoinTable passes on the records without a row too, those without a key among them.
//
//	table  (a 1)             (a deleted)
//	in           (a x) (b y)             (a z)
//	out          (a x1) (b y-)           (a z-)
func (s Stream[K, V]) LeftJoinTable[V2, R any](name string, t table.Table[K, V2], f func(V, serde.Opt[V2]) R, opts ...JoinTableOptions) Stream[K, R] {
	if !s.given("LeftJoinTable", f == nil) {
		return Stream[K, R]{}
	}
	return joinTable(s, "LeftJoinTable", "KSTREAM-LEFTJOIN", name, t, opts, true, f)
}

// JoinTableOptions of a stream-table join.
type JoinTableOptions struct {
	// Grace holds records so long, in event time, for rows that come late (KIP-923): they are joined in the order of
	// their times once one comes that is later by the grace. The table must keep history for as long.
	Grace time.Duration
}

// holding returns the buffer of a join with a grace, nil without one; ok is false for a mistake in it.
func holding[K, V, V2 any](b *topology.Builder, view *edge.View[K, V2], what, name string, opts []JoinTableOptions) (held *buffer[K, V], ok bool) {
	if len(opts) > 1 {
		b.Fail(0, "%s %q is given %d JoinTableOptions, want one at most", what, name, len(opts))
	}
	if len(opts) == 0 || opts[0].Grace == 0 {
		return nil, true
	}
	grace := opts[0].Grace
	switch {
	case grace < 0 || grace%time.Millisecond != 0:
		b.Fail(0, "%s %q: Grace %v, want whole milliseconds, 0 or more", what, name, grace)
	case view.OpenAsOf == nil:
		b.Fail(0, "%s %q has a Grace, but the table keeps no history: give it state.Options{History: …}", what, name)
	case grace.Milliseconds() > view.History:
		b.Fail(0, "%s %q: Grace %v is longer than the table's History of %d ms, want that at most", what, name, grace, view.History)
	}
	return &buffer[K, V]{name: name + "-Buffer", grace: grace.Milliseconds()}, b.Own(what, name+"-Buffer")
}

func joinTable[K, V, V2, R any](s Stream[K, V], what, kind, name string, t table.Table[K, V2], opts []JoinTableOptions, left bool, f func(V, serde.Opt[V2]) R) Stream[K, R] {
	b, view := s.out.Builder(), t.View()
	if view == nil || t.Output().Node() == nil {
		return Stream[K, R]{}
	}
	if t.Output().Builder() != b {
		b.Fail(0, "%s %q: stream and table belong to different builders: read both with one", what, name)
		return Stream[K, R]{}
	}
	held, ok := holding[K, V](b, view, what, name, opts)
	if !ok {
		return Stream[K, R]{}
	}
	in := s.byKey(name)
	op := edge.Op{
		Kind: kind, Touch: true, Keeps: edge.Need{Key: true}, Stores: view.Stores(), TakesNoKey: left,
		Resolve: func(n *edge.Node, in edge.Serdes) (edge.Serdes, error) {
			k, _ := view.Serdes()
			n.Reads = edge.Need{Key: held != nil || view.ReadsKey || edge.ReadsKey(in, k), Val: true}
			if held != nil {
				return edge.Serdes{Key: k}, held.resolve(b, k, in)
			}
			return edge.Serdes{Key: in.Key}, nil
		},
	}
	if held != nil {
		op.Stores = append(op.Stores, held.pending())
	}
	open := view.Open
	if view.OpenAsOf != nil {
		open = view.OpenAsOf
	}
	out := in.Apply[K, R](op, func(at edge.Place, next edge.Emit[K, R]) (edge.Emit[K, V], error) {
		get, err := open(at)
		if err != nil {
			return nil, err
		}
		join := func(m *edge.Meta, k K, v V) (err error) {
			var row serde.Opt[V2]
			if row.Value, _, row.OK, err = get(m, k); err != nil {
				return err
			}
			if !row.OK && !left {
				return nil
			}
			return next(m, k, f(v, row))
		}
		if held != nil {
			if join, err = held.open(at, join); err != nil {
				return nil, err
			}
		}
		noKey, noValue, null := at.Drop("null-key"), at.Drop("null-value"), nullOf[V](at)
		return func(m *edge.Meta, k K, v V) error {
			switch {
			case null != nil && null(m, v):
				*noValue++
				return nil
			case m.NoKey && left:
				return next(m, k, f(v, serde.Opt[V2]{}))
			case m.NoKey:
				*noKey++
				return nil
			}
			return join(m, k, v)
		}, nil
	})
	b.Together(what+" "+name, in.Node(), t.Output().Node())
	return Stream[K, R]{out: out}
}
