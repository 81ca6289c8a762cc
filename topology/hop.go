package topology

import (
	"reflect"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
)

// Repartition sends the records through a topic of the app's own, by key, so that equal keys meet. Records without a
// key are dropped, unless all that reads them is a left or outer join. partitions 0 takes as many as the sources have.
func (o Output[K, V]) Repartition[_ edge.Called](name string, partitions int) Output[K, V] {
	if !o.ok() {
		return o
	}
	if err := checkName(name); err != nil {
		o.b.Fail(0, "Repartition: %v", err)
		return Output[K, V]{b: o.b}
	}
	if partitions < 0 {
		o.b.Fail(0, "Repartition %q into %d partitions, want 0 (as many as the sources have) or more", name, partitions)
	}
	var source *edge.Node
	keyed := o.Apply[K, V](edge.Op{Kind: "KSTREAM-FILTER", Label: name + "-repartition-filter", Keeps: edge.Need{Key: true, Val: true}},
		func(_ edge.Place, next edge.Emit[K, V]) (edge.Emit[K, V], error) {
			if takesNoKey(source) {
				return next, nil
			}
			return func(m *edge.Meta, k K, v V) error {
				if m.NoKey {
					return nil
				}
				return next(m, k, v)
			}, nil
		})
	out := keyed.Through(Hop[K, V]{Topic: name + "-repartition", Label: name + "-repartition", Partitions: partitions})
	source = out.n
	return out
}

// ByKey is Repartition where an operator needs equal keys to meet. All that need it of the same output share one topic,
// which has the name of the first: KIP-295's merged repartition topics.
func (o Output[K, V]) ByKey[_ edge.Called](name string) Output[K, V] {
	if !o.ok() {
		return o
	}
	if n, ok := o.b.byKey[o.n]; ok {
		return Output[K, V]{o.b, n}
	}
	out := o.Repartition(name, 0)
	if out.ok() {
		o.b.byKey[o.n] = out.n
	}
	return out
}

// takesNoKey reports whether something below n has a use for records without a key.
func takesNoKey(n *edge.Node) bool {
	for _, c := range n.Children {
		if c.TakesNoKey || c.Kind != edge.Sink && takesNoKey(c) {
			return true
		}
	}
	return false
}

// Hop is a topic of the app's own between two nodes.
type Hop[K, V any] struct {
	Topic      string // without the app's name
	Label      string // of the two nodes, with -sink and -source
	Partitions int    // 0: as many as the sources, or those joined with it, have
	// Serdes chooses the serdes by the bytes that come in; nil takes them, or those of the types.
	Serdes func(in edge.Serdes) (serde.Serde[K], serde.Serde[V], error)
	// Partition picks the partition; nil goes by the key's bytes.
	Partition func(k K, v V) int32

	key serde.Serde[K]
	val serde.Serde[V]
}

// Through sends the records through a topic. Its types are internal: it is for the operators of table and stream.
func (o Output[K, V]) Through[_ edge.Called](h Hop[K, V]) Output[K, V] {
	if !o.ok() {
		return o
	}
	t := o.b.internalTopic(h.Topic, h.Partitions)
	if t == nil {
		return Output[K, V]{b: o.b}
	}
	t.Partitioned = h.Partition != nil
	addSink(o, t, "KSTREAM-SINK", h.Label+"-sink", h.resolve, func(at edge.Place, out edge.Out) (edge.Emit[K, V], error) {
		topic := Topic[K, V]{Name: t.Name, Key: h.key, Value: h.val}
		if h.Partition != nil {
			topic.Partition = func(r Record[K, V], _ int) int { return int(h.Partition(r.Key, r.Value)) }
		}
		return openSink(at, out, topic)
	})
	n := o.b.add(edge.Op{Kind: "KSTREAM-SOURCE", Label: h.Label + "-source", Keeps: edge.Need{Key: true, Val: true}}, edge.Source,
		reflect.TypeFor[K](), reflect.TypeFor[V]())
	n.Topic, t.Source = t, n
	n.Resolve = func(*edge.Node, edge.Serdes) (edge.Serdes, error) { return edge.Serdes{Key: h.key, Val: h.val}, nil }
	n.Open = func(task edge.Task) (any, error) {
		return openEntrance(edge.Place{Task: task, Node: n}, Topic[K, V]{Name: t.Name, Key: h.key, Value: h.val})
	}
	return Output[K, V]{o.b, n}
}

// resolve settles the serdes at the writing end: those of the reading one are the same.
func (h *Hop[K, V]) resolve(b *Builder, n *edge.Node, in edge.Serdes) (err error) {
	if h.Serdes != nil {
		h.key, h.val, err = h.Serdes(in)
	} else if h.key, err = SerdeFor[K](b, in.Key); err == nil {
		h.val, err = SerdeFor[V](b, in.Val)
	}
	if err != nil {
		return err
	}
	h.key = serde.At(h.key, serde.Place{Topic: n.Topic.Name, Key: true})
	h.val = serde.At(h.val, serde.Place{Topic: n.Topic.Name})
	b.wrote(n.Pos, h.key, h.val)
	n.Topic.KeySerde, n.Topic.ValueSerde = serde.Name(h.key), serde.Name(h.val)
	n.Reads = edge.Need{Key: !sameBytes(in.Key, h.key) || h.Partition != nil, Val: !sameBytes(in.Val, h.val) || h.Partition != nil}
	return nil
}

// internalTopic declares a topic of the app's own.
func (b *Builder) internalTopic(short string, partitions int) *edge.Topic {
	full := b.app + "-" + short
	for _, t := range b.topics {
		if t.Name == full {
			b.Fail(0, "the repartition topic %q exists already (%s): names are durable and unique; share one by Repartition(name) first", full, t.Pos)
			return nil
		}
	}
	t := &edge.Topic{Name: full, Short: short, Internal: true, Partitions: partitions, Pos: position(0)}
	b.topics = append(b.topics, t)
	return t
}
