package table

import (
	"errors"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
)

// Join joins the rows that share a key. Either side updates the result, whose time is the later of the two rows'. A row
// that loses its partner is deleted. Nothing is stored: see Materialize. Of a table that keeps history, an update older
// than its latest row is dropped and counted.
//
//	left   (a 1)              (a 2)              (a deleted)
//	right         (a x)               (a y)
//	out           (a 1x)      (a 2x)  (a 2y)     (a deleted)
func (t Table[K, V]) Join[V2, R any](o Table[K, V2], f func(V, V2) R) Table[K, R] {
	if f == nil {
		return joinTables[K, V, V2, R](t, o, "Join", false, false, nil)
	}
	return joinTables(t, o, "Join", false, false, func(v serde.Opt[V], v2 serde.Opt[V2]) R { return f(v.Value, v2.Value) })
}

// LeftJoin keeps the rows of t without a partner too.
//
//	left   (a 1)               (a 2)             (a deleted)
//	right         (a x)                (a deleted)
//	out    (a 1-) (a 1x)       (a 2x)  (a 2-)    (a deleted)
func (t Table[K, V]) LeftJoin[V2, R any](o Table[K, V2], f func(V, serde.Opt[V2]) R) Table[K, R] {
	if f == nil {
		return joinTables[K, V, V2, R](t, o, "LeftJoin", true, false, nil)
	}
	return joinTables(t, o, "LeftJoin", true, false, func(v serde.Opt[V], v2 serde.Opt[V2]) R { return f(v.Value, v2) })
}

// OuterJoin keeps the rows of both sides without a partner too.
//
//	left   (a 1)               (a deleted)
//	right         (a x)                     (a deleted)
//	out    (a 1-) (a 1x)       (a -x)       (a deleted)
func (t Table[K, V]) OuterJoin[V2, R any](o Table[K, V2], f func(serde.Opt[V], serde.Opt[V2]) R) Table[K, R] {
	return joinTables(t, o, "OuterJoin", true, true, f)
}

// joinTables adds the two nodes of a join, one for each side's updates. left and right say which side's rows stay
// without a partner.
func joinTables[K, V, V2, R any](t Table[K, V], o Table[K, V2], what string, left, right bool, f func(serde.Opt[V], serde.Opt[V2]) R) Table[K, R] {
	if !given(t, what, f == nil) || o.view == nil || o.out.Node() == nil {
		return Table[K, R]{}
	}
	b := t.out.Builder()
	if o.out.Builder() != b {
		b.Fail(0, "%s of tables of different builders: read both with one", what)
		return Table[K, R]{}
	}
	if left {
		t.view.Old(true)
	}
	if right {
		o.view.Old(true)
	}
	old := false
	turned := func(v2 serde.Opt[V2], v serde.Opt[V]) R { return f(v, v2) }
	this := joinSide(t, o.view, "KTABLE-JOINTHIS", joiner[V, V2, R]{f, left, right, &old})
	other := joinSide(o, t.view, "KTABLE-JOINOTHER", joiner[V2, V, R]{turned, right, left, &old})
	b.Together(what, t.out.Node(), o.out.Node())
	view := joinedView(t.view, o.view, left, right, f)
	view.Old = func(bool) bool { t.view.Old(true); o.view.Old(true); old = true; return true }
	return Table[K, R]{this.out.Merge(other.out), view}
}

// joiner is one side of a join: how its updates meet the other's rows.
type joiner[V, O, R any] struct {
	f      func(serde.Opt[V], serde.Opt[O]) R
	stays  bool // a row of this side without a partner is a result
	others bool // so is one of the other side
	old    *bool
}

// result is the row of a value of this side, which may be absent, and the other side's row; ok is false for none.
func (j joiner[V, O, R]) result(v serde.Opt[V], o serde.Opt[O]) serde.Opt[R] {
	if !v.OK && (!o.OK || !j.others) || !o.OK && !j.stays {
		return serde.Opt[R]{}
	}
	return serde.Some(j.f(v, o))
}

// joinSide adds the node that takes the updates of t.
func joinSide[K, V, O, R any](t Table[K, V], other *edge.View[K, O], kind string, j joiner[V, O, R]) Table[K, R] {
	op := tableOp(kind, edge.Need{Val: true})
	op.Touch, op.Stores = true, other.Stores()
	op.Resolve = func(n *edge.Node, in edge.Serdes) (edge.Serdes, error) {
		k, _ := other.Serdes()
		n.Reads.Key = other.ReadsKey || edge.ReadsKey(in, k)
		return edge.Serdes{Key: in.Key}, nil
	}
	out := t.out.Apply[K, Change[R]](op, func(at edge.Place, next edge.Emit[K, Change[R]]) (edge.Emit[K, Change[V]], error) {
		get, err := other.Open(at)
		if err != nil {
			return nil, err
		}
		stale, sendOld := at.Drop("stale"), *j.old
		return func(m *edge.Meta, k K, c Change[V]) (err error) {
			if m.Stale {
				*stale++
				return nil
			}
			var o serde.Opt[O]
			t := m.Time
			var then int64
			if o.Value, then, o.OK, err = get(m, k); err != nil {
				return err
			}
			if !o.OK && (!j.stays || !c.New.OK && !c.Old.OK) {
				return nil
			}
			if o.OK && then > t {
				m.Time = then
			}
			out := Change[R]{New: j.result(c.New, o)}
			if sendOld {
				out.Old = j.result(c.Old, o)
			}
			err = next(m, k, out)
			m.Time = t
			return err
		}, nil
	})
	return Table[K, R]{out: out}
}

// joinedView computes the rows of a join from those of its sides.
func joinedView[K, V, V2, R any](l *edge.View[K, V], r *edge.View[K, V2], left, right bool, f func(serde.Opt[V], serde.Opt[V2]) R) *edge.View[K, R] {
	return &edge.View[K, R]{
		Store:    func() string { return "" },
		Stores:   func() []any { return append(l.Stores(), r.Stores()...) },
		Serdes:   func() (serde.Serde[K], serde.Serde[R]) { k, _ := l.Serdes(); return k, nil },
		ReadsKey: l.ReadsKey || r.ReadsKey,
		Open: func(p edge.Place) (edge.Lookup[K, R], error) {
			getL, err := l.Open(p)
			getR, err2 := r.Open(p)
			if err = errors.Join(err, err2); err != nil {
				return nil, err
			}
			return func(m *edge.Meta, k K) (out R, at int64, ok bool, err error) {
				var v serde.Opt[V]
				var v2 serde.Opt[V2]
				var t1, t2 int64
				if v.Value, t1, v.OK, err = getL(m, k); err != nil || !v.OK && !right {
					return out, 0, false, err
				}
				if v2.Value, t2, v2.OK, err = getR(m, k); err != nil || !v2.OK && (!left || !v.OK) {
					return out, 0, false, err
				}
				switch {
				case !v.OK:
					at = t2
				case !v2.OK:
					at = t1
				default:
					at = max(t1, t2)
				}
				return f(v, v2), at, true, nil
			}, nil
		},
		Rows: func(c any) any { return state.JoinRows(rowsOf(l, c), rowsOf(r, c), left, right, f) },
	}
}
