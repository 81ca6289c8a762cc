package table

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// Windowed is a table of windows: the latest value of each key and window. The window is part of the key, though the
// type does not say so; Filter, Updates and To see a window.Key.
type Windowed[K, V any] struct {
	out  topology.Output[window.Key[K], Change[V]]
	view *WindowView[K, V]
	// final says that the changes are those of closed windows: each window has one.
	final bool
}

// WindowView is what a windowed table can be asked for while a topology is built, and how its rows are queried.
type WindowView[K, V any] struct {
	Store string
	Old   func() // asks for old values in the changes
	Rows  func(state.Client) state.WindowRows[K, V]
	// Key returns the serde of the windowed keys, after Build.
	Key func() serde.Serde[window.Key[K]]
	// Grace is how long after its end a window still takes records; ok is false if windows never close.
	Grace func() (d window.Instant, ok bool)
	// Final returns the output of windows that have closed, nil if it cannot be had.
	Final func() topology.Output[window.Key[K], Change[V]]
}

// MakeWindowed makes a windowed table of an output of changes and its view: it is for the operators of package stream.
func MakeWindowed[K, V any](out topology.Output[window.Key[K], Change[V]], view *WindowView[K, V]) Windowed[K, V] {
	return Windowed[K, V]{out: out, view: view}
}

// WindowedOf makes a windowed table of an output of changes and its store. The processor must fill in Change.Old.
func WindowedOf[K, V any](o topology.Output[window.Key[K], Change[V]], store state.Spec[state.Window[K, V]]) Windowed[K, V] {
	return Windowed[K, V]{out: o, view: &WindowView[K, V]{Store: store.Name(), Old: func() {},
		Rows: func(c state.Client) state.WindowRows[K, V] { return state.QueryWindow(store, c) }}}
}

// View returns what the table can be asked for. Its use is internal.
func (t Windowed[K, V]) View() *WindowView[K, V] { return t.view }

// Output steps down to the Processor API.
func (t Windowed[K, V]) Output() topology.Output[window.Key[K], Change[V]] { return t.out }

// Then calls f with t, so that a chain can go on with a function.
func (t Windowed[K, V]) Then[R any](f func(Windowed[K, V]) R) R { return f(t) }

// To writes every update to a topic; see package serde/windowed for its key.
func (t Windowed[K, V]) To[_ edge.Called](topic topology.Topic[window.Key[K], V]) {
	t.out.Apply[window.Key[K], serde.Opt[V]](toStream("KTABLE-TOSTREAM"), newValue[window.Key[K], V]).Sink(topology.Nullable(topic))
}

// Query reads the windows from outside.
func (t Windowed[K, V]) Query[_ edge.Called](c state.Client) state.WindowRows[K, V] {
	return t.view.Rows(c)
}
