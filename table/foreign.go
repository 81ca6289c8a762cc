package table

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// JoinForeign joins each row with the row of o that ref names; ref reports false for a row that names none, which is
// dropped and counted. A change of either row changes the result. Rows go to the partition of the key they name and
// back, through two topics <app>-<name>-subscription-registration-topic and -response-topic, so that results come a
// little later, and states in between may be skipped. Its store bears the name, that of the references
// <name>-subscription-store.
//
//	t    (o1 →c1)               (o1 →c2)           (o1 deleted)
//	o              (c1 x)                 (c2 y)
//	out            (o1 →c1x)  (o1 deleted) (o1 →c2y)  (o1 deleted)
func (t Table[K, V]) JoinForeign[K2, V2, R any](name string, o Table[K2, V2], ref func(K, V) (K2, bool), f func(V, V2) R, opts ...state.Options) Table[K, R] {
	j := &foreign[K, V, K2, V2, R]{what: "JoinForeign", name: name, ref: ref}
	if f != nil {
		j.f = func(v V, o serde.Opt[V2]) R { return f(v, o.Value) }
	}
	return joinForeign(t, o, j, opts)
}

// LeftJoinForeign keeps the rows without a partner too, those that name none among them.
//
//	t    (o1 →c1)               (o1 →c2)   (o1 deleted)
//	o              (c1 x)
//	out  (o1 →c1-) (o1 →c1x)    (o1 →c2-)  (o1 deleted)
func (t Table[K, V]) LeftJoinForeign[K2, V2, R any](name string, o Table[K2, V2], ref func(K, V) (K2, bool), f func(V, serde.Opt[V2]) R, opts ...state.Options) Table[K, R] {
	return joinForeign(t, o, &foreign[K, V, K2, V2, R]{what: "LeftJoinForeign", name: name, left: true, ref: ref, f: f}, opts)
}

// foreign is a foreign-key join: four nodes around two topics.
//
//	t ─► send ─(registration)─► receive ─┐
//	o ─────────────────────────► scan ───┴─(response)─► resolve ─► rows
type foreign[K, V, K2, V2, R any] struct {
	what, name string
	left       bool
	ref        func(K, V) (K2, bool)
	f          func(V, serde.Opt[V2]) R
	b          *topology.Builder
	l          *edge.View[K, V]
	r          *edge.View[K2, V2]

	// Known after Build.
	key  serde.Serde[K]
	val  serde.Serde[V]
	key2 serde.Serde[K2]
	val2 serde.Serde[V2]
}

func joinForeign[K, V, K2, V2, R any](t Table[K, V], o Table[K2, V2], j *foreign[K, V, K2, V2, R], opts []state.Options) Table[K, R] {
	if !given(t, j.what, j.ref == nil || j.f == nil) || o.view == nil || o.out.Node() == nil {
		return Table[K, R]{}
	}
	j.b, j.l, j.r = t.out.Builder(), t.view, o.view
	if o.out.Builder() != j.b {
		j.b.Fail(0, "%s %q of tables of different builders: read both with one", j.what, j.name)
		return Table[K, R]{}
	}
	if !j.b.Own(j.what, j.name) || !j.b.Own(j.what, j.name+"-subscription-store") {
		return Table[K, R]{}
	}
	t.view.Old(true)
	o.view.Old(true)
	label := j.name + "-subscription-"
	op := edge.Op{Kind: "KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION", Label: label + "registration-processor", Resolve: j.resolve}
	asked := t.out.Apply[K2, subscription](op, j.openSend).Through(topology.Hop[K2, subscription]{
		Topic: label + "registration-topic", Label: label + "registration",
		Serdes: func(edge.Serdes) (serde.Serde[K2], serde.Serde[subscription], error) {
			return j.key2, subscriptionSerde{}, nil
		}})
	subs := edge.PendingOf(label+"store", func() state.Spec[state.Timestamped[[]byte, subscription]] {
		return state.NewTimestamped(label+"store", serde.Bytes, serde.Serde[subscription](subscriptionSerde{}))
	})
	op = edge.Op{Kind: "KTABLE-FK-JOIN-SUBSCRIPTION-PROCESSOR", Label: label + "receive", TakesNoKey: true,
		Reads: edge.Need{Key: true, Val: true}, Stores: append(j.r.Stores(), subs)}
	fromLeft := asked.Apply[K, answer[V2]](op, j.openReceive)
	op = edge.Op{Kind: "KTABLE-FK-JOIN-SUBSCRIPTION-PROCESSOR", Label: j.name + "-foreign-join-subscription",
		Stores: []any{subs}, Reads: edge.Need{Key: true, Val: true}}
	fromRight := o.out.Apply[K, answer[V2]](op, j.openScan)
	answered := fromLeft.Merge(fromRight).Through(topology.Hop[K, answer[V2]]{
		Topic: label + "response-topic", Label: label + "response",
		Partition: func(_ K, a answer[V2]) int32 { return a.partition },
		Serdes: func(edge.Serdes) (serde.Serde[K], serde.Serde[answer[V2]], error) {
			return j.key, answerSerde[V2]{j.val2}, nil
		}})
	j.b.Together(j.what+" "+j.name, o.out.Node(), asked.Node())
	j.b.Together(j.what+" "+j.name, t.out.Node(), answered.Node())
	rows := OwnRows[K, R](j.b, j.name, opts)
	op = edge.Op{Kind: "KTABLE-FK-JOIN-OUTPUT", Label: j.name + "-result", Touch: true, Keeps: edge.Need{Key: true},
		Stores: append(j.l.Stores(), rows.Pending()),
		Resolve: func(n *edge.Node, in edge.Serdes) (edge.Serdes, error) {
			n.Reads = edge.Need{Key: true, Val: true}
			return edge.Serdes{Key: in.Key}, rows.Resolve(edge.Serdes{Key: in.Key})
		}}
	out := answered.Apply[K, Change[R]](op, func(at edge.Place, next edge.Emit[K, Change[R]]) (edge.Emit[K, answer[V2]], error) {
		resolve, err := j.openResolve(at, rows, next)
		if err != nil {
			return nil, err
		}
		return Expiring(rows, at, next, resolve)
	})
	return Table[K, R]{rows.Coalesced(out), rows.View()}
}

// resolve settles the serdes: those of the two tables' rows.
func (j *foreign[K, V, K2, V2, R]) resolve(n *edge.Node, in edge.Serdes) (out edge.Serdes, err error) {
	k, v := j.l.Serdes()
	if j.key, err = topology.SerdeFor[K](j.b, any(k)); err != nil {
		return out, err
	}
	if j.val, err = topology.SerdeFor[V](j.b, any(v)); err != nil {
		return out, err
	}
	k2, v2 := j.r.Serdes()
	if j.key2, err = topology.SerdeFor[K2](j.b, any(k2)); err != nil {
		return out, err
	}
	j.val2, err = topology.SerdeFor[V2](j.b, any(v2))
	n.Reads = edge.Need{Key: true, Val: true}
	return out, err
}

// openSend makes the node that says, for each change of a left row, whom it refers to and no longer does.
func (j *foreign[K, V, K2, V2, R]) openSend(at edge.Place, next edge.Emit[K2, subscription]) (edge.Emit[K, Change[V]], error) {
	s := &sender[K, V, K2, V2, R]{foreign: j, next: next, keys: edge.NewKeyer(at, j.key), stale: at.Drop("stale"),
		noRef: at.Drop("null-foreign-key"), partition: at.Partition()}
	return s.receive, nil
}
