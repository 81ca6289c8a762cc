package coord

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// State is the state of a classic group.
type State int8

// The states, named as DescribeGroups names them.
const (
	Empty State = iota
	PreparingRebalance
	CompletingRebalance
	Stable
	Dead
)

var stateNames = [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"}

// String returns Kafka's name of s.
func (s State) String() string { return stateNames[s] }

// TopicPartition names a partition of a topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// group is one group: its members, as the classic protocol has them, and its offsets.
//
// Invariants: generation only grows; an id is in members or, while nobody joined with it, in pending, never in both;
// static[instance] is a key of members; in CompletingRebalance and Stable every member supports protocol.
type group struct {
	id     string
	groups *Groups

	mu sync.Mutex // protects following fields; never held over a wait for the disk

	state        State
	since        time.Time // of the state
	protocolType string
	generation   int32
	protocol     string
	leader       string
	members      map[string]*member
	static       map[string]string // instance id -> member id
	pending      map[string]*timer // ids given out, not yet joined with
	unsynced     map[string]bool   // who was told of the generation and has not synced
	phase        *timer            // ends the joining, or the syncing
	consumers    *consumers        // of a group by KIP-848, which then has no members by the fields above
	lateJoiner   bool              // somebody came while the first rebalance was delayed
	delayed      bool              // the first rebalance is

	offsets map[TopicPartition]offset
	txns    map[int64]map[TopicPartition]offset // producer id -> offsets of its open transaction
	ticket  log.Ticket                          // of the last record written for the group
}

// member is one member of a group.
type member struct {
	id, instance  string // instance is empty for a dynamic member
	client, host  string
	sessionTime   time.Duration
	rebalanceTime time.Duration
	protocols     []Protocol
	assignment    []byte

	session session

	join chan<- JoinResult // of a JoinGroup that waits
	sync chan<- SyncResult // of a SyncGroup that waits
}

// Protocol is a way of assigning partitions that a member supports, and its metadata for it.
type Protocol struct {
	Name     string
	Metadata []byte
}

func newGroup(id string, groups *Groups) *group {
	return &group{
		id: id, groups: groups, state: Empty, since: groups.clock.Now(),
		members: map[string]*member{}, static: map[string]string{}, pending: map[string]*timer{}, unsynced: map[string]bool{},
		offsets: map[TopicPartition]offset{}, txns: map[int64]map[TopicPartition]offset{},
	}
}

// empty reports whether the group has no members.
func (g *group) empty() bool {
	return g.state == Empty && (g.consumers == nil || len(g.consumers.members) == 0)
}

func (g *group) become(s State) {
	g.state, g.since = s, g.groups.clock.Now()
}

// timer is a call to come; it is made with the group's lock held.
type timer struct {
	stop func() bool
	done bool // protected by the group's lock
}

// after calls f, with g.mu held, once d is over. g.mu must be held.
func (g *group) after(d time.Duration, f func()) *timer {
	t := &timer{}
	t.stop = g.groups.clock.AfterFunc(d, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !t.done {
			t.done = true
			f()
		}
	})
	return t
}

// cancel keeps the call from being made. The group's lock must be held.
func (t *timer) cancel() {
	if t != nil && !t.done {
		t.done = true
		t.stop()
	}
}

// session is the time in which something has to be heard of a member. Its fields are protected by the group's lock.
type session struct {
	timer    *timer
	length   time.Duration
	deadline time.Time // when it ends, unless something is heard before
}

// end stops s: the member goes, or its time no longer counts. The group's lock must be held.
func (s *session) end() {
	s.timer.cancel()
	s.timer = nil
}

// sleepGrace is what a session is given when its timer was late by more than that: the process, or the machine, was
// asleep, and its clients with it.
const sleepGrace = 3 * time.Second

// listen starts a session of length d anew, and calls over, with g.mu held, if it ends. It does not while waits, which may
// be nil, says that the member waits for an answer. g.mu must be held.
func (g *group) listen(s *session, d time.Duration, waits func() bool, over func()) {
	s.length, s.deadline = d, g.groups.clock.Now().Add(d)
	if s.timer == nil {
		g.look(s, d, waits, over)
	}
}

