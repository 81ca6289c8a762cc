package coord

import (
	"regexp"
	"slices"
	"time"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/journal"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// Beat is a ConsumerGroupHeartbeat: what is nil has not changed. Its slices are copied.
type Beat struct {
	Group, MemberID string
	Epoch           int32
	Instance, Rack  *string
	Rebalance       time.Duration // negative: not changed
	Topics          []string
	Regex           *string
	Assignor        *string
	Owned           []IDPartition // nil: not said
	Client, Host    string
	NeedsID         bool                    // the member has to come with an id of its own (v1)
	May             func(topic string) bool // whether the client may know of a topic
}

// BeatResult is the answer to a Beat. It may be given once Ticket is durable.
type BeatResult struct {
	Code       code.Code
	Text       string // why, for people
	MemberID   string
	Epoch      int32
	Interval   time.Duration // to the next
	Assigned   bool          // Assignment is all that the member is to have
	Assignment []IDPartition
	Ticket     log.Ticket
}

// Bounds and times of such groups.
const (
	maxRegex     = 4 << 10 // bytes
	maxNames     = 10_000  // topics a member subscribes to by name
	refreshEvery = 10 * time.Second
	lookEvery    = time.Second
)

// Beat answers a member's heartbeat, by which it also joins and leaves, and says what it has (KIP-848).
func (s *Groups) Beat(b Beat) BeatResult {
	pattern, r := b.check()
	if r.Code != code.None {
		return r
	}
	g, c := s.lock(b.Group, b.Epoch == epochJoin)
	if c != code.None {
		return refuse(c, "there is no such group")
	}
	defer g.mu.Unlock()
	if c, why := g.becomeConsumers(b.Epoch == epochJoin); c != code.None {
		return refuse(c, why)
	}
	if b.Epoch < 0 {
		return g.leaveConsumers(&b)
	}
	m, fresh, r := g.consumers.find(&b)
	if r.Code != code.None {
		return r
	}
	return g.beat(m, fresh, &b, pattern)
}

func refuse(c code.Code, text string) BeatResult { return BeatResult{Code: c, Text: text} }

// check finds what is wrong with b by itself.
func (b *Beat) check() (pattern *regexp.Regexp, r BeatResult) {
	invalid := func(text string) (*regexp.Regexp, BeatResult) { return nil, refuse(code.InvalidRequest, text) }
	empty := func(s *string) bool { return s != nil && *s == "" }
	switch {
	case b.Group == "":
		return invalid("a group has a name")
	case empty(b.Instance) || empty(b.Rack):
		return invalid("the instance id or the rack is empty")
	case b.MemberID == "" && (b.NeedsID || b.Epoch != epochJoin):
		return invalid("the member id is empty")
	case b.Epoch < epochLeaveStatic || b.Epoch == epochLeaveStatic && b.Instance == nil:
		return invalid("the member epoch is not one that this member can have")
	case b.Epoch == epochJoin && (b.Rebalance < 0 || b.Owned == nil || len(b.Owned) > 0 || b.Topics == nil && b.Regex == nil):
		return invalid("who joins says its rebalance timeout and what it subscribes to, and has no partitions")
	case len(b.Topics) > maxNames:
		return invalid("the member subscribes to too many topics")
	case b.Assignor != nil && *b.Assignor != assignorUniform && *b.Assignor != assignorRange:
		return nil, refuse(code.UnsupportedAssignor, "the assignors are uniform and range")
	}
	for _, t := range b.Topics {
		if !b.May(t) {
			return nil, refuse(code.TopicAuthorizationFailed, "the client may not know of a topic that it subscribes to")
		}
	}
	if b.Regex == nil || *b.Regex == "" {
		return nil, r
	}
	if len(*b.Regex) > maxRegex {
		return nil, refuse(code.InvalidRegularExpression, "the regular expression is too long")
	}
	pattern, err := regexp.Compile("^(?:" + *b.Regex + ")$")
	if err != nil {
		return nil, refuse(code.InvalidRegularExpression, err.Error())
	}
	return pattern, r
}

// becomeConsumers makes a group one of consumers by KIP-848, if it is not and somebody joins; else it says why not.
func (g *group) becomeConsumers(joins bool) (c code.Code, why string) {
	switch {
	case g.consumers != nil:
		return code.None, ""
	case !joins:
		return code.GroupIDNotFound, "the group is one by the classic protocol"
	case len(g.members) >= maxMembers:
		return code.GroupMaxSizeReached, "the group is full"
	case len(g.members) > 0:
		if err := g.upgrade(); err != nil {
			g.groups.logf("group %q: %v", g.id, err)
			return code.GroupIDNotFound, err.Error()
		}
		return code.None, ""
	}
	if g.protocolType != "" {
		if err := g.append([]journal.Entry{{Key: groupKey(g.id)}}); err != nil {
			g.groups.logf("group %q: %v", g.id, err)
			return code.CoordinatorNotAvailable, "the group could not be written"
		}
	}
	g.forgetMembers()
	g.protocolType, g.consumers = consumerProtocol, newConsumers()
	return code.None, ""
}

// becomeClassic is for a group of consumers without members, at which a member of the classic protocol arrives.
func (g *group) becomeClassic() code.Code {
	if g.consumers == nil {
		return code.None
	}
	if err := g.append(consumersGone(g.id)); err != nil {
		g.groups.logf("group %q: %v", g.id, err)
		return code.CoordinatorNotAvailable
	}
	g.consumers, g.protocolType = nil, ""
	return code.None
}

// find returns the member that b is from, which it makes if it joins; fresh says that it is new or starts anew.
func (c *consumers) find(b *Beat) (m *consumer, fresh bool, r BeatResult) {
	if b.Instance != nil {
		return c.findStatic(b)
	}
	m = c.members[b.MemberID]
	switch {
	case m == nil && b.Epoch != epochJoin:
		return nil, false, refuse(code.UnknownMemberID, "the member is not in the group")
	case m == nil:
		return c.newcomer(b)
	}
	return m, b.Epoch == epochJoin, m.current(b)
}

func (c *consumers) findStatic(b *Beat) (m *consumer, fresh bool, r BeatResult) {
	id, known := c.static[*b.Instance]
	switch m = c.members[id]; {
	case !known && b.Epoch != epochJoin:
		return nil, false, refuse(code.UnknownMemberID, "the instance is not in the group")
	case !known:
		return c.newcomer(b)
	case b.Epoch != epochJoin && id != b.MemberID:
		return nil, false, refuse(code.FencedInstanceID, "another member has the instance id")
	case b.Epoch != epochJoin:
		return m, false, m.current(b)
	case m.epoch != epochLeaveStatic && m.classic == nil:
		return nil, false, refuse(code.UnreleasedInstanceID, "a member with the instance id is in the group and has not left")
	}
	id = b.MemberID
	if id == "" {
		id = newUUID()
	}
	return c.succeed(m, id), true, r
}

// succeed has a static member come back under an id: what its former self had, and was to have, is its.
func (c *consumers) succeed(m *consumer, id string) *consumer {
	heir := *m
	c.drop(m)
	heir.id, heir.epoch, heir.previous, heir.session, heir.due = id, epochJoin, epochJoin, session{}, nil
	if heir.id != m.id {
		heir.replaces = m.id
	}
	c.put(&heir)
	return &heir
}

// newcomer makes the sender of b a member.
func (c *consumers) newcomer(b *Beat) (*consumer, bool, BeatResult) {
	id := b.MemberID
	if id == "" {
		id = newUUID()
	}
	m, failed := c.newMember(id, b.Instance)
	if failed != code.None {
		return nil, false, refuse(failed, "the group is full")
	}
	return m, true, BeatResult{}
}

func (c *consumers) newMember(id string, instance *string) (*consumer, code.Code) {
	if len(c.members) >= maxMembers {
		return nil, code.GroupMaxSizeReached
	}
	m := &consumer{id: id, target: partitions{}, assigned: partitions{}, revoking: partitions{}, newcomer: true}
	if instance != nil {
		m.instance = *instance
	}
	c.put(m)
	return m, code.None
}

// current checks the epoch of a member. One epoch behind is fine for who has not more than it was given: the answer was lost.
// Who joins again has nothing, and is told all that it has by what is known: it was fenced, or its first answer was lost.
func (m *consumer) current(b *Beat) (r BeatResult) {
	if b.Epoch == m.epoch || b.Epoch == epochJoin {
		return r
	}
	if b.Epoch == m.previous && b.Epoch < m.epoch && b.Owned != nil && !slices.ContainsFunc(b.Owned, func(p IDPartition) bool { return !m.assigned.has(p) }) {
		return r
	}
	return refuse(code.FencedMemberEpoch, "the member's epoch is not that of the coordinator: join again")
}

// beat is for a member that stays.
func (g *group) beat(m *consumer, fresh bool, b *Beat, pattern *regexp.Regexp) BeatResult {
	c, s := g.consumers, g.groups
	before := m.assigned
	changed := c.update(m, b, pattern)
	changed = s.matches(m, b.May) || changed
	changed = s.newTopics(c, changed) || changed
	entries := g.advance(m, changed, b.Owned, b.Owned != nil)
	g.heardConsumer(m)
	g.hurry(m)
	if r := g.saveConsumers(entries); r != code.None {
		return refuse(r, "the group could not be written")
	}
	r := BeatResult{MemberID: m.id, Epoch: m.epoch, Interval: s.cfg.ConsumerBeat, Ticket: g.ticket}
	whole := fresh || b.Rebalance >= 0 && b.Owned != nil && (b.Topics != nil || b.Regex != nil)
	if r.Assigned = whole || !sameSet(before, m.assigned); r.Assigned {
		r.Assignment = m.assigned.sorted()
	}
	return r
}

// advance makes what has changed of m the group's, with a new target, takes m as far towards its own as it can go, and returns
// the records of it. The member says what it owns, if said is set.
func (g *group) advance(m *consumer, changed bool, owned []IDPartition, said bool) (entries []journal.Entry) {
	c := g.consumers
	if changed {
		c.epoch++
		entries = append(entries, consumersEpoch(g.id, c))
	}
	if changed || m.unwritten {
		entries = append(entries, consumerMember(g.id, m))
		m.unwritten = false
	}
	if m.replaces != "" {
		entries = append(entries, consumerGone(g.id, m.replaces)...)
		entries = append(entries, consumerTarget(g.id, m), consumerMember(g.id, m))
		m.replaces = ""
	}
	if c.assigned < c.epoch {
		for _, x := range c.assign() {
			entries = append(entries, consumerTarget(g.id, x))
		}
		entries = append(entries, consumersTarget(g.id, c))
	}
	if c.reconcile(m, partitionsOf(owned), said) {
		entries = append(entries, consumerCurrent(g.id, m))
	}
	return entries
}

func sameSet(a, b partitions) bool {
	if len(a) != len(b) {
		return false
	}
	for p := range a {
		if !b.has(p) {
			return false
		}
	}
	return true
}

// update takes over what b says of m and reports whether assignments have to be made anew.
func (c *consumers) update(m *consumer, b *Beat, pattern *regexp.Regexp) (changed bool) {
	changed = m.newcomer
	m.newcomer = false
	if m.classic != nil { // it has changed to this protocol
		m.rest()
		m.classic, m.unwritten = nil, true
	}
	m.client, m.host = b.Client, b.Host
	set := func(at *string, to *string) {
		if to != nil && *at != *to {
			*at, changed = *to, true
		}
	}
	set(&m.rack, b.Rack)
	set(&m.assignor, b.Assignor)
	if b.Rebalance >= 0 {
		m.rebalance = b.Rebalance
	}
	if b.Topics != nil {
		names := slices.Sorted(slices.Values(b.Topics))
		if names = slices.Compact(names); !slices.Equal(names, m.names) {
			m.names, changed = names, true
		}
	}
	if b.Regex != nil && *b.Regex != m.regex {
		m.regex, m.pattern, m.when, changed = *b.Regex, pattern, time.Time{}, true
	}
	return changed
}

// matches looks now and then which topics a member's pattern matches, and reports whether they are others than before.
func (s *Groups) matches(m *consumer, may func(string) bool) bool {
	now := s.clock.Now()
	if !m.when.IsZero() && now.Sub(m.when) < refreshEvery {
		return false
	}
	m.when = now
	var matched []string
	if m.pattern != nil {
		for _, t := range s.cfg.TopicNames() {
			if m.pattern.MatchString(t) && may(t) {
				matched = append(matched, t)
			}
		}
	}
	if slices.Equal(matched, m.matched) {
		return false
	}
	m.matched = matched
	return true
}

// newTopics looks now and then, and if at once, at the topics subscribed to, and reports whether they are others than before.
func (s *Groups) newTopics(c *consumers, atOnce bool) (changed bool) {
	now := s.clock.Now()
	if !atOnce && now.Sub(c.looked) < lookEvery {
		return false
	}
	c.looked = now
	topics := map[string]TopicInfo{}
	for name := range c.subscribed() {
		if t, ok := s.cfg.Topic(name); ok {
			topics[name] = t
			changed = changed || c.topics[name] != t
		}
	}
	changed = changed || len(topics) != len(c.topics)
	c.topics = topics
	return changed
}

// heardConsumer starts a member's session anew.
func (g *group) heardConsumer(m *consumer) {
	d := g.groups.cfg.ConsumerSession
	if m.classic != nil {
		d = m.classic.session
	}
	g.listen(&m.session, d, nil, func() {
		g.groups.logf("group %q: member %q has not been heard of for %s and is removed", g.id, m.id, d)
		g.removeConsumer(m)
	})
}

// hurry gives a member that has to give partitions up the time it has asked for, and no more.
func (g *group) hurry(m *consumer) {
	switch {
	case m.classic != nil: // it is told when it says something, and has its time from then on
	case m.state != memberUnrevoked:
		m.rest()
	default:
		g.expect(m, "given its partitions up")
	}
}

// expect gives a member its rebalance timeout for what it has been asked to do, if nothing is expected of it yet.
func (g *group) expect(m *consumer, what string) {
	if m.due != nil {
		return
	}
	m.due = g.after(m.rebalance, func() {
		m.due = nil
		g.groups.logf("group %q: member %q has not %s within %s and is removed", g.id, m.id, what, m.rebalance)
		g.removeConsumer(m)
	})
}

// rest is for a member that has done what was expected of it.
func (m *consumer) rest() {
	m.due.cancel()
	m.due = nil
}

// removeConsumer takes a member out. The others get what it had at their next heartbeats, or, if they all are of the classic
// protocol, by a rebalance of the classic group that they are from then on.
func (g *group) removeConsumer(m *consumer) code.Code {
	c := g.consumers
	c.drop(m)
	if c.allClassic() && g.downgrade(true, consumerGone(g.id, m.id)...) {
		return code.None
	}
	c.epoch++
	if len(c.members) == 0 {
		g.since = g.groups.clock.Now()
	}
	return g.saveConsumers(append(consumerGone(g.id, m.id), consumersEpoch(g.id, c)))
}

// leaveConsumers is for a member that goes, for good or for a while.
func (g *group) leaveConsumers(b *Beat) BeatResult {
	c := g.consumers
	id := b.MemberID
	if b.Instance != nil {
		current, known := c.static[*b.Instance]
		switch {
		case !known:
			return refuse(code.UnknownMemberID, "the instance is not in the group")
		case current != id:
			return refuse(code.FencedInstanceID, "another member has the instance id")
		}
	}
	m := c.members[id]
	if m == nil {
		return refuse(code.UnknownMemberID, "the member is not in the group")
	}
	var failed code.Code
	if b.Epoch == epochLeaveStatic {
		m.epoch, m.state, m.revoking = epochLeaveStatic, memberStable, partitions{}
		c.claim(m)
		m.rest()
		failed = g.saveConsumers([]journal.Entry{consumerCurrent(g.id, m)})
	} else {
		failed = g.removeConsumer(m)
	}
	if failed != code.None {
		return refuse(failed, "the group could not be written")
	}
	return BeatResult{MemberID: id, Epoch: b.Epoch, Ticket: g.ticket}
}

// mayCommit reports whether a member may commit, or fetch, offsets with an epoch.
func (c *consumers) mayCommit(id string, epoch int32, stale code.Code) code.Code {
	m := c.members[id]
	switch {
	case m == nil:
		return code.UnknownMemberID
	case m.epoch != epoch && m.classic != nil:
		return code.IllegalGeneration
	case m.epoch != epoch:
		return stale
	}
	return code.None
}

// removeLeaver takes out a member that an administrator names, by its id or its instance id.
func (g *group) removeLeaver(l Leaver) code.Code {
	id := l.MemberID
	if l.Instance != nil && id == "" {
		id = g.consumers.static[*l.Instance]
	}
	m := g.consumers.members[id]
	switch {
	case m == nil:
		return code.UnknownMemberID
	case l.Instance != nil && m.instance != *l.Instance:
		return code.FencedInstanceID
	}
	return g.removeConsumer(m)
}
