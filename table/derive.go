package table

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
)

// Filter keeps the rows for which keep reports true. A row that no longer passes is deleted downstream. keep must not
// retain its arguments.
//
//	in    (a 1) (b 6) (b 3)
//	keep  v > 4
//	out         (b 6) (b deleted)
func (t Table[K, V]) Filter[_ edge.Called](keep func(K, V) bool) Table[K, V] {
	return filter(t, "Filter", keep, true)
}

// FilterNot drops the rows for which drop reports true.
func (t Table[K, V]) FilterNot[_ edge.Called](drop func(K, V) bool) Table[K, V] {
	return filter(t, "FilterNot", drop, false)
}

func filter[K, V any](t Table[K, V], what string, pred func(K, V) bool, want bool) Table[K, V] {
	if !given(t, what, pred == nil) {
		return Table[K, V]{}
	}
	old := t.view.Old(false)
	pass := func(k K, v serde.Opt[V]) serde.Opt[V] {
		if v.OK && pred(k, v.Value) == want {
			return v
		}
		return serde.Opt[V]{}
	}
	out := t.out.Apply[K, Change[V]](tableOp("KTABLE-FILTER", edge.Need{Key: true, Val: true}), func(_ edge.Place, next edge.Emit[K, Change[V]]) (edge.Emit[K, Change[V]], error) {
		sendOld, holdBack := old, t.view.OpenAsOf == nil
		return func(m *edge.Meta, k K, c Change[V]) error {
			c.New = pass(k, c.New)
			if sendOld {
				c.Old = pass(k, c.Old)
				if holdBack && !c.New.OK && !c.Old.OK {
					return nil
				}
			}
			return next(m, k, c)
		}, nil
	})
	view := derived(t.view, true, func(k K, v V) (V, bool) { return v, pred(k, v) == want })
	view.Old = func(force bool) bool { old = t.view.Old(force) || old; return old }
	view.Filtered = view.OpenAsOf == nil
	return Table[K, V]{out, view}
}

// MapValues maps each row. f is not called for deletions.
//
//	in    (a 1) (b 6) (b deleted)
//	f     v * 10
//	out   (a 10) (b 60) (b deleted)
func (t Table[K, V]) MapValues[V2 any](f func(V) V2) Table[K, V2] {
	if !given(t, "MapValues", f == nil) {
		return Table[K, V2]{}
	}
	return mapRows(t, edge.Need{Val: true}, func(_ K, v V) V2 { return f(v) })
}

// MapWithKey maps each row, its key in view.
func (t Table[K, V]) MapWithKey[V2 any](f func(K, V) V2) Table[K, V2] {
	if !given(t, "MapWithKey", f == nil) {
		return Table[K, V2]{}
	}
	return mapRows(t, edge.Need{Key: true, Val: true}, f)
}

func mapRows[K, V, V2 any](t Table[K, V], reads edge.Need, f func(K, V) V2) Table[K, V2] {
	return convert(t, reads, func(k K, v V) serde.Opt[V2] { return serde.Some(f(k, v)) })
}

// convert maps each row to one or to none.
func convert[K, V, V2 any](t Table[K, V], reads edge.Need, f func(K, V) serde.Opt[V2]) Table[K, V2] {
	old := false
	apply := func(k K, v serde.Opt[V]) serde.Opt[V2] {
		if !v.OK {
			return serde.Opt[V2]{}
		}
		return f(k, v.Value)
	}
	reads.Val = true
	out := t.out.Apply[K, Change[V2]](tableOp("KTABLE-MAPVALUES", reads), func(_ edge.Place, next edge.Emit[K, Change[V2]]) (edge.Emit[K, Change[V]], error) {
		sendOld := old
		return func(m *edge.Meta, k K, c Change[V]) error {
			n := Change[V2]{New: apply(k, c.New)}
			if sendOld {
				n.Old = apply(k, c.Old)
			}
			return next(m, k, n)
		}, nil
	})
	view := derived(t.view, reads.Key, func(k K, v V) (V2, bool) { v2 := f(k, v); return v2.Value, v2.OK })
	view.Old = func(force bool) bool { old = t.view.Old(force) || old; return old }
	return Table[K, V2]{out, view}
}

// tableOp describes a node that turns changes into changes of the same key.
func tableOp(kind string, reads edge.Need) edge.Op {
	return edge.Op{Kind: kind, Reads: reads, Keeps: edge.Need{Key: true}}
}

// derived is the view of rows computed from another's. readsKey says that f looks at the key.
func derived[K, V, V2 any](of *edge.View[K, V], readsKey bool, f func(K, V) (V2, bool)) *edge.View[K, V2] {
	open := func(open func(edge.Place) (edge.Lookup[K, V], error)) func(p edge.Place) (edge.Lookup[K, V2], error) {
		if open == nil {
			return nil
		}
		return func(p edge.Place) (edge.Lookup[K, V2], error) {
			get, err := open(p)
			if err != nil {
				return nil, err
			}
			return func(m *edge.Meta, k K) (v2 V2, at int64, ok bool, err error) {
				v, at, ok, err := get(m, k)
				if err != nil || !ok {
					return v2, 0, false, err
				}
				v2, ok = f(k, v)
				return v2, at, ok, nil
			}, nil
		}
	}
	return &edge.View[K, V2]{
		Store:    func() string { return "" },
		Stores:   of.Stores,
		Serdes:   func() (serde.Serde[K], serde.Serde[V2]) { k, _ := of.Serdes(); return k, nil },
		ReadsKey: readsKey || of.ReadsKey,
		Open:     open(of.Open), OpenAsOf: open(of.OpenAsOf), History: of.History,
		Rows: func(c any) any { return state.MapRows(rowsOf(of, c), f) },
	}
}

// given checks the receiver and the argument of an operator.
func given[K, V any](t Table[K, V], what string, missing bool) bool {
	if t.out.Builder() == nil || t.view == nil {
		return false // the mistake that made it is recorded
	}
	if missing {
		t.out.Builder().Fail(0, "%s without a function: give one", what)
		return false
	}
	return true
}

// Materialize gives the rows a store of their own, under that name, with a changelog.
func (t Table[K, V]) Materialize[_ edge.Called](name string, opts ...state.Options) Table[K, V] {
	b := t.out.Builder()
	if b == nil || t.view == nil || !b.Own("Materialize", name) {
		return Table[K, V]{}
	}
	rows := OwnRows[K, V](b, name, opts)
	op := tableOp("KTABLE-MATERIALIZE", edge.Need{Val: true})
	op.Label, op.Touch, op.Stores = name, true, []any{rows.Pending()}
	op.Resolve = func(n *edge.Node, in edge.Serdes) (edge.Serdes, error) {
		var have edge.Serdes
		k, v := t.view.Serdes()
		if have.Key = any(k); v != nil {
			have.Val = any(v)
		}
		if in.Key != nil {
			have.Key = in.Key
		}
		err := rows.Resolve(have)
		n.Reads.Key = edge.ReadsKey(in, rows.key)
		return edge.Serdes{Key: rows.key}, err
	}
	out := t.out.Apply[K, Change[V]](op, func(at edge.Place, next edge.Emit[K, Change[V]]) (edge.Emit[K, Change[V]], error) {
		put, err := rows.Writer(at, next, t.view.Filtered)
		if err != nil {
			return nil, err
		}
		return Expiring(rows, at, next, func(m *edge.Meta, k K, c Change[V]) error { return put(m, k, c.New) })
	})
	return Table[K, V]{rows.Coalesced(out), rows.View()}
}
