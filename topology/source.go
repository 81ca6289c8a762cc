package topology

import (
	"fmt"
	"reflect"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/window"
)

// Source reads a topic. Reading the same topic twice gives the same source. Topics of a pattern are read as one: their
// partitions of one number go to the same task, by time as other inputs do.
func Source[K, V any](b *Builder, t Topic[K, V]) Output[K, V] {
	t, ok := ready(b, t)
	if !ok {
		return Output[K, V]{b: b}
	}
	topic := b.read(t.Name, t.Pattern)
	if topic == nil {
		return Output[K, V]{b: b}
	}
	if n := topic.Source; n != nil {
		if n.Key == reflect.TypeFor[K]() && n.Val == reflect.TypeFor[V]() {
			return Output[K, V]{b, n}
		}
		b.Fail(0, "topic %q is read as %v, %v already (%s): read it once and map it", topic.Name, n.Key, n.Val, n.Pos)
		return Output[K, V]{b: b}
	}
	adoptTopic(topic, t)
	n := b.add(edge.Op{Kind: "KSTREAM-SOURCE", Keeps: edge.Need{Key: true, Val: true}}, edge.Source,
		reflect.TypeFor[K](), reflect.TypeFor[V]())
	n.Topic, topic.Source, topic.Pos = topic, n, n.Pos
	n.Resolve = func(*edge.Node, edge.Serdes) (edge.Serdes, error) { return edge.Serdes{Key: t.Key, Val: t.Value}, nil }
	n.Open = func(task edge.Task) (any, error) { return openEntrance(edge.Place{Task: task, Node: n}, t) }
	return Output[K, V]{b, n}
}

// adoptTopic notes what the first use of a topic says of it.
func adoptTopic[K, V any](topic *edge.Topic, t Topic[K, V]) {
	topic.Partitions = max(topic.Partitions, t.Partitions)
	if topic.Settings == nil {
		topic.Settings = t.Settings
	}
	topic.Reset = edge.Reset{Latest: t.Reset.latest, None: t.Reset.none, Back: t.Reset.back}
	topic.KeySerde, topic.ValueSerde = serde.Name(t.Key), serde.Name(t.Value)
}

// entrance is a source in one task. It decodes what the graph below needs and no more.
type entrance[K, V any] struct {
	at       edge.Place
	topic    Topic[K, V]
	next     edge.Emit[K, V]
	key      serde.Serde[K]
	val      serde.Serde[V]
	needs    edge.Need
	bare     bool // nothing is decoded
	nullVals bool
	badTime  *int64

	// The record last decoded for its time: it is the next to be pushed, unless the partition was rewound.
	head struct {
		topic     string
		partition int32
		offset    int64
		k         K
		v         V
		ok        bool
	}
}

func openEntrance[K, V any](at edge.Place, t Topic[K, V]) (edge.Entrance, error) {
	next, err := edge.Next[K, V](at)
	if err != nil {
		return nil, err
	}
	e := &entrance[K, V]{
		at: at, topic: t, next: next, key: serde.Single(t.Key), val: serde.Single(t.Value),
		needs: at.Node.Wants, nullVals: serde.TakesNull(t.Value), badTime: at.Drop("bad-time"),
	}
	if t.Check || t.Timestamp != nil {
		e.needs = edge.Need{Key: true, Val: true}
	}
	e.bare = e.needs == edge.Need{}
	return e, nil
}

// Time implements edge.Entrance.
func (e *entrance[K, V]) Time(m *edge.Meta, partition int64) (t int64, skip bool, err error) {
	t = m.Time
	if e.topic.Timestamp != nil {
		k, v, ok, err := e.decode(m)
		if err != nil || !ok {
			return 0, true, err
		}
		r, err := RecordOf(m, k, v)
		if err != nil {
			return 0, true, e.at.Task.Failed(e.at.Node, edge.Decode, err)
		}
		t = int64(window.At(e.topic.Timestamp(r)))
		h := &e.head
		h.topic, h.partition, h.offset, h.k, h.v, h.ok = m.Topic, m.Partition, m.Offset, k, v, true
	}
	if t >= 0 {
		return t, false, nil
	}
	switch e.topic.BadTime {
	case BadTimeSkip:
		*e.badTime++
		return 0, true, nil
	case BadTimeNow:
		return e.at.Now(), false, nil
	case BadTimePartitionTime:
		if partition >= 0 {
			return partition, false, nil
		}
		err = fmt.Errorf("time %d ms is before 1970 and the partition has none yet to take instead", t)
	default:
		err = fmt.Errorf("time %d ms is before 1970: set Topic.Timestamp or Topic.BadTime", t)
	}
	return 0, true, e.at.Task.Failed(e.at.Node, edge.Decode, err)
}

// Push implements edge.Entrance.
func (e *entrance[K, V]) Push(m *edge.Meta) error {
	if e.bare && (m.Val != nil || e.nullVals) {
		var k K
		var v V
		m.NoKey = m.Key.Bytes == nil
		return e.next(m, k, v)
	}
	if h := &e.head; h.ok && h.offset == m.Offset && h.partition == m.Partition && h.topic == m.Topic {
		h.ok = false
		m.NoKey = m.Key.Bytes == nil
		return e.next(m, h.k, h.v)
	}
	k, v, ok, err := e.decode(m)
	if err != nil || !ok {
		return err
	}
	return e.next(m, k, v)
}

// decode reads what is needed of m. ok is false if the record failed and the app's policy went on.
func (e *entrance[K, V]) decode(m *edge.Meta) (k K, v V, ok bool, err error) {
	m.NoKey = m.Key.Bytes == nil
	if e.needs.Key && !m.NoKey {
		if k, err = e.key.Decode(m.Key.Bytes); err != nil {
			return k, v, false, e.at.Task.Failed(e.at.Node, edge.Decode, fmt.Errorf("key: %w", err))
		}
	}
	if m.Val == nil && !e.nullVals {
		return k, v, false, e.at.Task.Failed(e.at.Node, edge.Decode,
			fmt.Errorf("null value where a %v was expected: read the topic through topology.Nullable if nulls belong there", e.at.Node.Val))
	}
	if e.needs.Val {
		if v, err = e.val.Decode(m.Val); err != nil {
			return k, v, false, e.at.Task.Failed(e.at.Node, edge.Decode, fmt.Errorf("value: %w", err))
		}
	}
	return k, v, true, nil
}
