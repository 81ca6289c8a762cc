// Package table holds tables: the latest value of each key.
//
// There are few types: a [Table] is a typed handle on a node that emits changes of rows, a [Change] is one of them, a
// [Windowed] table has a row for each key and window, a [Grouped] one is on its way to an aggregate, a [Global] one is on
// every instance in full, an [Index] finds rows by something else than their key. The smallest program:
//
//	var (
//		accounts = topology.NewTopic("accounts", serde.String, serde.JSON[Account]())
//		rich     = topology.NewTopic("accounts-rich", serde.String, serde.JSON[Account]())
//	)
//
//	func filter(b *topology.Builder) {
//		table.From(b, accounts).
//			Filter(func(_ string, a Account) bool { return a.Balance > 1_000_000 }).
//			To(rich) // a null for who was rich and is no more
//	}
//
//	func main() { stream.Main("rich", filter, stream.Config{}) }
//
// # Stores
//
// Aggregates, JoinForeign and Materialize keep a store under the name they are given. From keeps one, under the topic's
// name, once something needs its rows: a join, a grouping, an index, options. Filter, MapValues and Join are computed from
// the stores below them. Options.History keeps versions, for joins as of a record's time.
//
// # Streams
//
// Looking for toStream? A table's stream is stream.Updates(t) or stream.Changes(t); in a chain, t.Then(stream.Updates).
package table

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// Change is one update of a row. An absent New is a deleted row.
type Change[V any] struct{ Old, New serde.Opt[V] }

// Table is the latest value of each key; a null value deletes.
type Table[K, V any] struct {
	out  topology.Output[K, Change[V]]
	view *edge.View[K, V]
}

// Make makes a table of an output of changes and the view of its rows. Its types are internal: it is for the operators
// of package stream.
func Make[K, V any](out topology.Output[K, Change[V]], view *edge.View[K, V]) Table[K, V] {
	return Table[K, V]{out, view}
}

// Of makes a table of an output of changes and the store that its processor keeps: the way back from the Processor
// API. The processor must fill in Change.Old.
func Of[K, V any](o topology.Output[K, Change[V]], store state.Spec[state.Timestamped[K, V]]) Table[K, V] {
	if o.Builder() == nil {
		return Table[K, V]{}
	}
	return Table[K, V]{o, NewRows(o.Builder(), store).View()}
}

// View returns how rows are looked up. Its type is internal.
func (t Table[K, V]) View() *edge.View[K, V] { return t.view }

// Output steps down to the Processor API.
func (t Table[K, V]) Output() topology.Output[K, Change[V]] { return t.out }

// Then calls f with t, so that a chain can go on with a function.
func (t Table[K, V]) Then[R any](f func(Table[K, V]) R) R { return f(t) }

// Named labels the node, for Describe, metrics and errors.
func (t Table[K, V]) Named[_ edge.Called](name string) Table[K, V] {
	return Table[K, V]{t.out.Named(name), t.view}
}

// To writes every update to a topic, null for a deleted row.
func (t Table[K, V]) To[_ edge.Called](topic topology.Topic[K, V]) {
	t.out.Apply[K, serde.Opt[V]](toStream("KTABLE-TOSTREAM"), newValue[K, V]).Sink(topology.Nullable(topic))
}

// toStream describes a node that takes the new value out of a change.
func toStream(kind string) edge.Op {
	return edge.Op{Kind: kind, Reads: edge.Need{Val: true}, Keeps: edge.Need{Key: true}}
}

func newValue[K, V any](_ edge.Place, next edge.Emit[K, serde.Opt[V]]) (edge.Emit[K, Change[V]], error) {
	return func(m *edge.Meta, k K, c Change[V]) error { return next(m, k, c.New) }, nil
}

// Store returns the store of the rows, for processors. Of a table without one, the processor fails to open.
func (t Table[K, V]) Store[_ edge.Called]() state.Spec[state.Timestamped[K, V]] {
	name := ""
	if t.view != nil {
		t.view.Stores()
		name = t.view.Store()
	}
	return state.NewTimestamped[K, V](name, nil, nil)
}
