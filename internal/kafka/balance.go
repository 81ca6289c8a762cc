package kafka

import (
	"fmt"
	"sort"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Unit is what can only be assigned as one: the partitions that a task reads.
type Unit struct {
	Name     string
	Places   []Place
	Stateful bool // it has state that others can have a copy of
}

// Assign says which units there are, for the partition counts that the group's leader sees.
type Assign func(partitions map[string]int32) []Unit

// balancer assigns units to members: cooperatively, each stays where it is as long as no member has more than its share.
type balancer struct {
	units     Assign
	copies    Copies
	addr      string // of this member, see GroupConfig
	rack      string
	standings func() map[string]Standing

	mu    sync.Mutex
	given given // by the last assignment
}

// protocolName names the assignment: members of other kinds cannot join the group.
const protocolName = "thalweg-cooperative-sticky"

func (*balancer) ProtocolName() string { return protocolName }
func (*balancer) IsCooperative() bool  { return true }

func (b *balancer) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.Topics, meta.Generation = 3, topics, generation
	meta.UserData = userData(told{b.addr, b.standings()})
	if b.rack != "" {
		meta.Rack = kmsg.StringPtr(b.rack)
	}
	names := make([]string, 0, len(owned))
	for t := range owned {
		names = append(names, t)
	}
	sort.Strings(names)
	for _, t := range names {
		o := kmsg.NewConsumerMemberMetadataOwnedPartition()
		o.Topic, o.Partitions = t, owned[t]
		meta.OwnedPartitions = append(meta.OwnedPartitions, o)
	}
	return meta.AppendTo(nil)
}

func (b *balancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	var a kmsg.ConsumerMemberAssignment
	if err := a.ReadFrom(assignment); err != nil {
		return nil, fmt.Errorf("kafka: the assignment: %w", err)
	}
	b.mu.Lock()
	b.given = parseGiven(a.UserData)
	b.mu.Unlock()
	m := make(map[string][]int32, len(a.Topics))
	for _, t := range a.Topics {
		m[t.Topic] = append(m[t.Topic], t.Partitions...)
	}
	return m, nil
}

// held returns what the last assignment gave beside partitions.
func (b *balancer) held() given {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.given
}

func (b *balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	cb, err := kgo.NewConsumerBalancer(b, members)
	if err != nil {
		return nil, nil, err
	}
	return cb, cb.MemberTopics(), nil
}

// Balance implements kgo.ConsumerBalancerBalance.
func (b *balancer) Balance(cb *kgo.ConsumerBalancer, topics map[string]int32) kgo.IntoSyncAssignment {
	r := roster{units: b.units(topics), copies: b.copies}
	owner := map[Place]int{} // by what members say they have; a later generation's word counts more
	word := map[Place]int32{}
	cb.EachMember(func(_ *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		n := len(r.members)
		for _, o := range meta.OwnedPartitions {
			for _, p := range o.Partitions {
				at := Place{o.Topic, p}
				if _, ok := owner[at]; !ok || meta.Generation > word[at] {
					owner[at], word[at] = n, meta.Generation
				}
			}
		}
		c := candidate{standings: parseTold(meta.UserData).Standings}
		if meta.Rack != nil {
			c.rack = *meta.Rack
		}
		r.members = append(r.members, c)
	})
	for _, u := range r.units {
		r.owner = append(r.owner, -1)
		for _, p := range u.Places {
			if m, ok := owner[p]; ok {
				r.owner[len(r.owner)-1] = m
				break
			}
		}
	}
	return r.plan(cb)
}

// plan is the placement as members are told it.
func (r *roster) plan(cb *kgo.ConsumerBalancer) kgo.IntoSyncAssignment {
	p := r.place()
	plan := planned{cb.NewPlan(), map[string]given{}}
	for u, unit := range r.units {
		m, _ := cb.MemberAt(p.active[u])
		for _, at := range unit.Places {
			plan.AddPartition(m, at.Topic, at.Partition)
		}
		give := func(to []int, warmUp bool) {
			for _, i := range to {
				m, _ := cb.MemberAt(i)
				g := plan.given[m.MemberID]
				g.Copies = append(g.Copies, Copy{unit.Name, warmUp})
				plan.given[m.MemberID] = g
			}
		}
		give(p.standby[u], false)
		give(p.warmUp[u], true)
	}
	whole := plan.sizes()
	plan.AdjustCooperative(cb)
	for member, n := range plan.sizes() {
		if n < whole[member] {
			g := plan.given[member]
			g.More = true
			plan.given[member] = g
		}
	}
	return plan
}

// planned is a plan with what members are given beside partitions.
type planned struct {
	*kgo.BalancePlan
	given map[string]given // by member
}

// sizes are how many partitions each member is to have.
func (p planned) sizes() map[string]int {
	m := map[string]int{}
	for member, topics := range p.AsMemberIDMap() {
		m[member] = 0
		for _, ps := range topics {
			m[member] += len(ps)
		}
	}
	return m
}

// IntoSyncAssignment implements kgo.IntoSyncAssignment.
func (p planned) IntoSyncAssignment() []kmsg.SyncGroupRequestGroupAssignment {
	as := p.BalancePlan.IntoSyncAssignment()
	for i := range as {
		var a kmsg.ConsumerMemberAssignment
		if g, ok := p.given[as[i].MemberID]; ok && a.ReadFrom(as[i].MemberAssignment) == nil {
			a.UserData = userData(g)
			as[i].MemberAssignment = a.AppendTo(nil)
		}
	}
	return as
}
