package stream

import (
	"context"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// Peek shows each record to f and passes it on. Its effects are at least once.
func (s Stream[K, V]) Peek[_ edge.Called](f func(topology.Record[K, V])) Stream[K, V] {
	if !s.given("Peek", f == nil) {
		return Stream[K, V]{}
	}
	both := edge.Need{Key: true, Val: true}
	out := s.out.Apply[K, V](edge.Op{Kind: "KSTREAM-PEEK", Reads: both, Keeps: both},
		func(at edge.Place, next edge.Emit[K, V]) (edge.Emit[K, V], error) {
			return func(m *edge.Meta, k K, v V) error {
				r, err := topology.RecordOf(m, k, v)
				if err != nil {
					return at.Failed(err)
				}
				f(r)
				return next(m, k, v)
			}, nil
		})
	return Stream[K, V]{out, s.rekeyed}
}

// ForEach ends the stream in f. Its effects are at least once. ctx ends when the task closes.
func (s Stream[K, V]) ForEach[_ edge.Called](f func(context.Context, topology.Record[K, V]) error) {
	if !s.given("ForEach", f == nil) {
		return
	}
	s.out.Apply[K, V](edge.Op{Kind: "KSTREAM-FOREACH", Reads: edge.Need{Key: true, Val: true}},
		func(at edge.Place, _ edge.Emit[K, V]) (edge.Emit[K, V], error) {
			ctx := at.Context()
			return func(m *edge.Meta, k K, v V) error {
				r, err := topology.RecordOf(m, k, v)
				if err == nil {
					err = f(ctx, r)
				}
				if err != nil {
					return at.Failed(err)
				}
				return nil
			}, nil
		})
}

// Process hands the stream to a processor. open is called once for each task; stores are what it may ask its Context
// for. What needs the key afterwards repartitions.
func (s Stream[K, V]) Process[K2, V2 any](name string, open topology.Opener[K, V, K2, V2], stores ...state.AnySpec) Stream[K2, V2] {
	return Stream[K2, V2]{s.out.Process(name, open, stores...), true}
}

// ProcessValues hands the stream to a processor that keeps the keys, so that nothing repartitions for it.
func (s Stream[K, V]) ProcessValues[V2 any](name string, open topology.ValueOpener[K, V, V2], stores ...state.AnySpec) Stream[K, V2] {
	return Stream[K, V2]{s.out.ProcessValues(name, open, stores...), s.rekeyed}
}

// Side returns what the processor before emits under tag.
func (s Stream[K, V]) Side[K2, V2 any](tag topology.Tag[K2, V2]) Stream[K2, V2] {
	return Stream[K2, V2]{s.out.Side(tag), true}
}
