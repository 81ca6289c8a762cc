package stream

import (
	"fmt"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// Cogrouped is several grouped streams that go into one aggregate. Their topics must have equal partition counts. A stream
// that changed its key goes through a repartition topic: the first's bears the aggregate's name, that of the n-th
// <name>-<n>.
type Cogrouped[K, A any] struct {
	b     *topology.Builder
	parts []part[K, A]
}

// part is one of the grouped streams, its value's type inside.
type part[K, A any] struct {
	source  *edge.Node
	rows    func(rows *table.Rows[K, A], name, label string, init func() A) topology.Output[K, table.Change[A]]
	windows func(rows *windowRows[K, A], name, label string, init func() A) topology.Output[window.Key[K], table.Change[A]]
	session func(rows *sessionRows[K, A], name, label string, init func() A, merge merger[K, A]) topology.Output[window.Key[K], table.Change[A]]
}

// Cogroup starts an aggregate over several streams: this one goes in by add. add must not change the value it is given.
//
//	g in   (a 1)        (a 2)
//	o in          (a x)
//	rows   a=1    a=1x  a=1x2
func (g Grouped[K, V]) Cogroup[A any](add func(K, V, A) A) Cogrouped[K, A] {
	return Cogrouped[K, A]{b: g.s.out.Builder()}.And(g, add)
}

// And takes one more stream in.
func (c Cogrouped[K, A]) And[V any](g Grouped[K, V], add func(K, V, A) A) Cogrouped[K, A] {
	if !g.s.given("Cogroup", add == nil) || c.b == nil {
		return Cogrouped[K, A]{}
	}
	if g.s.out.Builder() != c.b {
		c.b.Fail(0, "Cogroup of streams of different builders: read all of them with one")
		return Cogrouped[K, A]{}
	}
	reads := edge.Need{Key: true, Val: true}
	p := part[K, A]{
		source: g.s.out.Node(),
		rows: func(rows *table.Rows[K, A], name, label string, init func() A) topology.Output[K, table.Change[A]] {
			return aggregateNode(g.s.byKey(name), rows, label, "COGROUPKSTREAM-AGGREGATE", reads, folding(adding(init, add)))
		},
		windows: func(rows *windowRows[K, A], name, label string, init func() A) topology.Output[window.Key[K], table.Change[A]] {
			return windowNode(g.s.byKey(name), rows, label, reads, folding(adding(init, add)), nil)
		},
		session: func(rows *sessionRows[K, A], name, label string, init func() A, merge merger[K, A]) topology.Output[window.Key[K], table.Change[A]] {
			return sessionNode(g.s.byKey(name), rows, label, reads, folding(adding(init, add)), merge, nil)
		},
	}
	return Cogrouped[K, A]{c.b, append(c.parts[:len(c.parts):len(c.parts)], p)}
}

// Then calls f with c, so that a chain can go on with a function.
func (c Cogrouped[K, A]) Then[R any](f func(Cogrouped[K, A]) R) R { return f(c) }

// Aggregate folds the records of each key, in the order in which they come. Records without key or value are dropped and
// counted.
func (c Cogrouped[K, A]) Aggregate[_ edge.Called](name string, init func() A, opts ...state.Options) table.Table[K, A] {
	if !c.given("Aggregate", name, init == nil) {
		return table.Table[K, A]{}
	}
	rows := table.OwnRows[K, A](c.b, name, opts)
	out := cogroup(c, name, func(p part[K, A], name, label string) topology.Output[K, table.Change[A]] {
		return p.rows(rows, name, label, init)
	})
	return table.Make(rows.Coalesced(out), rows.View())
}

// given checks the receiver and the arguments of an aggregate.
func (c Cogrouped[K, A]) given(what, name string, missing bool) bool {
	if c.b == nil || len(c.parts) == 0 {
		return false // the mistake that made it is recorded
	}
	if missing {
		c.b.Fail(0, "%s %q without a function: give one", what, name)
		return false
	}
	return c.b.Own(what, name)
}

// cogroup adds the nodes of all parts and joins what they emit.
func cogroup[K, A, K2, V2 any](c Cogrouped[K, A], name string, node func(p part[K, A], name, label string) topology.Output[K2, V2]) topology.Output[K2, V2] {
	outs, nodes := make([]topology.Output[K2, V2], len(c.parts)), make([]*edge.Node, len(c.parts))
	for i, p := range c.parts {
		topic := name
		if i > 0 {
			topic = fmt.Sprintf("%s-%d", name, i+1)
		}
		outs[i] = node(p, topic, fmt.Sprintf("%s-cogroup-agg-%d", name, i))
		nodes[i] = outs[i].Node()
	}
	if len(c.parts) == 1 {
		return outs[0]
	}
	c.b.Together("Cogroup "+name, nodes...)
	return outs[0].Merge(outs[1:]...).Named(name + "-cogroup-merge")
}

// Windowed groups by windows too.
func (c Cogrouped[K, A]) Windowed[_ edge.Called](w window.Windows) CogroupedWindows[K, A] {
	if err := w.Validate(); err != nil && c.b != nil {
		c.b.Fail(0, "Windowed: %v", err)
		return CogroupedWindows[K, A]{}
	}
	return CogroupedWindows[K, A]{c, w}
}

// CogroupedWindows is Cogrouped by windows.
type CogroupedWindows[K, A any] struct {
	c Cogrouped[K, A]
	w window.Windows
}

// Aggregate folds the records of each key and window. Each stream has a clock of its own that says what is late; so there
// is no Final: Suppress takes UntilClose.
func (c CogroupedWindows[K, A]) Aggregate[_ edge.Called](name string, init func() A, opts ...state.Options) table.Windowed[K, A] {
	if !c.c.given("Aggregate", name, init == nil) {
		return table.Windowed[K, A]{}
	}
	rows := newWindowRows[K, A](c.c.b, "Aggregate", name, c.w, opts)
	return rows.table(cogroup(c.c, name, func(p part[K, A], name, label string) topology.Output[window.Key[K], table.Change[A]] {
		return p.windows(rows, name, label, init)
	}))
}

// Sessions groups by sessions too.
func (c Cogrouped[K, A]) Sessions[_ edge.Called](w window.Sessions) CogroupedSessions[K, A] {
	if err := w.Validate(); err != nil && c.b != nil {
		c.b.Fail(0, "Sessions: %v", err)
		return CogroupedSessions[K, A]{}
	}
	return CogroupedSessions[K, A]{c, w}
}

// CogroupedSessions is Cogrouped by sessions.
type CogroupedSessions[K, A any] struct {
	c Cogrouped[K, A]
	w window.Sessions
}

// Aggregate folds the records of each session; merge joins two sessions that a record has bridged.
func (c CogroupedSessions[K, A]) Aggregate[_ edge.Called](name string, init func() A, merge func(K, A, A) A, opts ...state.Options) table.Windowed[K, A] {
	if !c.c.given("Aggregate", name, init == nil || merge == nil) {
		return table.Windowed[K, A]{}
	}
	rows := newSessionRows[K, A](c.c.b, "Aggregate", name, c.w, opts)
	return rows.table(cogroup(c.c, name, func(p part[K, A], name, label string) topology.Output[window.Key[K], table.Change[A]] {
		return p.session(rows, name, label, init, merging(init, merge))
	}))
}
