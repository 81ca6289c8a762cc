package stream

import (
	"slices"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/table"
)

// Top keeps the n greatest records of each key by cmp, greatest first; of equal ones the earlier comes first. Records
// without key or value are dropped and counted.
//
//	n = 2
//	in    (a 1)    (a 7)     (a 3)
//	rows  a=[1]    a=[7 1]   a=[7 3]
func (g Grouped[K, V]) Top[_ edge.Called](name string, n int, cmp func(a, b V) int, opts ...state.Options) table.Table[K, []V] {
	if !g.s.given("Top", cmp == nil) || !g.s.atLeastOne("Top", name, n) {
		return table.Table[K, []V]{}
	}
	return aggregate(g.s, "Top", name, "KSTREAM-AGGREGATE", edge.Need{Val: true}, opts, folding(greatest[K](n, cmp)))
}

// Top is as for Grouped, for each key and window.
//
//	windows of 10 ms, n = 1
//	in    (a 1)@3        (a 7)@4        (a 5)@12
//	rows  a@[0,10)=[1]   a@[0,10)=[7]   a@[10,20)=[5]
func (w Windowed[K, V]) Top[_ edge.Called](name string, n int, cmp func(a, b V) int, opts ...state.Options) table.Windowed[K, []V] {
	if !w.s.given("Top", cmp == nil) || !w.s.atLeastOne("Top", name, n) {
		return table.Windowed[K, []V]{}
	}
	return windowAggregate(w, "Top", name, edge.Need{Val: true}, opts, folding(greatest[K](n, cmp)))
}

// Top is as for Grouped, for each session.
//
//	a gap of 5 ms, n = 1
//	in    (a 1)@0      (a 7)@4
//	rows  a@[0,0]=[1]  a@[0,0] deleted
//	                   a@[0,4]=[7]
func (w Sessions[K, V]) Top[_ edge.Called](name string, n int, cmp func(a, b V) int, opts ...state.Options) table.Windowed[K, []V] {
	if !w.s.given("Top", cmp == nil) || !w.s.atLeastOne("Top", name, n) {
		return table.Windowed[K, []V]{}
	}
	merge := func(_ K, a, b serde.Opt[[]V]) serde.Opt[[]V] {
		all := slices.Concat(a.Value, b.Value)
		slices.SortStableFunc(all, func(x, y V) int { return cmp(y, x) })
		return serde.Some(all[:min(n, len(all))])
	}
	return sessionAggregate(w, "Top", name, edge.Need{Val: true}, opts, folding(greatest[K](n, cmp)), merge)
}

func (s Stream[K, V]) atLeastOne(what, name string, n int) bool {
	if n < 1 {
		s.out.Builder().Fail(0, "%s %q of %d records, want at least 1", what, name, n)
	}
	return n >= 1
}

// greatest is the aggregate of Top. A list that it has returned is never changed: a record that has no place leaves it as
// it is.
func greatest[K, V any](n int, cmp func(a, b V) int) folder[K, V, []V] {
	return func(_ K, v V, top serde.Opt[[]V]) serde.Opt[[]V] {
		i := len(top.Value)
		for i > 0 && cmp(v, top.Value[i-1]) > 0 {
			i--
		}
		if i == n {
			return top
		}
		list := make([]V, 0, min(n, len(top.Value)+1))
		list = append(append(list, top.Value[:i]...), v)
		return serde.Some(append(list, top.Value[i:min(len(top.Value), n-1)]...))
	}
}
