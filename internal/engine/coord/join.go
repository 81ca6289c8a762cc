package coord

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// Join is a JoinGroup request. Its slices are copied.
type Join struct {
	Group        string
	MemberID     string
	Instance     *string
	ProtocolType string
	Protocols    []Protocol
	Session      time.Duration
	Rebalance    time.Duration
	Client, Host string
	// NeedsID says that a dynamic member is first given its id, and joins with it (v4 and later).
	NeedsID bool
	// CanSkip says that a static leader can be told not to assign (v9 and later).
	CanSkip bool
}

// JoinResult is the answer to a Join. It may be given once Ticket is durable.
type JoinResult struct {
	Code           code.Code
	Generation     int32
	ProtocolType   string
	Protocol       string
	Leader         string
	MemberID       string
	SkipAssignment bool
	Members        []Joined // of the leader alone
	Ticket         log.Ticket
}

// Joined is a member as the leader is told of it.
type Joined struct {
	MemberID string
	Instance string
	Metadata []byte
}

// Limits of groups.
const (
	maxMembers     = 5000
	maxProtocols   = 64
	maxProtocolLen = 8 << 20 // bytes of all metadata of one member
)

// Join answers on the returned channel, once and possibly much later.
func (s *Groups) Join(j Join) <-chan JoinResult {
	answer := make(chan JoinResult, 1)
	refuse := func(c code.Code) <-chan JoinResult {
		answer <- JoinResult{Code: c, Generation: -1, MemberID: j.MemberID}
		return answer
	}
	if j.Group == "" {
		return refuse(code.InvalidGroupID)
	}
	if j.Session < s.cfg.MinSession || j.Session > s.cfg.MaxSession {
		return refuse(code.InvalidSessionTimeout)
	}
	size := 0
	for _, p := range j.Protocols {
		size += len(p.Metadata)
	}
	if len(j.Protocols) > maxProtocols || size > maxProtocolLen {
		return refuse(code.InvalidRequest)
	}
	g, c := s.lock(j.Group, j.MemberID == "")
	if c == code.GroupIDNotFound {
		c = code.UnknownMemberID
	}
	if c != code.None {
		return refuse(c)
	}
	defer g.mu.Unlock()
	if g.consumers != nil && len(g.consumers.members) > 0 {
		answer <- g.joinConsumers(&j)
		return answer
	}
	if c := g.becomeClassic(); c != code.None {
		return refuse(c)
	}
	if !g.supports(j.ProtocolType, j.Protocols) {
		return refuse(code.InconsistentGroupProtocol)
	}
	if j.MemberID == "" {
		c = g.joinNew(&j, answer)
	} else {
		c = g.joinKnown(&j, answer)
	}
	if c != code.None {
		answer <- JoinResult{Code: c, Generation: -1, MemberID: j.MemberID}
	}
	return answer
}

// joinNew is for one that comes without an id. It changes j's to the one it is given.
func (g *group) joinNew(j *Join, answer chan JoinResult) code.Code {
	if j.Instance != nil {
		id := newMemberID(*j.Instance)
		if old, ok := g.static[*j.Instance]; ok {
			return g.replace(g.members[old], id, j, answer)
		}
		j.MemberID = id
		return g.enter(j, answer)
	}
	id := newMemberID(j.Client)
	if !j.NeedsID {
		j.MemberID = id
		return g.enter(j, answer)
	}
	if g.full() {
		return code.GroupMaxSizeReached
	}
	g.pending[id] = g.after(j.Session, func() {
		delete(g.pending, id)
		if g.state == PreparingRebalance {
			g.completeIfAllJoined()
		}
	})
	j.MemberID = id
	return code.MemberIDRequired
}

func newMemberID(prefix string) string {
	return prefix + "-" + newUUID()
}

// newUUID returns a random id in its usual form.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (g *group) full() bool { return len(g.members)+len(g.pending) >= maxMembers }

