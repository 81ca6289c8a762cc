package kafka

import (
	"context"
	"fmt"
)

// Peer is a member of a group of instances, as its coordinator knows it.
type Peer struct {
	Instance string  // its lasting name
	Addr     string  // GroupConfig.Addr
	Places   []Place // what it is assigned
	Copies   []Copy  // that it is to hold
}

// Peers returns the members of a group. While it rebalances they may have nothing assigned.
func (c *Client) Peers(ctx context.Context, group string) (ps []Peer, err error) {
	gs, err := c.admin.DescribeGroups(ctx, group)
	if err == nil {
		err = gs.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: describe group %q: %w", group, err)
	}
	for _, m := range gs[group].Members {
		p := Peer{}
		if m.InstanceID != nil {
			p.Instance = *m.InstanceID
		}
		if meta, ok := m.Join.AsConsumer(); ok {
			p.Addr = parseTold(meta.UserData).Addr
		}
		if a, ok := m.Assigned.AsConsumer(); ok {
			p.Copies = parseGiven(a.UserData).Copies
			for _, t := range a.Topics {
				for _, i := range t.Partitions {
					p.Places = append(p.Places, Place{t.Topic, i})
				}
			}
		}
		ps = append(ps, p)
	}
	return ps, nil
}
