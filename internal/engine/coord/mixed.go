package coord

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// A group of consumers may have members that still speak the classic protocol, while its clients change from one to the
// other, in either direction (KIP-848, "Online Migration"; Kafka's group.consumer.migration.policy=bidirectional). To them
// their epoch is the generation, a rebalance is what takes them to the next one, and what leaders do the coordinator does.

// classicFace is what such a member has beside what a consumer has.
type classicFace struct {
	session   time.Duration
	protocols []Protocol // the first is the one it is told to go by
}

// subscription returns what a member of the classic protocol says in its metadata.
func subscription(protocols []Protocol) (meta kmsg.ConsumerMemberMetadata, err error) {
	if len(protocols) == 0 {
		return meta, fmt.Errorf("coord: a member without a protocol")
	}
	if err := meta.ReadFrom(protocols[0].Metadata); err != nil {
		return meta, fmt.Errorf("coord: what a member subscribes to by its protocol %q: %w", protocols[0].Name, err)
	}
	return meta, nil
}

// supports reports whether a member with these protocols could join: those of the classic protocol have one in common.
func (c *consumers) supports(protocolType string, protocols []Protocol) bool {
	return protocolType == consumerProtocol && slices.ContainsFunc(protocols, func(p Protocol) bool {
		for _, m := range c.members {
			if m.classic != nil && !slices.ContainsFunc(m.classic.protocols, func(o Protocol) bool { return o.Name == p.Name }) {
				return false
			}
		}
		return true
	})
}

// allClassic reports whether there are members, and none of the consumer protocol.
func (c *consumers) allClassic() bool {
	for _, m := range c.members {
		if m.classic == nil {
			return false
		}
	}
	return len(c.members) > 0
}

// classicMember returns the member that a request of the classic protocol comes from.
func (c *consumers) classicMember(id string, instance *string) (*consumer, code.Code) {
	if instance != nil {
		switch current, known := c.static[*instance]; {
		case !known:
			return nil, code.UnknownMemberID
		case current != id:
			return nil, code.FencedInstanceID
		}
	}
	if m := c.members[id]; m != nil && m.classic != nil {
		return m, code.None
	}
	return nil, code.UnknownMemberID
}

// joinConsumers is for a member of the classic protocol that joins a group of consumers with members. It is answered at
// once: it has given up, or says in its metadata that it still has, what the coordinator has to know.
func (g *group) joinConsumers(j *Join) JoinResult {
	c := g.consumers
	refuse := func(c code.Code) JoinResult { return JoinResult{Code: c, Generation: -1, MemberID: j.MemberID} }
	meta, err := subscription(j.Protocols)
	if err != nil || !c.supports(j.ProtocolType, j.Protocols) {
		return refuse(code.InconsistentGroupProtocol)
	}
	fresh := j.MemberID == ""
	if fresh {
		j.MemberID = newMemberID(j.Client)
		if j.NeedsID && j.Instance == nil && len(c.members) < maxMembers {
			return refuse(code.MemberIDRequired)
		}
	}
	m, failed := c.findClassic(j, fresh)
	if failed != code.None {
		return refuse(failed)
	}
	owned := []IDPartition{}
	for _, t := range meta.OwnedPartitions {
		if info, ok := g.groups.cfg.Topic(t.Topic); ok {
			for _, p := range t.Partitions {
				owned = append(owned, IDPartition{info.ID, p})
			}
		}
	}
	changed := c.updateClassic(m, j, &meta)
	changed = g.groups.newTopics(c, changed) || changed
	if failed = g.saveConsumers(g.advance(m, changed, owned, true)); failed != code.None {
		return refuse(failed)
	}
	m.rest()
	g.expect(m, "synced")
	g.heardConsumer(m)
	r := JoinResult{Generation: m.epoch, ProtocolType: consumerProtocol, Protocol: m.classic.protocols[0].Name, MemberID: m.id, Ticket: g.ticket}
	if c.allClassic() { // it has taken the place of the last one of the other protocol
		g.downgrade(changed)
		r.Ticket = g.ticket
	}
	return r
}

// findClassic returns the member that a join of the classic protocol is from, which it makes if it is not known.
func (c *consumers) findClassic(j *Join, fresh bool) (*consumer, code.Code) {
	var m *consumer
	known := false
	if j.Instance == nil {
		m, known = c.members[j.MemberID]
	} else if id, ok := c.static[*j.Instance]; ok {
		if m, known = c.members[id], true; fresh {
			return c.succeed(m, j.MemberID), code.None
		} else if id != j.MemberID {
			return nil, code.FencedInstanceID
		}
	} else if !fresh {
		return nil, code.UnknownMemberID
	}
	if known {
		return m, code.None
	}
	return c.newMember(j.MemberID, j.Instance)
}

