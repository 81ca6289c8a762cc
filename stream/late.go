package stream

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/topology"
)

// Late returns the records that come too late for every window, with key, time and headers as they came. They are not
// counted as dropped. They come from the group's first aggregate, which has to exist; of two aggregates behind one
// GroupBy each would have records of its own, so that Repartition has to come first.
//
//	windows of 10 ms, no grace
//	in    (a x)@3    (a y)@12    (a z)@8
//	late                         (a z)@8
func (w Windowed[K, V]) Late[_ edge.Called]() Stream[K, V] { return w.late.stream(w.s, "Late") }

const lateTag = "late"

// lateness is what becomes of the late records of a group.
type lateness[K, V any] struct {
	out        topology.Output[K, V]
	attach     func(parent *edge.Node)
	node       *edge.Node // of the group's first aggregate
	aggregates int
	rekeyed    bool
}

// claim is called by each aggregate of the group: the first gets the late records, further ones nil.
func (l *lateness[K, V]) claim(b *topology.Builder, rekeyed bool) *lateness[K, V] {
	l.rekeyed = rekeyed
	if l.aggregates++; l.aggregates == 1 {
		return l
	}
	if l.attach != nil {
		l.ambiguous(b)
	}
	return nil
}

// from makes an aggregate's node the one that emits the late records.
func (l *lateness[K, V]) from(n *edge.Node) {
	if l == nil {
		return
	}
	l.node = n
	if l.attach != nil && n != nil {
		l.attach(n)
	}
}

func (l *lateness[K, V]) stream(s Stream[K, V], what string) Stream[K, V] {
	if !s.given(what, false) || l == nil {
		return Stream[K, V]{}
	}
	if l.attach != nil {
		return Stream[K, V]{out: l.out}
	}
	b, both := s.out.Builder(), edge.Need{Key: true, Val: true}
	l.out, l.attach = topology.AsideLater[K, V](b, edge.Op{Kind: "KSTREAM-LATE", Keeps: both, Passes: both}, lateTag,
		what+" of a group that nothing aggregates: records are late for an aggregate, add one")
	if l.node != nil {
		l.attach(l.node)
	}
	l.ambiguous(b)
	return Stream[K, V]{out: l.out}
}

// ambiguous reports a group whose aggregates do not read the same records.
func (l *lateness[K, V]) ambiguous(b *topology.Builder) {
	if l.rekeyed && l.aggregates > 1 {
		b.Fail(0, "Late of a group with %d aggregates, each behind a repartition topic of its own: Repartition first, then GroupByKey", l.aggregates)
	}
}
