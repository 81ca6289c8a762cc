package topology

import (
	"slices"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/state"
)

// sort brings parents before their children: a side node may have been there before its parent.
func (b *Builder) sort() {
	sorted, seen := make([]*edge.Node, 0, len(b.nodes)), map[*edge.Node]bool{}
	var visit func(n *edge.Node)
	visit = func(n *edge.Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, p := range n.Parents {
			visit(p)
		}
		sorted = append(sorted, n)
	}
	for _, n := range b.nodes {
		if what := b.waiting[n]; what != "" {
			b.failAt(n.Pos, "%s", what)
		}
		visit(n)
	}
	b.nodes = sorted
}

// resolve runs what needs the whole graph: serdes forward, needs backward.
func (b *Builder) resolve() {
	for _, n := range b.nodes {
		in := incoming(n)
		n.In, n.Out = in, edge.Serdes{}
		if n.Keeps.Key {
			n.Out.Key = in.Key
		}
		if n.Keeps.Val {
			n.Out.Val = in.Val
		}
		if n.Resolve == nil {
			continue
		}
		out, err := n.Resolve(n, in)
		if err != nil {
			b.failAt(n.Pos, "%s: %v", n.Name, err)
			continue
		}
		n.Out = out
	}
	for _, s := range b.stores {
		if len(b.errs) > 0 {
			break // serdes may be missing
		}
		if s.Spec == nil {
			s.Spec = s.Later()
		}
		if err := state.PlanOf(s.Spec.(state.AnySpec)).Err; err != nil {
			b.failAt(s.Pos, "%v", err)
		}
	}
	for i := len(b.nodes) - 1; i >= 0; i-- {
		n := b.nodes[i]
		n.Wants = n.Reads
		for _, c := range n.Children {
			keeps := n.Keeps
			if c.Side != "" {
				keeps = c.Passes
			}
			n.Wants.Key = n.Wants.Key || keeps.Key && c.Wants.Key
			n.Wants.Val = n.Wants.Val || keeps.Val && c.Wants.Val
		}
	}
}

// incoming returns what all parents of n agree on.
func incoming(n *edge.Node) edge.Serdes {
	if len(n.Parents) == 0 {
		return edge.Serdes{}
	}
	if n.Side != "" {
		in := n.Parents[0].In
		if !n.Passes.Key {
			in.Key = nil
		}
		if !n.Passes.Val {
			in.Val = nil
		}
		return in
	}
	in := n.Parents[0].Out
	for _, p := range n.Parents[1:] {
		if !equal(p.Out.Key, in.Key) {
			in.Key = nil
		}
		if !equal(p.Out.Val, in.Val) {
			in.Val = nil
		}
	}
	return in
}

// equal is == for serdes of any type; those that cannot be compared are unequal.
func equal(a, b any) (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	return a == b
}

// graph parts the nodes into sub-topologies and finishes them.
func (b *Builder) graph() *edge.Graph {
	g := &edge.Graph{App: b.app, Nodes: b.nodes, Topics: b.topics, Groups: b.groups}
	root := map[*edge.Node]*edge.Node{}
	var find func(n *edge.Node) *edge.Node
	find = func(n *edge.Node) *edge.Node {
		if root[n] == nil || root[n] == n {
			return n
		}
		root[n] = find(root[n])
		return root[n]
	}
	join := func(a, c *edge.Node) {
		a, c = find(a), find(c)
		if a.ID < c.ID {
			a, c = c, a
		}
		if a != c {
			root[a] = c
		}
	}
	for _, n := range b.nodes {
		for _, p := range n.Parents {
			join(n, p)
		}
	}
	for _, s := range b.stores {
		if s.Global {
			continue // its readers are not of the part that fills it
		}
		for _, n := range s.Nodes[1:] {
			join(s.Nodes[0], n)
		}
	}
	subs := map[*edge.Node]*edge.Sub{}
	for _, n := range b.nodes { // in order, so that numbers follow the first node of each
		r := find(n)
		s := subs[r]
		switch {
		case s != nil:
		case n.Kind == edge.Source && n.Topic.Global:
			s = &edge.Sub{ID: len(g.Subs) + len(g.Globals)}
			subs[r] = s
			g.Globals = append(g.Globals, s)
		default:
			s = &edge.Sub{ID: len(g.Subs)}
			subs[r] = s
			g.Subs = append(g.Subs, s)
		}
		n.Sub = s
		s.Nodes = append(s.Nodes, n)
		if n.Kind == edge.Source {
			s.Sources = append(s.Sources, n)
		}
	}
	b.placeStores(g)
	return g
}

// placeStores gives each store to the part whose tasks keep it.
func (b *Builder) placeStores(g *edge.Graph) {
	for _, s := range b.stores {
		s.Sub = s.Nodes[0].Sub
		for _, n := range s.Nodes {
			if s.Global && slices.Contains(g.Globals, n.Sub) {
				s.Sub = n.Sub // the one that fills it
			}
		}
		s.Sub.Stores = append(s.Sub.Stores, s)
		if s.Global {
			continue
		}
		g.Stores = append(g.Stores, s)
		if state.PlanOf(s.Spec.(state.AnySpec)).Changelog && s.FromTopic == nil {
			s.Changelog = b.app + "-" + s.Name + "-changelog"
		}
	}
}

// Topology is a finished graph. It is immutable.
type Topology struct{ g *edge.Graph }

// Name returns the app's durable name.
func (t *Topology) Name() string { return t.g.App }

// Graph returns the graph inside. Its type is internal.
func (t *Topology) Graph() *edge.Graph { return t.g }

// Topics lists what must exist or will be made, with the rights the app needs on each.
func (t *Topology) Topics() []TopicPlan {
	var plans []TopicPlan
	for _, topic := range t.g.Topics {
		p := TopicPlan{Name: topic.Name, Partitions: topic.Partitions, Internal: topic.Internal}
		if topic.Source != nil {
			p.Rights = append(p.Rights, "read")
		}
		if len(topic.Sinks) > 0 {
			p.Rights = append(p.Rights, "write")
		}
		if topic.Internal {
			p.Rights = append(p.Rights, "create", "delete records")
		}
		plans = append(plans, p)
	}
	for _, s := range t.g.Stores {
		if s.Changelog != "" {
			plans = append(plans, TopicPlan{Name: s.Changelog, Internal: true, Rights: []string{"read", "write", "create"}})
		}
	}
	return plans
}

// TopicPlan is one topic the app uses.
type TopicPlan struct {
	Name       string
	Partitions int // 0: as it is, or as the sources have
	Internal   bool
	Rights     []string
}

// Global makes the store and the topic of the source ones that every instance has in full. The store's first node is the
// one that fills it. Its types are internal.
func (b *Builder) Global(store string, source *edge.Node) {
	source.Topic.Global = true
	for _, s := range b.stores {
		if s.Name == store {
			s.Global = true
		}
	}
}

// RestoreFrom makes the source topic of the node the changelog of the store: for tables read from a topic. Its types
// are internal.
func (b *Builder) RestoreFrom(store string, source *edge.Node) {
	for _, s := range b.stores {
		if s.Name == store {
			s.FromTopic = source.Topic
			source.Topic.Table = true
		}
	}
}
