package stream

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// Zero starts an aggregate at its zero value.
func Zero[A any]() (a A) { return }

// Grouped is a stream whose equal keys meet, to be aggregated.
type Grouped[K, V any] struct{ s Stream[K, V] }

// GroupByKey groups by the key there is.
func (s Stream[K, V]) GroupByKey[_ edge.Called]() Grouped[K, V] { return Grouped[K, V]{s} }

// GroupBy groups by another key, through a repartition topic that bears the aggregate's name.
func (s Stream[K, V]) GroupBy[K2 any](f func(K, V) K2) Grouped[K2, V] {
	if !s.given("GroupBy", f == nil) {
		return Grouped[K2, V]{}
	}
	return Grouped[K2, V]{Stream[K2, V]{selectKey(s.out, f), true}}
}

// Then calls f with g, so that a chain can go on with a function.
func (g Grouped[K, V]) Then[R any](f func(Grouped[K, V]) R) R { return f(g) }

// Output steps down to the Processor API.
func (g Grouped[K, V]) Output() topology.Output[K, V] { return g.s.out }

// Count counts the records of each key. Records without key or value are dropped and counted.
//
//	in    (a x) (b y) (a z)
//	rows  a=1   a=1   a=2
//	            b=1   b=1
func (g Grouped[K, V]) Count[_ edge.Called](name string, opts ...state.Options) table.Table[K, int64] {
	return aggregate(g.s, "Count", name, "KSTREAM-AGGREGATE", edge.Need{}, opts, counting[K, V])
}

// counting is the aggregate of Count: it reads nothing of the record.
func counting[K, V any](edge.Place, serde.Serde[int64]) folder[K, V, int64] {
	return func(_ K, _ V, n serde.Opt[int64]) serde.Opt[int64] { return serde.Some(n.Value + 1) }
}

// Reduce folds the records of each key; the first is the first result. f must not change its arguments.
func (g Grouped[K, V]) Reduce[_ edge.Called](name string, f func(acc, v V) V, opts ...state.Options) table.Table[K, V] {
	if !g.s.given("Reduce", f == nil) {
		return table.Table[K, V]{}
	}
	return aggregate(g.s, "Reduce", name, "KSTREAM-REDUCE", edge.Need{Val: true}, opts, folding(reducing[K](f)))
}

func reducing[K, V any](f func(acc, v V) V) folder[K, V, V] {
	return func(_ K, v V, acc serde.Opt[V]) serde.Opt[V] {
		if !acc.OK {
			return serde.Some(v)
		}
		return serde.Some(f(acc.Value, v))
	}
}

// Aggregate folds the records of each key into a value of another type. add must not change the value it is given, nor
// keep it.
func (g Grouped[K, V]) Aggregate[A any](name string, init func() A, add func(K, V, A) A, opts ...state.Options) table.Table[K, A] {
	if !g.s.given("Aggregate", init == nil || add == nil) {
		return table.Table[K, A]{}
	}
	return aggregate(g.s, "Aggregate", name, "KSTREAM-AGGREGATE", edge.Need{Key: true, Val: true}, opts, folding(adding(init, add)))
}

func adding[K, V, A any](init func() A, add func(K, V, A) A) folder[K, V, A] {
	return func(k K, v V, a serde.Opt[A]) serde.Opt[A] {
		if !a.OK {
			a.Value = init()
		}
		return serde.Some(add(k, v, a.Value))
	}
}

// Fold is the general aggregate: it sees whether there is a row yet, and an absent result deletes it.
func (g Grouped[K, V]) Fold[A any](name string, f func(K, V, serde.Opt[A]) serde.Opt[A], opts ...state.Options) table.Table[K, A] {
	if !g.s.given("Fold", f == nil) {
		return table.Table[K, A]{}
	}
	return aggregate(g.s, "Fold", name, "KSTREAM-AGGREGATE", edge.Need{Key: true, Val: true}, opts, folding[K, V, A](f))
}
