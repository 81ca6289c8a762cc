package topology

import (
	"encoding/json"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/state"
)

// description is a topology for programs. Names of nodes are the references.
type description struct {
	App    string           `json:"app"`
	Subs   []subDescribed   `json:"sub_topologies"`
	Topics []topicDescribed `json:"topics"`
	Stores []storeDescribed `json:"stores"`
}

type subDescribed struct {
	ID    int             `json:"id"`
	Nodes []nodeDescribed `json:"nodes"`
}

type nodeDescribed struct {
	Name     string   `json:"name"`
	Kind     string   `json:"kind"` // "source", "sink", "processor"
	Key      string   `json:"key,omitempty"`
	Value    string   `json:"value,omitempty"`
	Topic    string   `json:"topic,omitempty"`
	Stores   []string `json:"stores,omitempty"`
	Children []string `json:"children,omitempty"`
	Position string   `json:"position"` // file:line of the call
}

type topicDescribed struct {
	Name       string   `json:"name"`
	Partitions int      `json:"partitions,omitempty"` // absent: as it is, or as the sources have
	Internal   bool     `json:"internal"`
	Rights     []string `json:"rights"`
}

type storeDescribed struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	Changelog string `json:"changelog,omitempty"`
	Sub       int    `json:"sub_topology"`
}

// MarshalJSON describes the graph for programs.
func (t *Topology) MarshalJSON() ([]byte, error) {
	d := description{App: t.g.App, Subs: []subDescribed{}, Topics: []topicDescribed{}, Stores: []storeDescribed{}}
	for _, s := range t.g.Subs {
		sub := subDescribed{ID: s.ID}
		for _, n := range s.Nodes {
			sub.Nodes = append(sub.Nodes, describe(n))
		}
		d.Subs = append(d.Subs, sub)
	}
	for _, p := range t.Topics() {
		d.Topics = append(d.Topics, topicDescribed(p))
	}
	for _, s := range t.g.Stores {
		store := storeDescribed{Name: s.Name, Type: state.PlanOf(s.Spec.(state.AnySpec)).Schema.String(), Changelog: s.Changelog, Sub: s.Sub.ID}
		if s.FromTopic != nil {
			store.Changelog = s.FromTopic.Name
		}
		d.Stores = append(d.Stores, store)
	}
	return json.Marshal(d)
}

func describe(n *edge.Node) nodeDescribed {
	d := nodeDescribed{Name: n.Name, Kind: "processor", Stores: n.Stores, Position: n.Pos}
	switch n.Kind {
	case edge.Source:
		d.Kind = "source"
	case edge.Sink:
		d.Kind = "sink"
	}
	if n.Key != nil {
		d.Key = n.Key.String()
	}
	if n.Val != nil {
		d.Value = n.Val.String()
	}
	if n.Topic != nil {
		d.Topic = n.Topic.Name
	}
	for _, c := range n.Children {
		d.Children = append(d.Children, c.Name)
	}
	return d
}
