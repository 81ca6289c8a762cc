package stream

import (
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// Dedup passes on the first record of each id and drops those that come within so long of it, in event time, before or
// after. Equal ids must be in one partition: an id that is not made of the key alone is looked for among the records of
// the same partition. What is dropped is counted. An id is known until one comes that is later by more than that: a record
// that is late by more passes.
//
//	within 10 ms
//	in    (a 1)@0   (a 1)@4   (a 1)@20
//	out   (a 1)@0             (a 1)@20
func (s Stream[K, V]) Dedup[I any](name string, within time.Duration, id func(K, V) I, opts ...state.Options) Stream[K, V] {
	b := s.out.Builder()
	if !s.given("Dedup", id == nil) || !b.Own("Dedup", name) {
		return Stream[K, V]{}
	}
	if within < time.Millisecond || within%time.Millisecond != 0 {
		b.Fail(0, "Dedup %q within %v, want whole milliseconds, at least one", name, within)
		return Stream[K, V]{}
	}
	var ids serde.Serde[I]
	for _, o := range opts {
		if o.Coalesce {
			b.Fail(0, "Dedup %q with Coalesce: that is for tables, leave it out", name)
		}
		if o.Bootstrap {
			b.Fail(0, "Dedup %q with Bootstrap: that is for tables from a topic, leave it out", name)
		}
	}
	keep := window.Instant(within.Milliseconds()).Plus(1)
	seen := func() state.Spec[state.Window[I, struct{}]] {
		return state.NewWindow(name, 0, keep.Sub(0), ids, serde.Serde[struct{}](nothing{}), opts...)
	}
	both := edge.Need{Key: true, Val: true}
	op := edge.Op{
		Kind: "KSTREAM-DEDUP", Label: name, Reads: both, Keeps: both, Stores: []any{edge.PendingOf(name, seen)},
		Resolve: func(_ *edge.Node, in edge.Serdes) (out edge.Serdes, err error) {
			ids, err = topology.SerdeFor[I](b, nil)
			return in, err
		},
	}
	out := s.out.Apply[K, V](op, func(at edge.Place, next edge.Emit[K, V]) (edge.Emit[K, V], error) {
		h, err := at.Store(name)
		if err != nil {
			return nil, err
		}
		rows, again := h.(state.Window[I, struct{}]), at.Drop("again")
		d := window.Instant(within.Milliseconds())
		return func(m *edge.Meta, k K, v V) error {
			i, t := id(k, v), window.Instant(m.Time)
			for range rows.Fetch(i, max(0, t-d), t.Plus(d)) {
				*again++
				return nil
			}
			if err := rows.Put(i, t, struct{}{}); err != nil {
				return err
			}
			return next(m, k, v)
		}, nil
	})
	return Stream[K, V]{out, s.rekeyed}
}

// nothing writes no bytes.
type nothing struct{}

func (nothing) String() string                                { return "nothing" }
func (nothing) Append(dst []byte, _ struct{}) ([]byte, error) { return dst, nil }
func (nothing) Decode([]byte) (v struct{}, err error)         { return v, nil }