// look looks at a session after d.
func (g *group) look(s *session, d time.Duration, waits func() bool, over func()) {
	due := g.groups.clock.Now().Add(d)
	s.timer = g.after(d, func() {
		s.timer = nil
		now := g.groups.clock.Now()
		left := s.deadline.Sub(now)
		switch {
		case waits != nil && waits():
			left = s.length
		case left > 0:
		case now.Sub(due) > sleepGrace:
			left = sleepGrace
		default:
			over()
			return
		}
		s.deadline = now.Add(left)
		g.look(s, left, waits, over)
	})
}

// heard starts a member's session time anew.
func (g *group) heard(m *member) {
	g.listen(&m.session, m.sessionTime, m.waits, func() {
		g.groups.logf("group %q: member %q has not been heard of for %s and is removed", g.id, m.id, m.sessionTime)
		g.remove(m)
	})
}

// waits reports whether m waits for an answer of the coordinator, and so can say nothing.
func (m *member) waits() bool { return m.join != nil || m.sync != nil }

// find returns the member a request comes from: known by id, and if it has an instance id, the current one of it.
func (g *group) find(id string, instance *string) (*member, code.Code) {
	if instance != nil {
		switch current, ok := g.static[*instance]; {
		case !ok:
			return nil, code.UnknownMemberID
		case current != id:
			return nil, code.FencedInstanceID
		}
	}
	if m := g.members[id]; m != nil {
		return m, code.None
	}
	return nil, code.UnknownMemberID
}

// add makes m a member.
func (g *group) add(m *member) {
	if len(g.members) == 0 {
		g.leader = ""
	}
	g.pending[m.id].cancel()
	delete(g.pending, m.id)
	g.members[m.id] = m
	if m.instance != "" {
		g.static[m.instance] = m.id
	}
	if g.leader == "" {
		g.leader = m.id
	}
}

// forget takes m out without any consequence for the others.
func (g *group) forget(m *member) {
	m.session.end()
	delete(g.members, m.id)
	delete(g.unsynced, m.id)
	if m.instance != "" && g.static[m.instance] == m.id {
		delete(g.static, m.instance)
	}
	if m.join != nil {
		m.join <- JoinResult{Code: code.UnknownMemberID}
		m.join = nil
	}
	if m.sync != nil {
		m.sync <- SyncResult{Code: code.UnknownMemberID}
		m.sync = nil
	}
	if g.leader == m.id {
		g.leader = ""
		if len(g.members) > 0 {
			g.leader = slices.Min(slices.Collect(maps.Keys(g.members)))
		}
	}
}

// remove takes m out and lets the others share what it had.
func (g *group) remove(m *member) {
	g.forget(m)
	switch g.state {
	case Stable, CompletingRebalance:
		g.prepare()
	case PreparingRebalance:
		g.completeIfAllJoined()
	}
}

// supports reports whether a member with these protocols could join.
func (g *group) supports(protocolType string, protocols []Protocol) bool {
	if protocolType == "" || len(protocols) == 0 {
		return false
	}
	if len(g.members) == 0 {
		return true
	}
	if g.protocolType != protocolType {
		return false
	}
	for _, p := range protocols {
		if g.allSupport(p.Name) {
			return true
		}
	}
	return false
}

func (g *group) allSupport(name string) bool {
	for _, m := range g.members {
		if m.metadata(name) == nil {
			return false
		}
	}
	return true
}

// metadata returns m's metadata for a protocol, nil if it does not support it.
func (m *member) metadata(name string) []byte {
	for _, p := range m.protocols {
		if p.Name == name {
			return p.Metadata
		}
	}
	return nil
}

// vote returns the protocol most members prefer among those all support.
func (g *group) vote() string {
	votes := map[string]int{}
	for _, m := range g.members {
		for _, p := range m.protocols {
			if g.allSupport(p.Name) {
				votes[p.Name]++
				break
			}
		}
	}
	best := ""
	for name, n := range votes {
		if best == "" || n > votes[best] || n == votes[best] && name < best {
			best = name
		}
	}
	return best
}
