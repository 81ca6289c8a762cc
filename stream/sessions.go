package stream

import (
	"cmp"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// Sessions is a grouped stream by sessions, to be aggregated. A record joins all sessions of its key that end no earlier
// than the gap before it and start no later than the gap after it; they become one. What a session was is deleted
// downstream before what it has become is passed on, even where only its end has moved. The time of a row is the end of
// its session.
type Sessions[K, V any] struct {
	s    Stream[K, V]
	w    window.Sessions
	late *lateness[K, V]
}

// Sessions groups by sessions too.
//
//	a gap of 5 ms
//	in      (a x)@0   (a y)@4   (a z)@20
//	groups  a@[0,0]   a@[0,4]   a@[20,20]
func (g Grouped[K, V]) Sessions[_ edge.Called](w window.Sessions) Sessions[K, V] {
	if err := w.Validate(); err != nil && g.s.out.Builder() != nil {
		g.s.out.Builder().Fail(0, "Sessions: %v", err)
		return Sessions[K, V]{}
	}
	return Sessions[K, V]{g.s, w, &lateness[K, V]{}}
}

// Then calls f with w, so that a chain can go on with a function.
func (w Sessions[K, V]) Then[R any](f func(Sessions[K, V]) R) R { return f(w) }

// Late returns the records that come too late for every session, as [Windowed.Late] does.
func (w Sessions[K, V]) Late[_ edge.Called]() Stream[K, V] { return w.late.stream(w.s, "Late") }

// Count counts the records of each session. A record is late if the session it would be part of ends before the highest
// time seen less the grace and the gap: it is dropped and counted, see [Sessions.Late]. Records without a key are
// dropped.
//
//	a gap of 5 ms
//	in    (a x)@0     (a y)@4
//	rows  a@[0,0]=1   a@[0,0] deleted
//	                  a@[0,4]=2
func (w Sessions[K, V]) Count[_ edge.Called](name string, opts ...state.Options) table.Windowed[K, int64] {
	return sessionAggregate(w, "Count", name, edge.Need{}, opts, counting[K, V], summing[K])
}

// summing merges counts.
func summing[K any](_ K, a, b serde.Opt[int64]) serde.Opt[int64] {
	return serde.Some(a.Value + b.Value)
}

// Reduce folds the records of each session; the first is the first result, and f merges sessions too, the earlier first.
// f must not change its arguments.
//
//	a gap of 5 ms, f adds
//	in    (a 1)@0     (a 2)@4
//	rows  a@[0,0]=1   a@[0,0] deleted
//	                  a@[0,4]=3
func (w Sessions[K, V]) Reduce[_ edge.Called](name string, f func(acc, v V) V, opts ...state.Options) table.Windowed[K, V] {
	if !w.s.given("Reduce", f == nil) {
		return table.Windowed[K, V]{}
	}
	fold := reducing[K](f)
	merge := func(k K, a, b serde.Opt[V]) serde.Opt[V] {
		if !b.OK {
			return a
		}
		return fold(k, b.Value, a)
	}
	return sessionAggregate(w, "Reduce", name, edge.Need{Val: true}, opts, folding(fold), merge)
}

// Aggregate folds the records of each session; merge joins two sessions that a record has bridged, the earlier first: it
// begins with init() too. Neither may change the values they are given.
func (w Sessions[K, V]) Aggregate[A any](name string, init func() A, add func(K, V, A) A, merge func(K, A, A) A, opts ...state.Options) table.Windowed[K, A] {
	if !w.s.given("Aggregate", init == nil || add == nil || merge == nil) {
		return table.Windowed[K, A]{}
	}
	return sessionAggregate(w, "Aggregate", name, edge.Need{Key: true, Val: true}, opts, folding(adding(init, add)), merging(init, merge))
}

// merger joins an aggregate with that of a later session; the first begins with an absent one.
type merger[K, A any] = func(k K, a, b serde.Opt[A]) serde.Opt[A]

func merging[K, A any](init func() A, merge func(K, A, A) A) merger[K, A] {
	return func(k K, a, b serde.Opt[A]) serde.Opt[A] {
		if !a.OK {
			a.Value = init()
		}
		return serde.Some(merge(k, a.Value, b.Value))
	}
}

func sessionAggregate[K, V, A any](w Sessions[K, V], what, name string, reads edge.Need, opts []state.Options, open opener[K, V, A], merge merger[K, A]) table.Windowed[K, A] {
	b := w.s.out.Builder()
	if b == nil || w.s.out.Node() == nil || !b.Own(what, name) {
		return table.Windowed[K, A]{}
	}
	rows := newSessionRows[K, A](b, what, name, w.w, opts)
	out := sessionNode(w.s.byKey(name), rows, name, reads, open, merge, w.late.claim(b, w.s.rekeyed))
	return rows.table(out, out)
}

// sessionRows are the rows of one aggregate by sessions.
type sessionRows[K, A any] struct {
	*spanRows[K, A, state.Spec[state.Session[K, A]]]
	w window.Sessions
}

func newSessionRows[K, A any](b *topology.Builder, what, name string, w window.Sessions, opts []state.Options) *sessionRows[K, A] {
	r := &sessionRows[K, A]{newSpanRows[K, A, state.Spec[state.Session[K, A]]](b, what, name, opts), w}
	r.grace = w.Gap().Plus(w.GracePeriod())
	keep := r.retention(what, r.grace)
	r.made = func() state.Spec[state.Session[K, A]] {
		// The session that ends a grace and a gap before the highest time is still open.
		return state.SessionsOf(name, keep, 1, r.key, r.val, opts...)
	}
	return r
}

// table is the table of the rows. out are their changes, from are the nodes that write them.
func (r *sessionRows[K, A]) table(out topology.Output[window.Key[K], table.Change[A]], from ...topology.Output[window.Key[K], table.Change[A]]) table.Windowed[K, A] {
	view := &table.WindowView[K, A]{
		Store: r.name,
		Old:   func() { r.old = true },
		Rows:  func(c state.Client) state.WindowRows[K, A] { return state.QuerySession(r.made(), c) },
		Grace: func() (window.Instant, bool) { return r.grace, true },
		Key:   func() serde.Serde[window.Key[K]] { return windowed.Session(r.key) },
	}
	if len(from) == 1 {
		view.Final = r.closed(from[0])
	}
	return table.MakeWindowed(r.coalesced(out), view)
}

// sessionNode adds the node that folds the records of each session into the rows.
func sessionNode[K, V, A any](in topology.Output[K, V], rows *sessionRows[K, A], label string, reads edge.Need, open opener[K, V, A],
	merge merger[K, A], late *lateness[K, V]) topology.Output[window.Key[K], table.Change[A]] {
	out := in.Apply[window.Key[K], table.Change[A]](rows.op(label, reads), func(at edge.Place, next edge.Emit[window.Key[K], table.Change[A]]) (edge.Emit[K, V], error) {
		h, err := at.Store(rows.name)
		if err != nil {
			return nil, err
		}
		raw := state.RawSession[K, A](h.(state.Session[K, A]))
		agg := &sessionAgg[K, V, A]{rows: raw, gap: int64(rows.w.Gap()), merge: merge}
		if err := agg.open(at, next, rows.key, open(at, rows.val), rows.old); err != nil {
			return nil, err
		}
		agg.grace = int64(rows.grace)
		agg.watch.open(at, cmp.Or(label, rows.name), agg.closed != nil, int64(rows.b.EmitInterval()))
		if agg.closed != nil {
			raw.File(agg.emitted)
		}
		return agg.receive, nil
	})
	late.from(out.Node())
	return out
}
