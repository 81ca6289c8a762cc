package stream

import (
	"iter"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/topology"
)

// Map maps key and value. What needs the new key repartitions by itself.
//
//	in   (a 1) (b 2)
//	f    (k+"!", v*10)
//	out  (a! 10) (b! 20)
func (s Stream[K, V]) Map[K2, V2 any](f func(K, V) (K2, V2)) Stream[K2, V2] {
	if !s.given("Map", f == nil) {
		return Stream[K2, V2]{}
	}
	out := s.out.Apply[K2, V2](edge.Op{Kind: "KSTREAM-MAP", Reads: edge.Need{Key: true, Val: true}},
		func(_ edge.Place, next edge.Emit[K2, V2]) (edge.Emit[K, V], error) {
			return func(m *edge.Meta, k K, v V) error {
				k2, v2 := f(k, v)
				was := m.Rekeyed(false)
				err := next(m, k2, v2)
				m.Restore(was)
				return err
			}, nil
		})
	return Stream[K2, V2]{out, true}
}

// TryMap is Map with a function that can fail: the app's policy decides what becomes of the record.
func (s Stream[K, V]) TryMap[K2, V2 any](f func(K, V) (K2, V2, error)) Stream[K2, V2] {
	if !s.given("TryMap", f == nil) {
		return Stream[K2, V2]{}
	}
	out := s.out.Apply[K2, V2](edge.Op{Kind: "KSTREAM-MAP", Reads: edge.Need{Key: true, Val: true}},
		func(at edge.Place, next edge.Emit[K2, V2]) (edge.Emit[K, V], error) {
			return func(m *edge.Meta, k K, v V) error {
				k2, v2, err := f(k, v)
				if err != nil {
					return at.Failed(err)
				}
				was := m.Rekeyed(false)
				err = next(m, k2, v2)
				m.Restore(was)
				return err
			}, nil
		})
	return Stream[K2, V2]{out, true}
}

// MapValues maps the value and keeps the key.
//
//	in   (a 1) (b 2)
//	f    v * 10
//	out  (a 10) (b 20)
func (s Stream[K, V]) MapValues[V2 any](f func(V) V2) Stream[K, V2] {
	if !s.given("MapValues", f == nil) {
		return Stream[K, V2]{}
	}
	out := s.out.Apply[K, V2](valuesOp("KSTREAM-MAPVALUES", false),
		func(_ edge.Place, next edge.Emit[K, V2]) (edge.Emit[K, V], error) {
			return func(m *edge.Meta, k K, v V) error { return next(m, k, f(v)) }, nil
		})
	return Stream[K, V2]{out, s.rekeyed}
}

// TryMapValues is MapValues with a function that can fail: the app's policy decides what becomes of the record.
func (s Stream[K, V]) TryMapValues[V2 any](f func(V) (V2, error)) Stream[K, V2] {
	if !s.given("TryMapValues", f == nil) {
		return Stream[K, V2]{}
	}
	out := s.out.Apply[K, V2](valuesOp("KSTREAM-MAPVALUES", false),
		func(at edge.Place, next edge.Emit[K, V2]) (edge.Emit[K, V], error) {
			return func(m *edge.Meta, k K, v V) error {
				v2, err := f(v)
				if err != nil {
					return at.Failed(err)
				}
				return next(m, k, v2)
			}, nil
		})
	return Stream[K, V2]{out, s.rekeyed}
}

// MapWithKey maps the value, the key in view.
func (s Stream[K, V]) MapWithKey[V2 any](f func(K, V) V2) Stream[K, V2] {
	if !s.given("MapWithKey", f == nil) {
		return Stream[K, V2]{}
	}
	out := s.out.Apply[K, V2](valuesOp("KSTREAM-MAPVALUES", true),
		func(_ edge.Place, next edge.Emit[K, V2]) (edge.Emit[K, V], error) {
			return func(m *edge.Meta, k K, v V) error { return next(m, k, f(k, v)) }, nil
		})
	return Stream[K, V2]{out, s.rekeyed}
}

