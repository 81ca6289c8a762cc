package topology

import (
	"fmt"
	"reflect"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
)

// Sink writes to a topic.
func (o Output[K, V]) Sink[_ edge.Called](t Topic[K, V]) {
	if !o.ok() {
		return
	}
	t, ok := ready(o.b, t)
	if !ok || !named(o.b, "To", t) {
		return
	}
	topic := o.b.topic(t.Name)
	if topic == nil {
		return
	}
	if len(topic.Sinks) == 0 && topic.Source == nil {
		adoptTopic(topic, t)
	}
	topic.Partitioned = topic.Partitioned || t.Partition != nil
	o.b.wrote(position(0), t.Key, t.Value)
	addSink(o, topic, "KSTREAM-SINK", "", func(_ *Builder, n *edge.Node, in edge.Serdes) error {
		n.Reads = edge.Need{Key: !sameBytes(in.Key, t.Key), Val: !sameBytes(in.Val, t.Value)}
		if t.Partition != nil {
			n.Reads = edge.Need{Key: true, Val: true}
		}
		return nil
	}, func(at edge.Place, out edge.Out) (edge.Emit[K, V], error) { return openSink(at, out, t) })
}

// sameBytes reports whether what have has encoded can be copied where want would encode.
func sameBytes[T any](have any, want serde.Serde[T]) bool {
	h, ok := have.(serde.Serde[T])
	return ok && serde.Same(h, want)
}

func addSink[K, V any](o Output[K, V], topic *edge.Topic, kind, label string,
	resolve func(*Builder, *edge.Node, edge.Serdes) error, open func(edge.Place, edge.Out) (edge.Emit[K, V], error)) {
	n := o.b.add(edge.Op{Kind: kind, Label: label}, edge.Sink, reflect.TypeFor[K](), reflect.TypeFor[V](), o.n)
	n.Topic = topic
	topic.Sinks = append(topic.Sinks, n)
	n.Resolve = func(n *edge.Node, in edge.Serdes) (edge.Serdes, error) {
		return edge.Serdes{}, resolve(o.b, n, in)
	}
	n.Open = func(t edge.Task) (any, error) {
		out, err := t.Out(topic)
		if err != nil {
			return nil, err
		}
		return open(edge.Place{Task: t, Node: n}, out)
	}
}

// sink is a sink in one task.
type sink[K, V any] struct {
	at               edge.Place
	out              edge.Out
	topic            Topic[K, V]
	copyKey, copyVal bool
	k, v, h          []byte // buffers
}

func openSink[K, V any](at edge.Place, out edge.Out, t Topic[K, V]) (edge.Emit[K, V], error) {
	return newSink(at, out, t).receive, nil
}

func newSink[K, V any](at edge.Place, out edge.Out, t Topic[K, V]) *sink[K, V] {
	return &sink[K, V]{
		at: at, out: out, topic: t, k: make([]byte, 0, 64), v: make([]byte, 0, 256), h: make([]byte, 0, 64),
		copyKey: sameBytes(at.Node.In.Key, t.Key), copyVal: sameBytes(at.Node.In.Val, t.Value),
	}
}

func (s *sink[K, V]) receive(m *edge.Meta, k K, v V) error {
	key, val, err := s.encode(m, k, v)
	if err != nil {
		return s.at.Task.Failed(s.at.Node, edge.Produce, err)
	}
	partition := int32(-1)
	switch {
	case s.topic.Partition != nil:
		if partition, err = s.choose(m, k, v); err != nil {
			return s.at.Task.Failed(s.at.Node, edge.Produce, err)
		}
	case key != nil:
		partition = Partition(serde.PartitionKey(s.topic.Key, key), s.out.Partitions())
	}
	var headers []byte
	if m.Headers != nil || len(m.RawHeaders) > 0 {
		s.h = m.AppendRaw(s.h[:0])
		headers = s.h
	}
	return s.out.Append(partition, m.Time, key, val, headers)
}

// encode returns the bytes of key and value: those there are, where they are of the sink's own serdes.
func (s *sink[K, V]) encode(m *edge.Meta, k K, v V) (key, val []byte, err error) {
	switch {
	case m.NoKey:
	case s.copyKey:
		key = m.Key.Bytes
	default:
		if key, err = s.topic.Key.Append(s.k[:0], k); err != nil {
			return nil, nil, fmt.Errorf("key: %w", err)
		}
		if key != nil {
			s.k = key
		}
	}
	if s.copyVal {
		return key, m.Val, nil
	}
	if val, err = s.topic.Value.Append(s.v[:0], v); err != nil {
		return nil, nil, fmt.Errorf("value: %w", err)
	}
	if val != nil {
		s.v = val
	}
	return key, val, nil
}

func (s *sink[K, V]) choose(m *edge.Meta, k K, v V) (int32, error) {
	r, err := RecordOf(m, k, v)
	if err != nil {
		return 0, err
	}
	n := int(s.out.Partitions())
	p := s.topic.Partition(r, n)
	if p < 0 || p >= n {
		return 0, fmt.Errorf("Topic.Partition of %q chose partition %d of %d", s.topic.Name, p, n)
	}
	return int32(p), nil
}

// Partition returns the partition of n that a record with that key goes to: murmur2, as the Java client has it.
func Partition(key []byte, n int32) int32 { return int32(murmur2(key)&0x7fffffff) % n }

// PartitionOf returns the partition of n in which a store has the row of a key, in bytes. Its types are internal.
func PartitionOf(s *edge.Store, key []byte, n int32) int32 {
	k, _ := state.Serdes(s.Spec.(state.AnySpec))
	return Partition(serde.PartitionKey(k, key), n)
}

// murmur2 is the 32-bit hash of Kafka's default partitioner, seed included.
func murmur2(b []byte) uint32 {
	const m, r = 0x5bd1e995, 24
	h := uint32(0x9747b28c) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h = h*m ^ k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
