package coord

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/journal"
)

// upgrade makes a group of the classic protocol one of consumers, as the first of these has come. What members have they
// keep; who waits for an answer is told to join again. It is written with what the newcomer changes.
func (g *group) upgrade() error {
	if g.protocolType != consumerProtocol {
		return fmt.Errorf("coord: the group is one by the classic protocol, of the type %q, and only one of consumers can change to the consumer protocol", g.protocolType)
	}
	c := newConsumers()
	c.epoch, c.assigned, c.unsaved, c.before = g.generation, g.generation, true, []journal.Entry{{Key: groupKey(g.id)}}
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		m, err := g.asConsumer(g.members[id])
		if err != nil {
			return err
		}
		for p := range m.assigned {
			if by, taken := c.owner[p]; taken {
				return fmt.Errorf("coord: members %q and %q both have partition %d of a topic", by, id, p.Partition)
			}
		}
		c.put(m)
	}
	for _, m := range g.members {
		if m.join != nil {
			m.join <- JoinResult{Code: code.RebalanceInProgress, Generation: -1, MemberID: m.id}
		}
		if m.sync != nil {
			m.sync <- SyncResult{Code: code.RebalanceInProgress}
		}
	}
	g.forgetMembers()
	g.consumers = c
	for _, m := range c.members {
		g.heardConsumer(m)
	}
	g.groups.newTopics(c, true)
	g.groups.logf("group %q: %d members of the classic protocol go on in a group of consumers", g.id, len(c.members))
	return nil
}

// forgetMembers leaves a group of the classic protocol without any, and without a word to them. Ids that were given out may be
// used in a group of consumers all the same.
func (g *group) forgetMembers() {
	g.phase.cancel()
	for _, t := range g.pending {
		t.cancel()
	}
	for _, m := range g.members {
		m.session.end()
	}
	g.delayed = false
	clear(g.members)
	clear(g.static)
	clear(g.pending)
	clear(g.unsynced)
	g.protocol, g.leader = "", ""
	g.become(Empty)
}

// downgrade makes a group of consumers whose members all are of the classic protocol a classic one, and has them join again
// if rebalance is set. Tombstones are of members that have gone. If that cannot be written the group stays what it is,
// which serves its members as well, and downgrade returns false.
func (g *group) downgrade(rebalance bool, tombstones ...journal.Entry) bool {
	c := g.consumers
	members := slices.SortedFunc(maps.Values(c.members), func(a, b *consumer) int { return cmp.Compare(a.id, b.id) })
	generation, since := g.generation, g.since
	for _, m := range members {
		tombstones = append(tombstones, consumerGone(g.id, m.id)...)
		x := &member{
			id: m.id, instance: m.instance, client: m.client, host: m.host, sessionTime: m.classic.session, rebalanceTime: m.rebalance,
			protocols: m.classic.protocols, assignment: c.classicAssignment(m),
		}
		g.add(x)
	}
	g.consumers, g.protocolType, g.generation, g.protocol = nil, consumerProtocol, c.epoch, g.vote()
	g.become(Stable)
	if err := g.append(append(append(tombstones, consumersGone(g.id)...), g.record())); err != nil {
		g.groups.logf("group %q: %v", g.id, err)
		g.forgetMembers()
		g.consumers, g.generation, g.since = c, generation, since
		return false
	}
	for _, m := range members {
		m.session.end()
		m.due.cancel()
		g.heard(g.members[m.id])
	}
	g.groups.logf("group %q: no member of the consumer protocol is left, and %d go on in a classic group", g.id, len(members))
	if rebalance {
		g.prepare()
	}
	return true
}
