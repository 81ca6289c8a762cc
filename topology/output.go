package topology

import (
	"reflect"
	"regexp"

	"github.com/thalweg/thalweg/internal/edge"
)

// Output is the typed handle of what a node emits.
type Output[K, V any] struct {
	b *Builder
	n *edge.Node
}

// ok reports whether o belongs to a builder; the zero Output and those of mistakes do not.
func (o Output[K, V]) ok() bool { return o.b != nil && o.n != nil }

// Builder returns the builder the output belongs to.
func (o Output[K, V]) Builder() *Builder { return o.b }

// Node returns the node inside. Its type is internal.
func (o Output[K, V]) Node() *edge.Node { return o.n }

// Named labels the node, for Describe, metrics and errors. The label is not durable.
func (o Output[K, V]) Named[_ edge.Called](name string) Output[K, V] {
	if !o.ok() {
		return o
	}
	if name == "" {
		o.b.Fail(0, "Named: empty name: give one, or leave Named out")
		return o
	}
	for _, n := range o.b.nodes {
		if n != o.n && n.Name == name {
			o.b.Fail(0, "a node named %q exists already (%s): choose another name", name, n.Pos)
		}
	}
	o.n.Name, o.n.Label = name, name
	return o
}

// Apply adds a node: step makes its receive function around what comes next, once for each task. The DSL is made of
// it, and its types are internal, so that nobody else calls it: it is the door from stream and table.
func (o Output[K, V]) Apply[K2, V2 any](op edge.Op, step func(at edge.Place, next edge.Emit[K2, V2]) (edge.Emit[K, V], error)) Output[K2, V2] {
	if !o.ok() {
		return Output[K2, V2]{}
	}
	n := o.b.add(op, edge.Processor, reflect.TypeFor[K2](), reflect.TypeFor[V2](), o.n)
	n.Open = func(t edge.Task) (any, error) {
		at := edge.Place{Task: t, Node: n}
		next, err := edge.Next[K2, V2](at)
		if err != nil {
			return nil, err
		}
		return step(at, next)
	}
	return Output[K2, V2]{o.b, n}
}

// Merge joins outputs into one. Each keeps its order.
func (o Output[K, V]) Merge[_ edge.Called](others ...Output[K, V]) Output[K, V] {
	if !o.ok() {
		return o
	}
	parents := []*edge.Node{o.n}
	for _, x := range others {
		if x.b != nil && x.b != o.b {
			o.b.Fail(0, "Merge of outputs of different builders: read all of them with one")
			continue
		}
		parents = append(parents, x.n)
	}
	t := reflect.TypeFor[K]()
	n := o.b.add(edge.Op{Kind: "KSTREAM-MERGE", Keeps: edge.Need{Key: true, Val: true}}, edge.Processor, t, reflect.TypeFor[V](), parents...)
	n.Open = func(t edge.Task) (any, error) {
		next, err := edge.Next[K, V](edge.Place{Task: t, Node: n})
		if err != nil {
			return nil, err
		}
		if n.Out.Key != nil {
			return next, nil
		}
		// The parents' bytes differ, so a hash of one's must not pass for that of the key's new bytes.
		return func(m *edge.Meta, k K, v V) error {
			m.Hashed = false
			return next(m, k, v)
		}, nil
	}
	return Output[K, V]{o.b, n}
}

// Side returns what the node emits under tag.
func (o Output[K, V]) Side[K2, V2 any](tag Tag[K2, V2]) Output[K2, V2] {
	if !o.ok() {
		return Output[K2, V2]{}
	}
	if tag.Name == "" {
		o.b.Fail(0, "Side of a tag without a name: give its Name")
		return Output[K2, V2]{b: o.b}
	}
	for _, c := range o.n.Children {
		if c.Side != tag.Name {
			continue
		}
		if c.Key != reflect.TypeFor[K2]() || c.Val != reflect.TypeFor[V2]() {
			o.b.Fail(0, "the tag %q is of %v, %v already (%s): a tag has one pair of types, choose another name", tag.Name, c.Key, c.Val, c.Pos)
			return Output[K2, V2]{b: o.b}
		}
		return Output[K2, V2]{o.b, c}
	}
	return o.Aside[K2, V2](edge.Op{Kind: "SIDE-" + tag.Name}, tag.Name)
}

// Aside adds a node below o's that stands apart from what follows it: the step of o's node feeds it by tag, see
// edge.Aside. Operators with several outputs are made of it, and its types are internal.
func (o Output[K, V]) Aside[K2, V2 any](op edge.Op, tag string) Output[K2, V2] {
	if !o.ok() {
		return Output[K2, V2]{}
	}
	n := o.b.add(op, edge.Processor, reflect.TypeFor[K2](), reflect.TypeFor[V2](), o.n)
	n.Side = tag
	n.Open = func(t edge.Task) (any, error) { return edge.Next[K2, V2](edge.Place{Task: t, Node: n}) }
	return Output[K2, V2]{o.b, n}
}

// AsideLater is Aside for a parent that is not there yet: attach gives it. without says what is wrong if that never
// happens. Its types are internal.
func AsideLater[K, V any](b *Builder, op edge.Op, tag, without string) (out Output[K, V], attach func(parent *edge.Node)) {
	n := b.add(op, edge.Processor, reflect.TypeFor[K](), reflect.TypeFor[V]())
	n.Side = tag
	n.Open = func(t edge.Task) (any, error) { return edge.Next[K, V](edge.Place{Task: t, Node: n}) }
	b.waiting[n] = without
	return Output[K, V]{b, n}, func(parent *edge.Node) {
		delete(b.waiting, n)
		n.Parents = append(n.Parents, parent)
		parent.Children = append(parent.Children, n)
	}
}

// read declares a topic of the user's that is read, by name or by pattern.
func (b *Builder) read(name string, pattern *regexp.Regexp) *edge.Topic {
	switch {
	case pattern == nil:
		return b.topic(name)
	case name != "":
		b.Fail(0, "topic %q has the Pattern %q too: give one of the two", name, pattern)
		return nil
	}
	name = edge.PatternName(pattern)
	for _, t := range b.topics {
		if t.Name == name {
			return t
		}
	}
	t := &edge.Topic{Name: name, Short: pattern.String(), Pattern: pattern, Pos: position(0)}
	b.topics = append(b.topics, t)
	return t
}

// named reports whether a topic has a name, which its use needs: what has a pattern instead is read by stream.From alone.
func named[K, V any](b *Builder, use string, t Topic[K, V]) bool {
	if t.Pattern != nil {
		b.Fail(0, "%s of the pattern %q: a pattern is for stream.From; give the topic a Name", use, t.Pattern)
	}
	return t.Pattern == nil
}

// topic declares a topic of the user's.
func (b *Builder) topic(name string) *edge.Topic {
	if err := checkName(name); err != nil {
		b.Fail(0, "topic name: %v", err)
		return nil
	}
	for _, t := range b.topics {
		if t.Name == name {
			return t
		}
	}
	t := &edge.Topic{Name: name, Short: name, Pos: position(0)}
	b.topics = append(b.topics, t)
	return t
}
