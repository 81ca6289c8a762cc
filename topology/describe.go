package topology

import (
	"fmt"
	"sort"
	"strings"

	"github.com/thalweg/thalweg/internal/edge"
)

// String describes the graph in the format of Kafka Streams, which its viewers read.
func (t *Topology) String() string {
	var w strings.Builder
	w.WriteString("Topologies:\n ")
	for _, s := range t.g.Subs {
		fmt.Fprintf(&w, "  Sub-topology: %d\n", s.ID)
		size := map[*edge.Node]int{}
		nodes := append([]*edge.Node{}, s.Nodes...)
		bySize(nodes, size)
		for _, n := range nodes {
			describeNode(&w, n, size)
		}
		w.WriteString("\n")
	}
	return w.String()
}

func describeNode(w *strings.Builder, n *edge.Node, size map[*edge.Node]int) {
	switch n.Kind {
	case edge.Source:
		topics := "[" + n.Topic.Short + "]"
		if n.Topic.Pattern != nil {
			topics = n.Topic.Short
		}
		fmt.Fprintf(w, "    Source: %s (topics: %s)\n", n.Name, topics)
	case edge.Sink:
		if n.Topic == nil {
			fmt.Fprintf(w, "    Sink: %s (extractor class: %v)\n", n.Name, n.Pos)
			break
		}
		fmt.Fprintf(w, "    Sink: %s (topic: %s)\n", n.Name, n.Topic.Short)
	default:
		stores := append([]string{}, n.Stores...)
		sort.Strings(stores)
		fmt.Fprintf(w, "    Processor: %s (stores: [%s])\n", n.Name, strings.Join(stores, ", "))
	}
	if n.Kind != edge.Sink {
		fmt.Fprintf(w, "      --> %s\n", nameList(n.Children, size))
	}
	if n.Kind != edge.Source {
		fmt.Fprintf(w, "      <-- %s\n", nameList(n.Parents, size))
	}
}

func nameList(nodes []*edge.Node, size map[*edge.Node]int) string {
	if len(nodes) == 0 {
		return "none"
	}
	nodes = append([]*edge.Node{}, nodes...)
	bySize(nodes, size)
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	return strings.Join(names, ", ")
}

// bySize sorts nodes by the size of what hangs below them, greatest first, then by name.
func bySize(nodes []*edge.Node, size map[*edge.Node]int) {
	sort.SliceStable(nodes, func(i, j int) bool {
		a, b := subtree(nodes[i], size), subtree(nodes[j], size)
		if a != b {
			return a > b
		}
		return nodes[i].Name < nodes[j].Name
	})
}

// subtree counts the paths that begin at n, n itself included.
func subtree(n *edge.Node, size map[*edge.Node]int) int {
	if size[n] == 0 {
		s := 1
		for _, c := range n.Children {
			s += subtree(c, size)
		}
		size[n] = s
	}
	return size[n]
}

// Mermaid draws the graph as a Mermaid flow chart: topics as rounded boxes, stores as cylinders.
func (t *Topology) Mermaid() string {
	var w strings.Builder
	w.WriteString("flowchart TD\n")
	topics := map[*edge.Topic]string{}
	for i, topic := range t.g.Topics {
		topics[topic] = fmt.Sprintf("t%d", i)
		fmt.Fprintf(&w, "  t%d([%q])\n", i, topic.Name)
	}
	for i, s := range t.g.Stores {
		fmt.Fprintf(&w, "  s%d[(%q)]\n", i, s.Name)
	}
	for _, sub := range t.g.Subs {
		fmt.Fprintf(&w, "  subgraph sub%d [sub-topology %d]\n", sub.ID, sub.ID)
		for _, n := range sub.Nodes {
			fmt.Fprintf(&w, "    n%d[%q]\n", n.ID, n.Name)
		}
		w.WriteString("  end\n")
	}
	for _, n := range t.g.Nodes {
		for _, c := range n.Children {
			fmt.Fprintf(&w, "  n%d --> n%d\n", n.ID, c.ID)
		}
		switch n.Kind {
		case edge.Source:
			fmt.Fprintf(&w, "  %s --> n%d\n", topics[n.Topic], n.ID)
		case edge.Sink:
			if n.Topic != nil {
				fmt.Fprintf(&w, "  n%d --> %s\n", n.ID, topics[n.Topic])
			}
		}
	}
	for i, s := range t.g.Stores {
		for _, n := range s.Nodes {
			fmt.Fprintf(&w, "  n%d --- s%d\n", n.ID, i)
		}
	}
	return w.String()
}
