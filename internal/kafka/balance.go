package kafka

import (
	"sort"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Unit is what can only be assigned as one: the partitions that a task reads.
type Unit struct {
	Name   string
	Places []Place
}

// Assign says which units there are, for the partition counts that the group's leader sees.
type Assign func(partitions map[string]int32) []Unit

// balancer assigns units to members: cooperatively, each stays where it is as long as no member has more than its share.
type balancer struct {
	units Assign
	addr  string // of this member, see GroupConfig
}

// protocolName names the assignment: members of other kinds cannot join the group.
const protocolName = "thalweg-cooperative-sticky"

func (*balancer) ProtocolName() string { return protocolName }
func (*balancer) IsCooperative() bool  { return true }

func (b *balancer) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.Topics, meta.Generation, meta.UserData = 3, topics, generation, []byte(b.addr)
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

func (*balancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	return kgo.ParseConsumerSyncAssignment(assignment)
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
	owner := map[Place]int{} // by what members say they have; a later generation's word counts more
	word := map[Place]int32{}
	n := 0
	cb.EachMember(func(_ *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		for _, o := range meta.OwnedPartitions {
			for _, p := range o.Partitions {
				at := Place{o.Topic, p}
				if _, ok := owner[at]; !ok || meta.Generation > word[at] {
					owner[at], word[at] = n, meta.Generation
				}
			}
		}
		n++
	})
	units := b.units(topics)
	to := assign(units, n, func(u Unit) int {
		for _, p := range u.Places {
			if m, ok := owner[p]; ok {
				return m
			}
		}
		return -1
	})
	plan := cb.NewPlan()
	for i, u := range units {
		m, _ := cb.MemberAt(to[i])
		for _, p := range u.Places {
			plan.AddPartition(m, p.Topic, p.Partition)
		}
	}
	plan.AdjustCooperative(cb)
	return plan
}

// assign spreads units over n members, no member having more than one above another: first what each has stays, up to
// its share, then the rest goes to whoever has least.
func assign(units []Unit, n int, owner func(Unit) int) []int {
	to := make([]int, len(units))
	load := make([]int, n)
	share, extra := len(units)/n, len(units)%n
	for i, u := range units {
		to[i] = -1
		m := owner(u)
		if m < 0 || load[m] > share || load[m] == share && extra == 0 {
			continue
		}
		if load[m] == share {
			extra--
		}
		to[i] = m
		load[m]++
	}
	for i := range units {
		if to[i] >= 0 {
			continue
		}
		least := 0
		for m := range load {
			if load[m] < load[least] {
				least = m
			}
		}
		to[i] = least
		load[least]++
	}
	return to
}
