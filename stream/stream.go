package stream

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// Stream is a stream of records: a typed handle on a node of the topology.
type Stream[K, V any] struct {
	out topology.Output[K, V]
	// rekeyed says that the key may have changed since the records were last partitioned by it.
	rekeyed bool
}

// From reads a topic, or all topics of a pattern, those too that are made while the program runs: they are looked for every
// ten seconds. Where a store keeps rows by key they must have equal partition counts.
func From[K, V any](b *topology.Builder, t topology.Topic[K, V]) Stream[K, V] {
	return Stream[K, V]{out: topology.Source(b, t)}
}

// Of makes a stream of an output: the way back from the Processor API. Whatever needs the key repartitions, since a
// processor may have changed it.
func Of[K, V any](o topology.Output[K, V]) Stream[K, V] { return Stream[K, V]{o, true} }

// Output steps down to the Processor API.
func (s Stream[K, V]) Output() topology.Output[K, V] { return s.out }

// Then calls f with s, so that a chain can go on with a function.
func (s Stream[K, V]) Then[R any](f func(Stream[K, V]) R) R { return f(s) }

// Named labels the last node, for Describe, metrics and errors. The label is not durable.
func (s Stream[K, V]) Named[_ edge.Called](name string) Stream[K, V] {
	return Stream[K, V]{s.out.Named(name), s.rekeyed}
}

// To writes the stream to a topic.
func (s Stream[K, V]) To[_ edge.Called](t topology.Topic[K, V]) { s.out.Sink(t) }

// ToDynamic writes each record to the topic that name picks, with serdes and partitioner of like, whose own name does not
// matter. The topics must exist: a record for one that does not is a failure to produce, answered by the app's policy.
//
//	in        (a 1)      (b 2)
//	name      "odd"      "even"
//	odd       (a 1)
//	even                 (b 2)
func (s Stream[K, V]) ToDynamic[_ edge.Called](like topology.Topic[K, V], name func(topology.Record[K, V]) string) {
	s.out.SinkTo(like, name)
}

// Merge joins streams into one. Each keeps its order.
//
//	s    (a 1)       (b 2)
//	o          (c 3)
//	out  (a 1) (c 3) (b 2)
func (s Stream[K, V]) Merge[_ edge.Called](others ...Stream[K, V]) Stream[K, V] {
	outs := make([]topology.Output[K, V], len(others))
	rekeyed := s.rekeyed
	for i, o := range others {
		outs[i] = o.out
		rekeyed = rekeyed || o.rekeyed
	}
	return Stream[K, V]{s.out.Merge(outs...), rekeyed}
}

// Repartition sends the records through a topic of the app's own, <app>-<name>-repartition, so that equal keys meet.
// Records without a key are dropped.
func (s Stream[K, V]) Repartition[_ edge.Called](name string, opts ...RepartitionOptions) Stream[K, V] {
	n := 0
	if len(opts) > 0 {
		n = opts[0].Partitions
	}
	if len(opts) > 1 && s.out.Builder() != nil {
		s.out.Builder().Fail(0, "Repartition %q is given %d options, want one at most", name, len(opts))
	}
	return Stream[K, V]{out: s.out.Repartition(name, n)}
}

// RepartitionOptions of a repartition topic. For a partitioner, write To a topic that has one and read it From there.
type RepartitionOptions struct {
	Partitions int // 0: as many as the sources have
}

// byKey is s with equal keys in one partition: repartitioned under that name if need be.
func (s Stream[K, V]) byKey(name string) topology.Output[K, V] {
	if s.rekeyed {
		return s.out.ByKey(name)
	}
	return s.out
}

// given checks the receiver and the argument of an operator, and reports whether there is something to go on with.
func (s Stream[K, V]) given(what string, missing bool) bool {
	b := s.out.Builder()
	if b == nil || s.out.Node() == nil {
		return false // the mistake that made it is recorded
	}
	if missing {
		b.Fail(0, "%s without a function: give one", what)
		return false
	}
	return true
}

// Updates returns the new values of a table. Deleted rows are left out; see Changes. A function, by the law that a
// method never wraps its own type parameters.
//
//	table  (a 1) (b 6) (b deleted)
//	out    (a 1) (b 6)
func Updates[K, V any](t table.Table[K, V]) Stream[K, V] {
	return Stream[K, V]{out: t.Output().Apply[K, V](updatesOp(), updates[K, K, V](func(k K) K { return k }))}
}

// Changes returns the updates of a table with old and new value, deletes included.
func Changes[K, V any](t table.Table[K, V]) Stream[K, table.Change[V]] {
	if v := t.View(); v != nil {
		v.Old(true)
	}
	op := updatesOp()
	op.Keeps.Val = true
	return Stream[K, table.Change[V]]{out: t.Output().Apply[K, table.Change[V]](op,
		func(_ edge.Place, next edge.Emit[K, table.Change[V]]) (edge.Emit[K, table.Change[V]], error) {
			return func(m *edge.Meta, k K, c table.Change[V]) error {
				was := m.Stale
				m.Stale = false
				err := next(m, k, c)
				m.Stale = was
				return err
			}, nil
		})}
}

// WindowUpdates returns the new values of a windowed table under its windowed keys.
func WindowUpdates[K, V any](t table.Windowed[K, V]) Stream[window.Key[K], V] {
	return Stream[window.Key[K], V]{out: t.Output().Apply[window.Key[K], V](updatesOp(), updates[window.Key[K], window.Key[K], V](
		func(k window.Key[K]) window.Key[K] { return k }))}
}

// Unwindowed returns the new values of a windowed table under the keys alone. Partitions stay as they are, so nothing
// repartitions.
func Unwindowed[K, V any](t table.Windowed[K, V]) Stream[K, V] {
	op := updatesOp()
	op.Keeps.Key, op.Reads.Key = false, true
	return Stream[K, V]{out: t.Output().Apply[K, V](op, updates[window.Key[K], K, V](func(k window.Key[K]) K { return k.Key }))}
}

// WindowChanges is Changes for a windowed table.
func WindowChanges[K, V any](t table.Windowed[K, V]) Stream[window.Key[K], table.Change[V]] {
	if v := t.View(); v != nil {
		v.Old()
	}
	return Stream[window.Key[K], table.Change[V]]{out: t.Output()}
}

func updatesOp() edge.Op {
	return edge.Op{Kind: "KTABLE-TOSTREAM", Reads: edge.Need{Val: true}, Keeps: edge.Need{Key: true}}
}

func updates[K, K2, V any](key func(K) K2) func(edge.Place, edge.Emit[K2, V]) (edge.Emit[K, table.Change[V]], error) {
	return func(at edge.Place, next edge.Emit[K2, V]) (edge.Emit[K, table.Change[V]], error) {
		if at.Node.Keeps.Key {
			return func(m *edge.Meta, k K, c table.Change[V]) error {
				if !c.New.OK {
					return nil
				}
				return next(m, key(k), c.New.Value)
			}, nil
		}
		return func(m *edge.Meta, k K, c table.Change[V]) error {
			if !c.New.OK {
				return nil
			}
			was := m.Rekeyed(false)
			err := next(m, key(k), c.New.Value)
			m.Restore(was)
			return err
		}, nil
	}
}
