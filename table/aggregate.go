package table

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
)

// Count counts the rows of each group. A count that comes down to 0 stays.
//
//	group  red+a  red+b  red-a blue+a
//	rows   red=1  red=2  red=1 blue=1
func (g Grouped[K, V]) Count[_ edge.Called](name string, opts ...state.Options) Table[K, int64] {
	return aggregate(g, "Count", "KTABLE-AGGREGATE", name,
		func(_ K, _ V, n serde.Opt[int64]) serde.Opt[int64] { return serde.Some(n.Value + 1) },
		func(_ K, _ V, n serde.Opt[int64]) serde.Opt[int64] { return serde.Some(n.Value - 1) }, opts)
}

// Number is what Sum can add.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Sum adds up of over the rows of each group. Floats are added and taken away one by one, so that they may drift.
//
//	group  red+3  red+4  red-3 blue+5
//	rows   red=3  red=7  red=4 blue=5
func (g Grouped[K, V]) Sum[N Number](name string, of func(V) N, opts ...state.Options) Table[K, N] {
	if of == nil {
		return aggregate[K, V, N](g, "Sum", "KTABLE-AGGREGATE", name, nil, nil, opts)
	}
	return aggregate(g, "Sum", "KTABLE-AGGREGATE", name,
		func(_ K, v V, n serde.Opt[N]) serde.Opt[N] { return serde.Some(n.Value + of(v)) },
		func(_ K, v V, n serde.Opt[N]) serde.Opt[N] { return serde.Some(n.Value - of(v)) }, opts)
}

// Reduce folds the rows of each group: add takes a row in, remove takes it out again. The first row is the first result.
// Neither must change its arguments.
//
//	group   red+3  red+4  red-3
//	add     acc + v
//	remove  acc - v
//	rows    red=3  red=7  red=4
func (g Grouped[K, V]) Reduce[_ edge.Called](name string, add, remove func(acc, v V) V, opts ...state.Options) Table[K, V] {
	if add == nil || remove == nil {
		return aggregate[K, V, V](g, "Reduce", "KTABLE-REDUCE", name, nil, nil, opts)
	}
	return aggregate(g, "Reduce", "KTABLE-REDUCE", name,
		func(_ K, v V, acc serde.Opt[V]) serde.Opt[V] {
			if !acc.OK {
				return serde.Some(v)
			}
			return serde.Some(add(acc.Value, v))
		},
		func(_ K, v V, acc serde.Opt[V]) serde.Opt[V] { return serde.Some(remove(acc.Value, v)) }, opts)
}

// Aggregate folds the rows of each group into a value of another type: add takes a row in, remove takes it out again.
// Neither must change the value it is given, nor keep it.
//
//	group   red+3   red+4    red-3
//	rows    red=+3  red=+3+4 red=+3+4-3
func (g Grouped[K, V]) Aggregate[A any](name string, init func() A, add, remove func(K, V, A) A, opts ...state.Options) Table[K, A] {
	if init == nil || add == nil || remove == nil {
		return aggregate[K, V, A](g, "Aggregate", "KTABLE-AGGREGATE", name, nil, nil, opts)
	}
	return aggregate(g, "Aggregate", "KTABLE-AGGREGATE", name,
		func(k K, v V, a serde.Opt[A]) serde.Opt[A] {
			if !a.OK {
				a.Value = init()
			}
			return serde.Some(add(k, v, a.Value))
		},
		func(k K, v V, a serde.Opt[A]) serde.Opt[A] { return serde.Some(remove(k, v, a.Value)) }, opts)
}

// Fold is the general aggregate: an absent result deletes the row. add sees whether there is one yet; remove is called
// only if there is.
//
//	group   red+3  red+4    red-3  red-4
//	rows    red=3  red=3,4  red=4  (deleted)
func (g Grouped[K, V]) Fold[A any](name string, add, remove func(K, V, serde.Opt[A]) serde.Opt[A], opts ...state.Options) Table[K, A] {
	return aggregate(g, "Fold", "KTABLE-AGGREGATE", name, add, remove, opts)
}
