package table

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// Filter keeps the windows for which keep reports true. A window that no longer passes is deleted downstream.
//
//	in    a@[0,10)=1  a@[0,10)=2  a@[0,10)=3
//	keep  v is even
//	out   deleted     a@[0,10)=2  deleted
func (t Windowed[K, V]) Filter[_ edge.Called](keep func(window.Key[K], V) bool) Windowed[K, V] {
	if !t.given("Filter", keep == nil) {
		return Windowed[K, V]{}
	}
	return deriveWindows(t, "KTABLE-FILTER", edge.Need{Key: true, Val: true}, func(k window.Key[K], v V) (V, bool) { return v, keep(k, v) })
}

// MapValues maps the value of each window. f is not called for deletions.
//
//	in    a@[0,10)=1   a@[0,10)=2
//	f     v * 10
//	out   a@[0,10)=10  a@[0,10)=20
func (t Windowed[K, V]) MapValues[V2 any](f func(V) V2) Windowed[K, V2] {
	if !t.given("MapValues", f == nil) {
		return Windowed[K, V2]{}
	}
	return deriveWindows(t, "KTABLE-MAPVALUES", edge.Need{Val: true}, func(_ window.Key[K], v V) (V2, bool) { return f(v), true })
}

// MapWithKey maps the value of each window, key and bounds in view.
func (t Windowed[K, V]) MapWithKey[V2 any](f func(window.Key[K], V) V2) Windowed[K, V2] {
	if !t.given("MapWithKey", f == nil) {
		return Windowed[K, V2]{}
	}
	return deriveWindows(t, "KTABLE-MAPVALUES", edge.Need{Key: true, Val: true}, func(k window.Key[K], v V) (V2, bool) { return f(k, v), true })
}

// GroupBy regroups the windows under another key, as [Table.GroupBy] does rows; keep the bounds in it, a window.Key of
// something else, to stay windowed. An update of a window takes its old value out of its group and puts the new one in.
//
//	in     a@[0,10)=1  b@[0,10)=1  a@[0,10)=2
//	f      (bounds, v)
//	group  [0,10)+1    [0,10)+1    [0,10)-1+2
func (t Windowed[K, V]) GroupBy[K2, V2 any](f func(window.Key[K], V) (K2, V2)) Grouped[K2, V2] {
	if !t.given("GroupBy", f == nil) {
		return Grouped[K2, V2]{}
	}
	t.view.Old()
	return groupBy(t.out, f)
}

// deriveWindows adds a node that maps each row, or refuses it: f says. The output of closed windows is mapped too, once it
// is asked for.
func deriveWindows[K, V, V2 any](t Windowed[K, V], kind string, reads edge.Need, f func(window.Key[K], V) (V2, bool)) Windowed[K, V2] {
	old := false
	apply := func(k window.Key[K], v serde.Opt[V]) (v2 serde.Opt[V2]) {
		if v.OK {
			v2.Value, v2.OK = f(k, v.Value)
		}
		return v2
	}
	step := func(final bool) func(edge.Place, edge.Emit[window.Key[K], Change[V2]]) (edge.Emit[window.Key[K], Change[V]], error) {
		return func(_ edge.Place, next edge.Emit[window.Key[K], Change[V2]]) (edge.Emit[window.Key[K], Change[V]], error) {
			sendOld := old
			return func(m *edge.Meta, k window.Key[K], c Change[V]) error {
				n := Change[V2]{New: apply(k, c.New)}
				if sendOld {
					n.Old = apply(k, c.Old)
				}
				if final && !n.New.OK {
					return nil // there is nothing downstream to delete
				}
				return next(m, k, n)
			}, nil
		}
	}
	out := t.out.Apply[window.Key[K], Change[V2]](tableOp(kind, reads), step(t.final))
	view := &WindowView[K, V2]{
		Store: t.view.Store, Grace: t.view.Grace, Key: t.view.Key,
		Old:  func() { old = true; t.view.Old() },
		Rows: func(c state.Client) state.WindowRows[K, V2] { return state.MapWindowRows(t.view.Rows(c), f) },
	}
	if t.view.Final != nil {
		var final topology.Output[window.Key[K], Change[V2]]
		view.Final = func() topology.Output[window.Key[K], Change[V2]] {
			if final.Node() == nil {
				final = t.view.Final().Apply[window.Key[K], Change[V2]](tableOp(kind, reads), step(true))
			}
			return final
		}
	}
	return Windowed[K, V2]{out, view, t.final}
}

// given checks the receiver and the argument of an operator.
func (t Windowed[K, V]) given(what string, missing bool) bool {
	if t.out.Builder() == nil || t.view == nil {
		return false // the mistake that made it is recorded
	}
	if missing {
		t.out.Builder().Fail(0, "%s without a function: give one", what)
		return false
	}
	return true
}

// Final passes on only the last value of each window, once it has closed: once the highest time seen, less the grace, has
// reached its end. It costs no buffer: the aggregate's own store emits it, by start and key, and Filter and the maps in
// between follow. Behind anything else it is a Build error; [Windowed.Suppress] takes UntilClose.
//
//	windows of 10 ms, no grace
//	in     (a x)@3     (a y)@7     (a z)@12
//	rows   a@[0,10)=1  a@[0,10)=2  a@[10,20)=1
//	final                          a@[0,10)=2
func (t Windowed[K, V]) Final[_ edge.Called]() Windowed[K, V] {
	if !t.given("Final", false) {
		return Windowed[K, V]{}
	}
	if t.view.Final == nil {
		t.out.Builder().Fail(0, "Final can follow an aggregate by windows that close, and Filter, MapValues and MapWithKey behind that; elsewhere use Suppress with UntilClose")
		return Windowed[K, V]{}
	}
	view := *t.view
	out := t.view.Final()
	view.Old = func() {} // nothing is final twice
	view.Final = func() topology.Output[window.Key[K], Change[V]] { return out }
	return Windowed[K, V]{out, &view, true}
}
