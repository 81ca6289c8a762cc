package table

import (
	"bytes"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// Grouped is a table's rows under another key, to be aggregated.
type Grouped[K, V any] struct {
	out topology.Output[K, Change[V]]
	key *serde.Serde[K] // known after Build
}

// GroupBy regroups the rows under another key, through a repartition topic that bears the aggregate's name. An update
// takes the old row out of its group and puts the new one in. A row whose new key or value is an absent Opt is in no
// group. Of a table that keeps history, what is older than the latest row is not looked at.
//
//	in     (a red)  (b red)  (a blue)
//	f      (v, k)
//	group  red+a    red+b    red-a blue+a
func (t Table[K, V]) GroupBy[K2, V2 any](f func(K, V) (K2, V2)) Grouped[K2, V2] {
	if !given(t, "GroupBy", f == nil) {
		return Grouped[K2, V2]{}
	}
	t.view.Old(true)
	return groupBy(t.out, f)
}

// groupBy adds the node that turns changes of rows into changes of groups.
func groupBy[K, V, K2, V2 any](out topology.Output[K, Change[V]], f func(K, V) (K2, V2)) Grouped[K2, V2] {
	g := Grouped[K2, V2]{key: new(serde.Serde[K2])}
	op := edge.Op{Kind: "KTABLE-SELECT", Reads: edge.Need{Key: true, Val: true},
		Resolve: func(*edge.Node, edge.Serdes) (_ edge.Serdes, err error) {
			*g.key, err = topology.SerdeFor[K2](out.Builder(), nil)
			return edge.Serdes{Key: *g.key}, err
		},
	}
	g.out = out.Apply[K2, Change[V2]](op, func(at edge.Place, next edge.Emit[K2, Change[V2]]) (edge.Emit[K, Change[V]], error) {
		s := &selector[K, V, K2, V2]{f: f, next: next, key: *g.key, noKey: serde.Absent[K2](), noVal: serde.Absent[V2]()}
		return s.receive, nil
	})
	return g
}

// selector is GroupBy in one task.
type selector[K, V, K2, V2 any] struct {
	f        func(K, V) (K2, V2)
	next     edge.Emit[K2, Change[V2]]
	key      serde.Serde[K2]
	noKey    func(K2) bool // nil: a key is never absent
	noVal    func(V2) bool
	old, new []byte // encoded keys
}

// member is a row within its group; ok is false if it is in none.
type member[K, V any] struct {
	k  K
	v  V
	ok bool
}

func (s *selector[K, V, K2, V2]) member(k K, v serde.Opt[V], buf *[]byte) (r member[K2, V2], err error) {
	if !v.OK {
		return r, nil
	}
	r.k, r.v = s.f(k, v.Value)
	if s.noKey != nil && s.noKey(r.k) || s.noVal != nil && s.noVal(r.v) {
		return r, nil
	}
	b, err := s.key.Append(append((*buf)[:0], 0), r.k)
	if err != nil || b == nil {
		return r, err // a key that is written as null is in no group either
	}
	*buf, r.ok = b, true
	return r, nil
}

func (s *selector[K, V, K2, V2]) receive(m *edge.Meta, k K, c Change[V]) error {
	if m.Stale {
		return nil
	}
	old, err := s.member(k, c.Old, &s.old)
	if err != nil {
		return err
	}
	row, err := s.member(k, c.New, &s.new)
	if err != nil {
		return err
	}
	was := m.Rekeyed(false)
	defer m.Restore(was)
	if old.ok && row.ok && bytes.Equal(s.old, s.new) {
		m.SetKey(s.new[1:])
		return s.next(m, row.k, Change[V2]{Old: serde.Some(old.v), New: serde.Some(row.v)})
	}
	if old.ok {
		m.SetKey(s.old[1:])
		if err := s.next(m, old.k, Change[V2]{Old: serde.Some(old.v)}); err != nil {
			return err
		}
	}
	if row.ok {
		m.SetKey(s.new[1:])
		return s.next(m, row.k, Change[V2]{New: serde.Some(row.v)})
	}
	return nil
}

// Then calls f with g, so that a chain can go on with a function.
func (g Grouped[K, V]) Then[R any](f func(Grouped[K, V]) R) R { return f(g) }

// folder takes a row into a group's aggregate or out of it: absent is an aggregate that is not there.
type folder[K, V, A any] = func(k K, v V, a serde.Opt[A]) serde.Opt[A]

// aggregate adds the node that folds the rows of each group into a row of its own store.
func aggregate[K, V, A any](g Grouped[K, V], what, kind, name string, add, remove folder[K, V, A], opts []state.Options) Table[K, A] {
	b := g.out.Builder()
	if b == nil || g.out.Node() == nil {
		return Table[K, A]{} // the mistake that made it is recorded
	}
	if add == nil || remove == nil {
		b.Fail(0, "%s %q without a function: give one", what, name)
		return Table[K, A]{}
	}
	if !b.Own(what, name) {
		return Table[K, A]{}
	}
	in := g.out.Through(topology.Hop[K, Change[V]]{Topic: name + "-repartition", Label: name + "-repartition",
		Serdes: func(edge.Serdes) (serde.Serde[K], serde.Serde[Change[V]], error) {
			v, err := topology.SerdeFor[V](b, nil)
			return *g.key, changeSerde[V]{v}, err
		}})
	rows := OwnRows[K, A](b, name, opts)
	op := edge.Op{Kind: kind, Label: name, Touch: true, Keeps: edge.Need{Key: true}, Stores: []any{rows.Pending()},
		Resolve: func(n *edge.Node, in edge.Serdes) (edge.Serdes, error) {
			err := rows.Resolve(edge.Serdes{Key: in.Key})
			n.Reads = edge.Need{Key: true, Val: true}
			return edge.Serdes{Key: rows.key}, err
		},
	}
	out := in.Apply[K, Change[A]](op, func(at edge.Place, next edge.Emit[K, Change[A]]) (edge.Emit[K, Change[V]], error) {
		stored, keys, err := rows.Open(at)
		if err != nil {
			return nil, err
		}
		a := &aggregator[K, V, A]{rows: stored, keys: keys, next: next, sendOld: rows.Old(),
			add: edge.Guard(at, rows.val, add), remove: edge.Guard(at, rows.val, remove)}
		return Expiring(rows, at, next, a.receive)
	})
	return Table[K, A]{rows.Coalesced(out), rows.View()}
}

// aggregator is an aggregate of groups in one task.
type aggregator[K, V, A any] struct {
	rows        *Stored[A]
	keys        *edge.Keyer[K]
	next        edge.Emit[K, Change[A]]
	add, remove folder[K, V, A]
	sendOld     bool
}

// receive takes the old row out, then the new one in. The row's time never goes back.
func (a *aggregator[K, V, A]) receive(m *edge.Meta, k K, c Change[V]) error {
	key, err := a.keys.Key(m, k)
	if err != nil {
		return err
	}
	var was serde.Opt[A]
	var wasAt int64
	var place store.Place[A]
	if place, was.Value, wasAt, was.OK, err = a.rows.Look(key); err != nil {
		return err
	}
	now, t := was, m.Time
	if c.Old.OK && was.OK {
		now, t = a.remove(k, c.Old.Value, was), max(m.Time, wasAt)
	}
	if c.New.OK {
		now = a.add(k, c.New.Value, now)
		if was.OK {
			t = max(m.Time, wasAt)
		}
	}
	out := Change[A]{New: now}
	if a.sendOld {
		out.Old = was
	}
	at := m.Time
	m.Time = t
	err = Put(a.rows, place, key, m, k, out, a.next)
	m.Time = at
	return err
}
