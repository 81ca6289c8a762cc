package coord

import (
	"maps"
	"slices"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// Types of groups, as Kafka names them.
const (
	TypeClassic  = "classic"
	TypeConsumer = "consumer"
)

// ConsumerDescription is a group by KIP-848 in full.
type ConsumerDescription struct {
	State             string
	Epoch, Assignment int32 // of the group, and of its target assignment
	Assignor          string
	Members           []DescribedConsumer
}

// DescribedConsumer is a member in a ConsumerDescription.
type DescribedConsumer struct {
	ID, Instance, Rack, Client, Host string
	Epoch                            int32
	Classic                          bool // it speaks the classic protocol
	Topics                           []string
	Regex                            string
	Assigned, Target                 []IDPartition
}

// DescribeConsumers returns the group called id, if it is one by KIP-848.
func (s *Groups) DescribeConsumers(id string) (d ConsumerDescription, c code.Code) {
	g, c := s.lock(id, false)
	if c != code.None {
		return d, c
	}
	defer g.mu.Unlock()
	x := g.consumers
	if x == nil {
		return d, code.GroupIDNotFound
	}
	d = ConsumerDescription{State: x.stateName(), Epoch: x.epoch, Assignment: x.assigned, Assignor: x.assignor}
	if d.Assignor == "" {
		d.Assignor = x.elect()
	}
	for _, id := range slices.Sorted(maps.Keys(x.members)) {
		m := x.members[id]
		d.Members = append(d.Members, DescribedConsumer{
			ID: m.id, Instance: m.instance, Rack: m.rack, Client: m.client, Host: m.host, Epoch: m.epoch, Classic: m.classic != nil,
			Topics: m.names, Regex: m.regex, Assigned: m.assigned.sorted(), Target: m.target.sorted(),
		})
	}
	return d, code.None
}

// CheckMember reports whether a member that asks for offsets is current: its epoch may be -1 for who is no member.
func (s *Groups) CheckMember(group string, member *string, epoch int32) code.Code {
	if epoch < 0 && (member == nil || *member == "") {
		return code.None
	}
	g, c := s.lock(group, false)
	if c == code.GroupIDNotFound {
		return code.None // it has no offsets either
	}
	if c != code.None {
		return c
	}
	defer g.mu.Unlock()
	if g.consumers == nil {
		return code.None // the classic protocol has no epochs of members
	}
	id := ""
	if member != nil {
		id = *member
	}
	return g.consumers.mayCommit(id, epoch, code.StaleMemberEpoch)
}
