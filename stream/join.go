package stream

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// Join joins records of two streams that share a key and are close enough in time. A result has the later of the two
// times, and the headers of the record that came last. The name is that of its stores, and of the repartition topics if
// a side changed its key. Records without key or value are dropped and counted. A stream joined with itself keeps one
// store.
//
//	within 10 ms
//	left   (a 1)@0           (a 2)@20
//	right          (a x)@5              (a y)@12
//	out            (a 1x)@5             (a 2y)@20
func (s Stream[K, V]) Join[V2, R any](name string, o Stream[K, V2], w window.Join, f func(V, V2) R, opts ...state.Options) Stream[K, R] {
	j := streamJoin[V, V2, R]{what: "Join", kind: "KSTREAM-JOIN", this: "-this-join-store", other: "-other-join-store"}
	if f != nil {
		j.f = func(v serde.Opt[V], v2 serde.Opt[V2]) R { return f(v.Value, v2.Value) }
	}
	return joinStreams(s, name, o, w, j, opts)
}

// LeftJoin passes on the records of s without a partner too, once their time is over: as soon as a record comes, of
// either stream, that is later by more than the window's after and its grace. Those without a key leave at once.
//
//	within 10 ms
//	left   (a 1)@0           (a 2)@20
//	right          (a x)@5              (b y)@31
//	out            (a 1x)@5             (a 2-)@20
func (s Stream[K, V]) LeftJoin[V2, R any](name string, o Stream[K, V2], w window.Join, f func(V, serde.Opt[V2]) R, opts ...state.Options) Stream[K, R] {
	j := streamJoin[V, V2, R]{what: "LeftJoin", kind: "KSTREAM-LEFTJOIN", left: true,
		this: "-this-join-store", other: "-outer-other-join-store", alone: "-left-shared-join-store"}
	if f != nil {
		j.f = func(v serde.Opt[V], v2 serde.Opt[V2]) R { return f(v.Value, v2) }
	}
	return joinStreams(s, name, o, w, j, opts)
}

// OuterJoin passes on the records of both sides without a partner too, once their time is over.
//
//	within 10 ms
//	left   (a 1)@0           (b 2)@20
//	right          (a x)@5              (c y)@31     (c z)@60
//	out            (a 1x)@5             (b 2-)@20    (c -y)@31
func (s Stream[K, V]) OuterJoin[V2, R any](name string, o Stream[K, V2], w window.Join, f func(serde.Opt[V], serde.Opt[V2]) R, opts ...state.Options) Stream[K, R] {
	j := streamJoin[V, V2, R]{what: "OuterJoin", kind: "KSTREAM-OUTERJOIN", left: true, right: true, f: f,
		this: "-outer-this-join-store", other: "-outer-other-join-store", alone: "-outer-shared-join-store"}
	return joinStreams(s, name, o, w, j, opts)
}

// streamJoin is what the kinds of joins differ in.
type streamJoin[V, V2, R any] struct {
	what, kind         string
	this, other, alone string // suffixes of the stores' names: Kafka Streams'
	left, right        bool   // whether that side's records stay without a partner
	f                  func(serde.Opt[V], serde.Opt[V2]) R
}

// sided is a record of either stream.
type sided[V, V2 any] struct {
	left, null bool
	v          V
	v2         V2
}

// joinRows are the stores of one join. Serdes are known after Build.
type joinRows[K, V, V2 any] struct {
	name      string
	retention window.Instant
	opts      []state.Options
	key       serde.Serde[K]
	val       serde.Serde[V]
	val2      serde.Serde[V2]
	self      func(V) V2 // of a stream joined with itself, which keeps one store; else nil
}