// valuesOp describes a node that makes new values under the old keys.
func valuesOp(kind string, readsKey bool) edge.Op {
	return edge.Op{Kind: kind, Reads: edge.Need{Key: readsKey, Val: true}, Keeps: edge.Need{Key: true}}
}

// MapRecord maps the whole record: time and headers too. What needs the key repartitions by itself.
func (s Stream[K, V]) MapRecord[K2, V2 any](f func(topology.Record[K, V]) topology.Record[K2, V2]) Stream[K2, V2] {
	if !s.given("MapRecord", f == nil) {
		return Stream[K2, V2]{}
	}
	open := func(ctx *topology.Context[K2, V2]) (topology.Processor[K, V], error) {
		return topology.ProcessorFunc[K, V](func(r topology.Record[K, V]) error { return ctx.Forward(f(r)) }), nil
	}
	out := s.out.Processor[K2, V2](edge.Op{Kind: "KSTREAM-MAP", Reads: edge.Need{Key: true, Val: true}}, open)
	return Stream[K2, V2]{out, true}
}

// FlatMapValues maps a value to any number of them, under the same key, in their order.
//
//	in   (a "x y") (b "") (c "z")
//	f    strings.FieldsSeq
//	out  (a x) (a y) (c z)
func (s Stream[K, V]) FlatMapValues[V2 any](f func(V) iter.Seq[V2]) Stream[K, V2] {
	if !s.given("FlatMapValues", f == nil) {
		return Stream[K, V2]{}
	}
	out := s.out.Apply[K, V2](valuesOp("KSTREAM-FLATMAPVALUES", false),
		func(_ edge.Place, next edge.Emit[K, V2]) (edge.Emit[K, V], error) {
			return func(m *edge.Meta, k K, v V) error {
				for v2 := range f(v) {
					if err := next(m, k, v2); err != nil {
						return err
					}
				}
				return nil
			}, nil
		})
	return Stream[K, V2]{out, s.rekeyed}
}

// FlatMap maps a record to any number of them, in their order.
func (s Stream[K, V]) FlatMap[K2, V2 any](f func(K, V) iter.Seq2[K2, V2]) Stream[K2, V2] {
	if !s.given("FlatMap", f == nil) {
		return Stream[K2, V2]{}
	}
	out := s.out.Apply[K2, V2](edge.Op{Kind: "KSTREAM-FLATMAP", Reads: edge.Need{Key: true, Val: true}},
		func(_ edge.Place, next edge.Emit[K2, V2]) (edge.Emit[K, V], error) {
			return func(m *edge.Meta, k K, v V) (err error) {
				was := m.Rekeyed(false)
				for k2, v2 := range f(k, v) {
					m.SetKey(nil)
					m.NoKey = false
					if err = next(m, k2, v2); err != nil {
						break
					}
				}
				m.Restore(was)
				return err
			}, nil
		})
	return Stream[K2, V2]{out, true}
}

// SelectKey gives each record another key. What needs it repartitions by itself.
//
//	in   (a 1) (b 2)
//	f    v % 2
//	out  (1 1) (0 2)
func (s Stream[K, V]) SelectKey[K2 any](f func(K, V) K2) Stream[K2, V] {
	if !s.given("SelectKey", f == nil) {
		return Stream[K2, V]{}
	}
	return Stream[K2, V]{selectKey(s.out, f), true}
}

func selectKey[K, V, K2 any](o topology.Output[K, V], f func(K, V) K2) topology.Output[K2, V] {
	op := edge.Op{Kind: "KSTREAM-KEY-SELECT", Reads: edge.Need{Key: true, Val: true}, Keeps: edge.Need{Val: true}}
	return o.Apply[K2, V](op, func(_ edge.Place, next edge.Emit[K2, V]) (edge.Emit[K, V], error) {
		return func(m *edge.Meta, k K, v V) error {
			k2 := f(k, v)
			was := m.Rekeyed(false)
			err := next(m, k2, v)
			m.Restore(was)
			return err
		}, nil
	})
}
