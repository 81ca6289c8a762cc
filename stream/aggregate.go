package stream

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// folder takes a record into an aggregate: absent is a row that is not there.
type folder[K, V, A any] = func(k K, v V, a serde.Opt[A]) serde.Opt[A]

// opener makes the folder of one task.
type opener[K, V, A any] = func(at edge.Place, s serde.Serde[A]) folder[K, V, A]

// folding opens f.
func folding[K, V, A any](f folder[K, V, A]) opener[K, V, A] {
	return func(at edge.Place, s serde.Serde[A]) folder[K, V, A] { return edge.Guard(at, s, f) }
}

// aggregate adds the node that folds the records of each key into a row of its own store.
func aggregate[K, V, A any](s Stream[K, V], what, name, kind string, reads edge.Need, opts []state.Options, open opener[K, V, A]) table.Table[K, A] {
	b := s.out.Builder()
	if b == nil || s.out.Node() == nil || !b.Own(what, name) {
		return table.Table[K, A]{}
	}
	rows := table.OwnRows[K, A](b, name, opts)
	return table.Make(rows.Coalesced(aggregateNode(s.byKey(name), rows, name, kind, reads, open)), rows.View())
}

// aggregateNode adds the node that folds the records of each key into a row.
func aggregateNode[K, V, A any](in topology.Output[K, V], rows *table.Rows[K, A], label, kind string, reads edge.Need, open opener[K, V, A]) topology.Output[K, table.Change[A]] {
	op := edge.Op{
		Kind: kind, Label: label, Touch: true, Keeps: edge.Need{Key: true}, Stores: []any{rows.Pending()},
		Resolve: func(n *edge.Node, in edge.Serdes) (edge.Serdes, error) {
			err := rows.Resolve(edge.Serdes{Key: in.Key})
			n.Reads = edge.Need{Key: reads.Key || edge.ReadsKey(in, rows.KeySerde()), Val: reads.Val || readsNull[V](in)}
			return edge.Serdes{Key: rows.KeySerde()}, err
		},
	}
	return in.Apply[K, table.Change[A]](op, func(at edge.Place, next edge.Emit[K, table.Change[A]]) (edge.Emit[K, V], error) {
		kv, keys, err := rows.Open(at)
		if err != nil {
			return nil, err
		}
		fold, null, sendOld := open(at, rows.ValueSerde()), nullOf[V](at), rows.Old()
		noKey, noValue := at.Drop("null-key"), at.Drop("null-value")
		return table.Expiring(rows, at, next, func(m *edge.Meta, k K, v V) error {
			if m.NoKey {
				*noKey++
				return nil
			}
			if null != nil && null(m, v) {
				*noValue++
				return nil
			}
			key, err := keys.Key(m, k)
			if err != nil {
				return err
			}
			var old serde.Opt[A]
			var was int64
			var place store.Place[A]
			if place, old.Value, was, old.OK, err = kv.Look(key); err != nil {
				return err
			}
			t := m.Time
			if old.OK && was > t {
				t = was
			}
			c := table.Change[A]{New: fold(k, v, old)}
			if sendOld {
				c.Old = old
			}
			at := m.Time
			m.Time = t
			err = table.Put(kv, place, key, m, k, c, next)
			m.Time = at
			return err
		})
	})
}

// nullOf returns what tells a null value, nil if there can be none. Where the edge has bytes they tell; else an absent
// Opt does.
func nullOf[V any](at edge.Place) func(m *edge.Meta, v V) bool {
	if at.Node.In.Val != nil {
		if s, ok := at.Node.In.Val.(serde.Serde[V]); ok && !serde.TakesNull(s) {
			return nil // the source has refused them
		}
		return func(m *edge.Meta, _ V) bool { return m.Val == nil }
	}
	absent := serde.Absent[V]()
	if absent == nil {
		return nil
	}
	return func(_ *edge.Meta, v V) bool { return absent(v) }
}

// readsNull reports whether telling nulls takes the typed value.
func readsNull[V any](in edge.Serdes) bool { return in.Val == nil && serde.Absent[V]() != nil }
