package stream

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/window"
)

// Windowed is a grouped stream by windows, to be aggregated.
type Windowed[K, V any] struct {
	s    Stream[K, V]
	w    window.Windows
	late *lateness[K, V]
}

// Windowed groups by windows too.
//
//	windows of 10 ms
//	in      (a x)@3    (a y)@12    (a z)@14
//	groups  a@[0,10)   a@[10,20)   a@[10,20)
func (g Grouped[K, V]) Windowed[_ edge.Called](w window.Windows) Windowed[K, V] {
	if err := w.Validate(); err != nil && g.s.out.Builder() != nil {
		g.s.out.Builder().Fail(0, "Windowed: %v", err)
		return Windowed[K, V]{}
	}
	return Windowed[K, V]{g.s, w, &lateness[K, V]{}}
}

// Then calls f with w, so that a chain can go on with a function.
func (w Windowed[K, V]) Then[R any](f func(Windowed[K, V]) R) R { return f(w) }

// Count counts the records of each key and window. A record is late for a window whose end is not after the highest time
// seen less the grace: it is dropped and counted once for each such window, see [Windowed.Late]. Records without a key
// are dropped.
//
//	windows of 10 ms, no grace
//	in    (a x)@3       (a y)@12       (a z)@8
//	rows  a@[0,10)=1    a@[0,10)=1     late
//	                    a@[10,20)=1
func (w Windowed[K, V]) Count[_ edge.Called](name string, opts ...state.Options) table.Windowed[K, int64] {
	return windowAggregate(w, "Count", name, edge.Need{}, opts, counting[K, V])
}

// Reduce folds the records of each key and window; the first is the first result. f must not change its arguments.
//
//	windows of 10 ms, f adds
//	in    (a 1)@3       (a 5)@4       (a 2)@12
//	rows  a@[0,10)=1    a@[0,10)=6    a@[0,10)=6
//	                                  a@[10,20)=2
func (w Windowed[K, V]) Reduce[_ edge.Called](name string, f func(acc, v V) V, opts ...state.Options) table.Windowed[K, V] {
	if !w.s.given("Reduce", f == nil) {
		return table.Windowed[K, V]{}
	}
	return windowAggregate(w, "Reduce", name, edge.Need{Val: true}, opts, folding(reducing[K](f)))
}

// Aggregate folds the records of each key and window into a value of another type. add must not change the value it is
// given, nor keep it.
func (w Windowed[K, V]) Aggregate[A any](name string, init func() A, add func(K, V, A) A, opts ...state.Options) table.Windowed[K, A] {
	if !w.s.given("Aggregate", init == nil || add == nil) {
		return table.Windowed[K, A]{}
	}
	return windowAggregate(w, "Aggregate", name, edge.Need{Key: true, Val: true}, opts, folding(adding(init, add)))
}

// Fold is the general aggregate: it sees whether there is a row yet, and an absent result deletes it.
func (w Windowed[K, V]) Fold[A any](name string, f func(K, V, serde.Opt[A]) serde.Opt[A], opts ...state.Options) table.Windowed[K, A] {
	if !w.s.given("Fold", f == nil) {
		return table.Windowed[K, A]{}
	}
	return windowAggregate(w, "Fold", name, edge.Need{Key: true, Val: true}, opts, folding[K, V, A](f))
}

func windowAggregate[K, V, A any](w Windowed[K, V], what, name string, reads edge.Need, opts []state.Options, open opener[K, V, A]) table.Windowed[K, A] {
	b := w.s.out.Builder()
	if b == nil || w.s.out.Node() == nil || !b.Own(what, name) {
		return table.Windowed[K, A]{}
	}
	rows := newWindowRows[K, A](b, what, name, w.w, opts)
	out := windowNode(w.s.byKey(name), rows, name, reads, open, w.late.claim(b, w.s.rekeyed))
	return rows.table(out, out)
}
