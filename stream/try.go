package stream

import "github.com/thalweg/thalweg/internal/edge"

// Try parts a stream by whether f fails, instead of asking the app's error policy. A function, by the law that a method
// never wraps its own type parameters.
//
//	in      (a "1") (b "x") (c "3")
//	f       strconv.Atoi
//	ok      (a 1)           (c 3)
//	failed          (b {"x", invalid syntax})
func Try[K, V, V2 any](s Stream[K, V], f func(V) (V2, error)) (ok Stream[K, V2], failed Stream[K, Failed[V]]) {
	if !s.given("Try", f == nil) {
		return Stream[K, V2]{}, Stream[K, Failed[V]]{}
	}
	out := s.out.Apply[K, V2](valuesOp("KSTREAM-MAPVALUES", false), func(at edge.Place, next edge.Emit[K, V2]) (edge.Emit[K, V], error) {
		aside, err := edge.Aside[K, Failed[V]](at, failedTag)
		if err != nil {
			return nil, err
		}
		return func(m *edge.Meta, k K, v V) error {
			v2, err := f(v)
			if err == nil {
				return next(m, k, v2)
			}
			return aside(m, k, Failed[V]{v, err})
		}, nil
	})
	key := edge.Need{Key: true}
	aside := out.Aside[K, Failed[V]](edge.Op{Kind: "KSTREAM-FAILED", Keeps: key, Passes: key}, failedTag)
	return Stream[K, V2]{out, s.rekeyed}, Stream[K, Failed[V]]{aside, s.rekeyed}
}

const failedTag = "failed"

// Failed is a value that f could not take.
type Failed[V any] struct {
	Value V
	Err   error
}
