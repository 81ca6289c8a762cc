package stream

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/table"
)

// Sum adds up of over the records of each key. Records without key or value are dropped and counted.
//
//	in    (a 1)  (a 2)
//	rows  a=1    a=3
func (g Grouped[K, V]) Sum[N table.Number](name string, of func(V) N, opts ...state.Options) table.Table[K, N] {
	if !g.s.given("Sum", of == nil) {
		return table.Table[K, N]{}
	}
	return aggregate(g.s, "Sum", name, "KSTREAM-AGGREGATE", edge.Need{Val: true}, opts, folding(totalling[K](of)))
}

// Sum is as for Grouped, for each key and window.
//
//	windows of 10 ms
//	in    (a 1)@3       (a 2)@4       (a 5)@12
//	rows  a@[0,10)=1    a@[0,10)=3    a@[10,20)=5
func (w Windowed[K, V]) Sum[N table.Number](name string, of func(V) N, opts ...state.Options) table.Windowed[K, N] {
	if !w.s.given("Sum", of == nil) {
		return table.Windowed[K, N]{}
	}
	return windowAggregate(w, "Sum", name, edge.Need{Val: true}, opts, folding(totalling[K](of)))
}

// Sum is as for Grouped, for each session.
//
//	a gap of 5 ms
//	in    (a 1)@0     (a 2)@4
//	rows  a@[0,0]=1   a@[0,0] deleted
//	                  a@[0,4]=3
func (w Sessions[K, V]) Sum[N table.Number](name string, of func(V) N, opts ...state.Options) table.Windowed[K, N] {
	if !w.s.given("Sum", of == nil) {
		return table.Windowed[K, N]{}
	}
	add := func(_ K, a, b serde.Opt[N]) serde.Opt[N] { return serde.Some(a.Value + b.Value) }
	return sessionAggregate(w, "Sum", name, edge.Need{Val: true}, opts, folding(totalling[K](of)), add)
}

// totalling is the aggregate of Sum: an absent sum is zero.
func totalling[K, V any, N table.Number](of func(V) N) folder[K, V, N] {
	return func(_ K, v V, sum serde.Opt[N]) serde.Opt[N] { return serde.Some(sum.Value + of(v)) }
}
