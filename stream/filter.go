package stream

import "github.com/thalweg/thalweg/internal/edge"

// Filter returns the records of s for which keep reports true, in their order. It changes no key, so it never asks for
// a repartition. keep must not retain its arguments.
//
//	in    (a 1) (b 5) (a 7)
//	keep  v > 3
//	out         (b 5) (a 7)
func (s Stream[K, V]) Filter[_ edge.Called](keep func(K, V) bool) Stream[K, V] {
	if !s.given("Filter", keep == nil) {
		return Stream[K, V]{}
	}
	return s.filter(func(_ edge.Place, next edge.Emit[K, V]) edge.Emit[K, V] {
		return func(m *edge.Meta, k K, v V) error {
			if !keep(k, v) {
				return nil
			}
			return next(m, k, v)
		}
	})
}

// FilterNot drops the records for which drop reports true.
func (s Stream[K, V]) FilterNot[_ edge.Called](drop func(K, V) bool) Stream[K, V] {
	if !s.given("FilterNot", drop == nil) {
		return Stream[K, V]{}
	}
	return s.filter(func(_ edge.Place, next edge.Emit[K, V]) edge.Emit[K, V] {
		return func(m *edge.Meta, k K, v V) error {
			if drop(k, v) {
				return nil
			}
			return next(m, k, v)
		}
	})
}

// TryFilter is Filter with a predicate that can fail: the app's policy decides what becomes of the record.
func (s Stream[K, V]) TryFilter[_ edge.Called](keep func(K, V) (bool, error)) Stream[K, V] {
	if !s.given("TryFilter", keep == nil) {
		return Stream[K, V]{}
	}
	return s.filter(func(at edge.Place, next edge.Emit[K, V]) edge.Emit[K, V] {
		return func(m *edge.Meta, k K, v V) error {
			ok, err := keep(k, v)
			if err != nil {
				return at.Failed(err)
			}
			if !ok {
				return nil
			}
			return next(m, k, v)
		}
	})
}

// filter adds a node that lets records through unchanged, or not.
func (s Stream[K, V]) filter(step func(edge.Place, edge.Emit[K, V]) edge.Emit[K, V]) Stream[K, V] {
	both := edge.Need{Key: true, Val: true}
	out := s.out.Apply[K, V](edge.Op{Kind: "KSTREAM-FILTER", Reads: both, Keeps: both},
		func(at edge.Place, next edge.Emit[K, V]) (edge.Emit[K, V], error) { return step(at, next), nil })
	return Stream[K, V]{out, s.rekeyed}
}
