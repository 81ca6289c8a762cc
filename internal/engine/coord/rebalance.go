package coord

import (
	"cmp"
	"slices"
	"time"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/log"
)

func compare(a, b string) int { return cmp.Compare(a, b) }

// prepare begins a rebalance, or goes on with one that has begun: all members are to join again.
func (g *group) prepare() {
	if g.state == PreparingRebalance {
		g.completeIfAllJoined()
		return
	}
	if g.state == CompletingRebalance {
		for _, m := range g.members {
			m.assignment = nil
			if m.sync != nil {
				m.sync <- SyncResult{Code: code.RebalanceInProgress}
				m.sync = nil
				g.heard(m)
			}
		}
	}
	first := g.state == Empty
	g.phase.cancel()
	clear(g.unsynced)
	g.become(PreparingRebalance)
	if delay := g.groups.cfg.InitialDelay; first && delay > 0 {
		g.delayed, g.lateJoiner = true, false
		g.delayFirst(delay, g.longestRebalance())
		return
	}
	g.phase = g.after(g.longestRebalance(), g.complete)
	g.completeIfAllJoined()
}

// delayFirst waits for more members of a new group, again and again while some come, up to left in all.
func (g *group) delayFirst(delay, left time.Duration) {
	step := min(delay, left)
	g.phase = g.after(step, func() {
		if g.lateJoiner && left > step {
			g.lateJoiner = false
			g.delayFirst(delay, left-step)
			return
		}
		g.delayed = false
		g.complete()
	})
}

func (g *group) longestRebalance() time.Duration {
	longest := time.Duration(0)
	for _, m := range g.members {
		longest = max(longest, m.rebalanceTime)
	}
	return longest
}

func (g *group) completeIfAllJoined() {
	if g.delayed || len(g.pending) > 0 {
		return
	}
	for _, m := range g.members {
		if m.join == nil {
			return
		}
	}
	g.complete()
}

// complete ends the joining: who has not come is out, and the others get a new generation.
func (g *group) complete() {
	if g.state != PreparingRebalance {
		return
	}
	g.phase.cancel()
	g.delayed = false
	for _, m := range g.members {
		if m.join == nil && m.instance == "" {
			g.forget(m)
		}
	}
	if len(g.members) > 0 && !g.electJoined() {
		g.phase = g.after(g.longestRebalance(), g.complete) // only absent static members: wait on
		return
	}
	g.generation++
	if len(g.members) == 0 {
		g.protocol, g.leader = "", ""
		g.become(Empty)
		if err := g.save(); err != nil {
			g.groups.logf("group %q: %v", g.id, err)
		}
		return
	}
	g.protocol = g.vote()
	g.become(CompletingRebalance)
	clear(g.unsynced)
	longest := g.longestRebalance()
	for _, m := range g.members {
		if m.join == nil {
			continue // a static member that is away keeps its place
		}
		r := g.joined(m)
		m.join <- r
		m.join = nil
		g.unsynced[m.id] = true
		g.heard(m)
	}
	g.phase = g.after(longest, g.evictUnsynced)
}

// electJoined makes one of those who joined the leader, if the leader did not. It returns false if nobody joined.
func (g *group) electJoined() bool {
	if m := g.members[g.leader]; m != nil && m.join != nil {
		return true
	}
	var ids []string
	for id, m := range g.members {
		if m.join != nil {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return false
	}
	g.leader = slices.Min(ids)
	return true
}

// evictUnsynced removes who joined a generation and did not sync in time.
func (g *group) evictUnsynced() {
	if g.state != CompletingRebalance && g.state != Stable || len(g.unsynced) == 0 {
		return
	}
	for id := range g.unsynced {
		if m := g.members[id]; m != nil {
			g.groups.logf("group %q: member %q did not sync and is removed", g.id, id)
			g.forget(m)
		}
	}
	clear(g.unsynced)
	g.prepare()
}

// Sync is a SyncGroup request. Its slices are copied.
type Sync struct {
	Group        string
	Generation   int32
	MemberID     string
	Instance     *string
	ProtocolType *string
	Protocol     *string
	Assignments  map[string][]byte
}

// SyncResult is the answer to a Sync. It may be given once Ticket is durable.
type SyncResult struct {
	Code         code.Code
	ProtocolType string
	Protocol     string
	Assignment   []byte
	Ticket       log.Ticket
}

// Sync answers on the returned channel, once and possibly much later.
func (s *Groups) Sync(y Sync) <-chan SyncResult {
	answer := make(chan SyncResult, 1)
	g, c := s.lock(y.Group, false)
	if c == code.GroupIDNotFound {
		c = code.UnknownMemberID
	}
	if c != code.None {
		answer <- SyncResult{Code: c}
		return answer
	}
	defer g.mu.Unlock()
	if g.consumers != nil {
		answer <- g.syncConsumers(&y)
		return answer
	}
	if c := g.sync(&y, answer); c != code.None {
		answer <- SyncResult{Code: c}
	}
	return answer
}

func (g *group) sync(y *Sync, answer chan SyncResult) code.Code {
	m, c := g.find(y.MemberID, y.Instance)
	switch {
	case c != code.None:
		return c
	case y.Generation != g.generation:
		return code.IllegalGeneration
	case y.ProtocolType != nil && *y.ProtocolType != g.protocolType, y.Protocol != nil && *y.Protocol != g.protocol:
		return code.InconsistentGroupProtocol
	}
	switch g.state {
	case PreparingRebalance:
		return code.RebalanceInProgress
	case CompletingRebalance:
	case Stable:
		delete(g.unsynced, m.id)
		g.heard(m)
		answer <- g.synced(m)
		return code.None
	default:
		return code.UnknownMemberID
	}
	if m.sync != nil {
		m.sync <- SyncResult{Code: code.RebalanceInProgress}
	}
	m.sync = answer
	delete(g.unsynced, m.id)
	if m.id == g.leader {
		g.assign(y.Assignments)
	}
	return code.None
}

// assign makes the leader's assignments those of the generation and tells who waits.
func (g *group) assign(assignments map[string][]byte) {
	for _, m := range g.members {
		m.assignment = append([]byte{}, assignments[m.id]...)
	}
	failed := code.None
	if err := g.save(); err != nil {
		g.groups.logf("group %q: %v", g.id, err)
		failed = code.CoordinatorNotAvailable
	} else {
		g.become(Stable)
	}
	for _, m := range g.members {
		if m.sync == nil {
			continue
		}
		if r := g.synced(m); failed == code.None {
			m.sync <- r
		} else {
			m.sync <- SyncResult{Code: failed}
		}
		m.sync = nil
		g.heard(m)
	}
	if failed != code.None {
		g.prepare()
	}
}

func (g *group) synced(m *member) SyncResult {
	return SyncResult{ProtocolType: g.protocolType, Protocol: g.protocol, Assignment: m.assignment, Ticket: g.ticket}
}
