package topology

import (
	"fmt"
	"reflect"

	"github.com/thalweg/thalweg/internal/edge"
)

// SinkTo writes each record to the topic that name picks, with serdes and partitioner of like, whose own name does not
// matter. The topics must exist: a record for one that does not is a failure to produce, answered by the app's policy.
func (o Output[K, V]) SinkTo[_ edge.Called](like Topic[K, V], name func(Record[K, V]) string) {
	if !o.ok() {
		return
	}
	if like.Key == nil || like.Value == nil || name == nil {
		o.b.Fail(0, "ToDynamic: the topic's Key and Value need a serde each, and the name a function: give all three")
		return
	}
	op := edge.Op{Kind: "KSTREAM-SINK", Reads: edge.Need{Key: true, Val: true}}
	n := o.b.add(op, edge.Sink, reflect.TypeFor[K](), reflect.TypeFor[V](), o.n)
	n.Open = func(t edge.Task) (any, error) {
		at := edge.Place{Task: t, Node: n}
		d := &dynamic[K, V]{sink: newSink(at, nil, like), name: name, outs: map[string]edge.Out{}}
		return edge.Emit[K, V](d.receive), nil
	}
}

// dynamic is a sink with many topics, in one task.
type dynamic[K, V any] struct {
	*sink[K, V]
	name func(Record[K, V]) string
	outs map[string]edge.Out
}

func (d *dynamic[K, V]) receive(m *edge.Meta, k K, v V) error {
	out, err := d.pick(m, k, v)
	if err != nil {
		return d.at.Task.Failed(d.at.Node, edge.Produce, err)
	}
	d.out = out
	return d.sink.receive(m, k, v)
}

func (d *dynamic[K, V]) pick(m *edge.Meta, k K, v V) (edge.Out, error) {
	r, err := RecordOf(m, k, v)
	if err != nil {
		return nil, err
	}
	name := d.name(r)
	if out := d.outs[name]; out != nil {
		return out, nil
	}
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("topic name: %w", err)
	}
	out, err := d.at.Out(&edge.Topic{Name: name, Short: name})
	if err != nil {
		return nil, fmt.Errorf("topic %q: %w", name, err)
	}
	d.outs[name] = out
	return out, nil
}
