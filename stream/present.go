package stream

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
)

// Present drops the records whose value is absent: MapValues to an Opt, then Present, is a filter and a map in one. A
// function, by the law that a method never wraps its own type parameters.
//
//	in   (a 1) (b absent) (c 3)
//	out  (a 1)            (c 3)
func Present[K, V any](s Stream[K, serde.Opt[V]]) Stream[K, V] {
	if !s.given("Present", false) {
		return Stream[K, V]{}
	}
	out := s.out.Apply[K, V](valuesOp("KSTREAM-FILTER", false), func(_ edge.Place, next edge.Emit[K, V]) (edge.Emit[K, serde.Opt[V]], error) {
		return func(m *edge.Meta, k K, v serde.Opt[V]) error {
			if !v.OK {
				return nil
			}
			return next(m, k, v.Value)
		}, nil
	})
	return Stream[K, V]{out, s.rekeyed}
}
