package topology

import (
	"fmt"
	"strings"

	"github.com/thalweg/thalweg/internal/edge"
)

// DOT draws the graph for Graphviz: topics as ovals, stores as cylinders, sub-topologies as clusters.
func (t *Topology) DOT() string {
	var w strings.Builder
	fmt.Fprintf(&w, "digraph %q {\n  rankdir=TB\n  node [shape=box]\n", t.g.App)
	for i, topic := range t.g.Topics {
		fmt.Fprintf(&w, "  t%d [label=%q shape=oval]\n", i, topic.Name)
	}
	for i, s := range t.g.Stores {
		fmt.Fprintf(&w, "  s%d [label=%q shape=cylinder]\n", i, s.Name)
	}
	for _, sub := range t.g.Subs {
		fmt.Fprintf(&w, "  subgraph cluster_%d {\n    label=\"sub-topology %d\"\n", sub.ID, sub.ID)
		for _, n := range sub.Nodes {
			fmt.Fprintf(&w, "    n%d [label=%q]\n", n.ID, n.Name)
		}
		w.WriteString("  }\n")
	}
	topics := map[*edge.Topic]int{}
	for i, topic := range t.g.Topics {
		topics[topic] = i
	}
	for _, n := range t.g.Nodes {
		for _, c := range n.Children {
			fmt.Fprintf(&w, "  n%d -> n%d\n", n.ID, c.ID)
		}
		switch {
		case n.Kind == edge.Source:
			fmt.Fprintf(&w, "  t%d -> n%d\n", topics[n.Topic], n.ID)
		case n.Kind == edge.Sink && n.Topic != nil:
			fmt.Fprintf(&w, "  n%d -> t%d\n", n.ID, topics[n.Topic])
		}
	}
	for i, s := range t.g.Stores {
		for _, n := range s.Nodes {
			fmt.Fprintf(&w, "  n%d -> s%d [dir=none style=dashed]\n", n.ID, i)
		}
	}
	w.WriteString("}\n")
	return w.String()
}