// enter makes a new member of the sender.
func (g *group) enter(j *Join, answer chan JoinResult) code.Code {
	if _, known := g.pending[j.MemberID]; !known && g.full() {
		return code.GroupMaxSizeReached
	}
	m := &member{id: j.MemberID}
	if j.Instance != nil {
		m.instance = *j.Instance
	}
	m.update(j)
	if len(g.members) == 0 {
		g.protocolType = j.ProtocolType
	}
	g.add(m)
	m.join = answer
	g.lateJoiner = g.lateJoiner || g.delayed
	g.heard(m)
	g.prepare()
	return code.None
}

// update takes over what a join says of the member.
func (m *member) update(j *Join) {
	m.client, m.host = j.Client, j.Host
	m.sessionTime, m.rebalanceTime = j.Session, j.Rebalance
	m.protocols = make([]Protocol, len(j.Protocols))
	for i, p := range j.Protocols {
		m.protocols[i] = Protocol{Name: p.Name, Metadata: append([]byte{}, p.Metadata...)}
	}
}

// same reports whether the member supports just these protocols.
func (m *member) same(protocols []Protocol) bool {
	return slices.EqualFunc(m.protocols, protocols, func(a, b Protocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

// joinKnown is for one that comes with an id.
func (g *group) joinKnown(j *Join, answer chan JoinResult) code.Code {
	if _, ok := g.pending[j.MemberID]; ok && j.Instance == nil {
		return g.enter(j, answer)
	}
	m, c := g.find(j.MemberID, j.Instance)
	if c != code.None {
		return c
	}
	unchanged := m.same(j.Protocols)
	switch g.state {
	case PreparingRebalance:
	case CompletingRebalance:
		if unchanged {
			// The answer was lost: it is the same again.
			g.heard(m)
			answer <- g.joined(m)
			return code.None
		}
	case Stable:
		if unchanged && m.id != g.leader {
			g.heard(m)
			answer <- g.joined(m)
			return code.None
		}
	default:
		return code.UnknownMemberID
	}
	m.update(j)
	if m.join != nil {
		m.join <- JoinResult{Code: code.RebalanceInProgress, Generation: -1, MemberID: m.id}
	}
	m.join = answer
	g.heard(m)
	g.prepare()
	return code.None
}

// replace lets a restarted static member take the place of its former self under a new id.
func (g *group) replace(old *member, id string, j *Join, answer chan JoinResult) code.Code {
	wasLeader := g.leader == old.id
	m := &member{id: id, instance: old.instance, assignment: old.assignment}
	m.update(j)
	if old.join != nil {
		old.join <- JoinResult{Code: code.FencedInstanceID, Generation: -1, MemberID: old.id}
	}
	if old.sync != nil {
		old.sync <- SyncResult{Code: code.FencedInstanceID}
	}
	old.join, old.sync = nil, nil
	g.forget(old)
	g.add(m)
	if wasLeader {
		g.leader = m.id
	}
	g.heard(m)
	if g.state == Stable && g.vote() == g.protocol {
		// Nothing changes for the others. The swap is durable before the newcomer hears of it.
		if err := g.save(); err != nil {
			g.groups.logf("group %q: %v", g.id, err)
			return code.CoordinatorNotAvailable
		}
		r := g.joined(m)
		if !j.CanSkip && wasLeader {
			// An older client that is told it leads would assign: it is told the old id leads, and only syncs.
			r.Leader, r.Members = old.id, nil
		}
		r.SkipAssignment = j.CanSkip && wasLeader
		answer <- r
		return code.None
	}
	m.join = answer
	g.prepare()
	return code.None
}

// joined is what m is told of the current generation.
func (g *group) joined(m *member) JoinResult {
	r := JoinResult{
		Generation: g.generation, ProtocolType: g.protocolType, Protocol: g.protocol,
		Leader: g.leader, MemberID: m.id, Ticket: g.ticket,
	}
	if m.id == g.leader {
		for _, other := range g.members {
			r.Members = append(r.Members, Joined{MemberID: other.id, Instance: other.instance, Metadata: other.metadata(g.protocol)})
		}
		slices.SortFunc(r.Members, func(a, b Joined) int { return compare(a.MemberID, b.MemberID) })
	}
	return r
}