// updateClassic takes over what a join of the classic protocol says of m and reports whether assignments have to be made anew.
func (c *consumers) updateClassic(m *consumer, j *Join, meta *kmsg.ConsumerMemberMetadata) (changed bool) {
	changed = m.newcomer || m.regex != ""
	m.newcomer, m.unwritten = false, true
	m.regex, m.pattern, m.matched, m.assignor = "", nil, nil, ""
	m.client, m.host, m.rebalance = j.Client, j.Host, j.Rebalance
	if meta.Rack != nil {
		m.rack = *meta.Rack
	}
	like := &member{}
	like.update(j)
	m.classic = &classicFace{session: j.Session, protocols: like.protocols}
	names := slices.Compact(slices.Sorted(slices.Values(meta.Topics)))
	if !slices.Equal(names, m.names) {
		m.names, changed = names, true
	}
	return changed
}

// syncConsumers answers a member of the classic protocol what it has.
func (g *group) syncConsumers(y *Sync) SyncResult {
	c := g.consumers
	m, failed := c.classicMember(y.MemberID, y.Instance)
	switch {
	case failed != code.None:
		return SyncResult{Code: failed}
	case y.Generation != m.epoch:
		return SyncResult{Code: code.IllegalGeneration}
	case y.ProtocolType != nil && *y.ProtocolType != consumerProtocol, y.Protocol != nil && *y.Protocol != m.classic.protocols[0].Name:
		return SyncResult{Code: code.InconsistentGroupProtocol}
	case c.epoch > m.epoch && m.state != memberUnrevoked:
		g.expect(m, "joined again")
		return SyncResult{Code: code.RebalanceInProgress}
	}
	m.rest()
	g.heardConsumer(m)
	return SyncResult{
		ProtocolType: consumerProtocol, Protocol: m.classic.protocols[0].Name, Assignment: c.classicAssignment(m), Ticket: g.ticket,
	}
}

// heartbeatConsumers keeps the session of a member of the classic protocol alive, and has it join again where that takes it
// further: to a new epoch, to what it has to give up, or to what others have given up.
func (g *group) heartbeatConsumers(generation int32, id string, instance *string) code.Code {
	c := g.consumers
	m, failed := c.classicMember(id, instance)
	switch {
	case failed != code.None:
		return failed
	case generation != m.epoch:
		return code.IllegalGeneration
	}
	g.heardConsumer(m)
	if m.epoch < c.epoch || m.state == memberUnrevoked || m.state == memberUnreleased && !c.waits(m) {
		g.expect(m, "joined again")
		return code.RebalanceInProgress
	}
	return code.None
}

// waits reports whether others still have what m is to get.
func (c *consumers) waits(m *consumer) bool {
	for p := range m.target {
		if by, taken := c.owner[p]; taken && by != m.id {
			return true
		}
	}
	return false
}

// classicAssignment is what m has, as the classic protocol has it.
func (c *consumers) classicAssignment(m *consumer) []byte {
	a := kmsg.NewConsumerMemberAssignment()
	if meta, err := subscription(m.classic.protocols); err == nil {
		a.Version = meta.Version
	}
	by := map[[16]byte][]int32{}
	for _, p := range m.assigned.sorted() {
		by[p.Topic] = append(by[p.Topic], p.Partition)
	}
	for name, info := range c.topics {
		if len(by[info.ID]) > 0 {
			a.Topics = append(a.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: name, Partitions: by[info.ID]})
		}
	}
	slices.SortFunc(a.Topics, func(x, y kmsg.ConsumerMemberAssignmentTopic) int { return strings.Compare(x.Topic, y.Topic) })
	return a.AppendTo(nil)
}

// asConsumer returns what a member of a classic group is in a group of consumers: it has what its leader gave it.
func (g *group) asConsumer(m *member) (*consumer, error) {
	protocols := slices.Clone(m.protocols)
	if i := slices.IndexFunc(protocols, func(p Protocol) bool { return p.Name == g.protocol }); i > 0 {
		protocols[0], protocols[i] = protocols[i], protocols[0] // that is what the member goes by
	}
	meta, err := subscription(protocols)
	if err != nil {
		return nil, err
	}
	x := &consumer{
		id: m.id, instance: m.instance, client: m.client, host: m.host, names: slices.Compact(slices.Sorted(slices.Values(meta.Topics))),
		rebalance: m.rebalanceTime, epoch: g.generation, previous: g.generation, assigned: partitions{}, revoking: partitions{},
		classic: &classicFace{session: m.sessionTime, protocols: protocols},
	}
	if meta.Rack != nil {
		x.rack = *meta.Rack
	}
	var a kmsg.ConsumerMemberAssignment
	if len(m.assignment) > 0 {
		if err := a.ReadFrom(m.assignment); err != nil {
			return nil, fmt.Errorf("coord: the assignment of member %q: %w", m.id, err)
		}
	}
	if len(a.UserData) > 0 {
		return nil, fmt.Errorf("coord: member %q has an assignment by an assignor of its own, %q, which the coordinator cannot go on with", m.id, g.protocol)
	}
	for _, t := range a.Topics {
		if info, ok := g.groups.cfg.Topic(t.Topic); ok {
			for _, p := range t.Partitions {
				x.assigned[IDPartition{info.ID, p}] = struct{}{}
			}
		}
	}
	x.target = maps.Clone(x.assigned)
	return x, nil
}