func joinStreams[K, V, V2, R any](s Stream[K, V], name string, o Stream[K, V2], w window.Join, j streamJoin[V, V2, R], opts []state.Options) Stream[K, R] {
	b := s.out.Builder()
	if !s.given(j.what, j.f == nil) || o.out.Node() == nil {
		return Stream[K, R]{}
	}
	if o.out.Builder() != b {
		b.Fail(0, "%s %q of streams of different builders: read both with one", j.what, name)
		return Stream[K, R]{}
	}
	if err := w.Validate(); err != nil {
		b.Fail(0, "%s %q: %v", j.what, name, err)
		return Stream[K, R]{}
	}
	if !b.Own(j.what, name+j.this) {
		return Stream[K, R]{}
	}
	l, r := s.byKey(name+"-left"), o.byKey(name+"-right")
	rows := &joinRows[K, V, V2]{name: name, retention: w.Retention(), opts: opts}
	if l.Node() == r.Node() && !j.left {
		rows.self = any(func(v V) V { return v }).(func(V) V2)
	}
	in := sideOf(l, "KSTREAM-WINDOWED", &rows.val, j.left, func(v V, null bool) sided[V, V2] { return sided[V, V2]{left: true, null: null, v: v} })
	if rows.self == nil {
		in = in.Merge(sideOf(r, "KSTREAM-WINDOWED", &rows.val2, j.right, func(v V2, null bool) sided[V, V2] { return sided[V, V2]{null: null, v2: v} }))
	}
	stores := []any{edge.PendingOf(name+j.this, func() state.Spec[*store.Join[V]] {
		return state.NewJoinSide(name+j.this, rows.retention, rows.key, rows.val, rows.opts...)
	})}
	if rows.self == nil {
		stores = append(stores, edge.PendingOf(name+j.other, func() state.Spec[*store.Join[V2]] {
			return state.NewJoinSide(name+j.other, rows.retention, rows.key, rows.val2, rows.opts...)
		}))
	}
	if j.alone != "" {
		stores = append(stores, edge.PendingOf(name+j.alone, func() state.Spec[state.KeyValue[[]byte, waiting[V, V2]]] {
			return state.NewKeyValue(name+j.alone, serde.Bytes, serde.Serde[waiting[V, V2]](waitingSerde[V, V2]{rows.val, rows.val2}), rows.opts...)
		}))
	}
	op := edge.Op{Kind: j.kind, Label: name + "-join", Stores: stores, TakesNoKey: j.left,
		Resolve: func(n *edge.Node, in edge.Serdes) (_ edge.Serdes, err error) {
			rows.key, err = topology.StoreSerde[K](b, name+j.this, true, in.Key)
			n.Reads = edge.Need{Key: true, Val: true}
			return edge.Serdes{Key: rows.key}, err
		},
	}
	out := in.Apply[K, R](op, func(at edge.Place, next edge.Emit[K, R]) (edge.Emit[K, sided[V, V2]], error) {
		return openJoin(at, next, rows, w, j, b.EmitInterval())
	})
	b.Together(j.what+" "+name, l.Node(), r.Node())
	return Stream[K, R]{out: out}
}

// sideOf adds the node that marks the records of one stream, and notes the serde of its values.
func sideOf[K, V, S any](in topology.Output[K, V], kind string, val *serde.Serde[V], takesNoKey bool, mark func(v V, null bool) S) topology.Output[K, S] {
	op := edge.Op{Kind: kind, Keeps: edge.Need{Key: true}, TakesNoKey: takesNoKey,
		Resolve: func(n *edge.Node, from edge.Serdes) (_ edge.Serdes, err error) {
			*val, err = topology.SerdeFor[V](in.Builder(), from.Val)
			n.Reads = edge.Need{Val: true}
			return edge.Serdes{Key: from.Key}, err
		},
	}
	return in.Apply[K, S](op, func(at edge.Place, next edge.Emit[K, S]) (edge.Emit[K, V], error) {
		null := nullOf[V](at)
		return func(m *edge.Meta, k K, v V) error { return next(m, k, mark(v, null != nil && null(m, v))) }, nil
	})
}
