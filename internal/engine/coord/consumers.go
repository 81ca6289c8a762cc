package coord

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/thalweg/thalweg/internal/engine/journal"
)

// IDPartition names a partition by its topic's id.
type IDPartition struct {
	Topic     [16]byte
	Partition int32
}

func compareIDP(a, b IDPartition) int {
	return cmp.Or(slices.Compare(a.Topic[:], b.Topic[:]), cmp.Compare(a.Partition, b.Partition))
}

// partitions is a set.
type partitions map[IDPartition]struct{}

func partitionsOf(ps []IDPartition) partitions {
	set := make(partitions, len(ps))
	for _, p := range ps {
		set[p] = struct{}{}
	}
	return set
}

func (s partitions) has(p IDPartition) bool { _, ok := s[p]; return ok }

// sorted returns what is in s in order.
func (s partitions) sorted() []IDPartition { return slices.SortedFunc(maps.Keys(s), compareIDP) }

// meets reports whether s and o have one in common.
func (s partitions) meets(o partitions) bool {
	for p := range s {
		if o.has(p) {
			return true
		}
	}
	return false
}

// consumers are the members of a group by the protocol of KIP-848, in which the coordinator assigns.
//
// Invariants: assigned ≤ epoch, and both only grow; a partition is in owner for just one member, which has it in assigned
// or in revoking; static[instance] is a key of members.
type consumers struct {
	epoch    int32 // of the group: of its members and what they subscribe to
	assigned int32 // the epoch that the target assignment is made for
	assignor string
	members  map[string]*consumer
	static   map[string]string // instance id -> member id
	owner    map[IDPartition]string
	topics   map[string]TopicInfo // that members subscribe to and that exist, as the target assignment knows them
	looked   time.Time            // when topics was compared with what there is
	unsaved  bool                 // what was changed last is not written
	before   []journal.Entry      // what is to be written before it: the end of what the group was until then
}

// consumer is one member.
type consumer struct {
	id, instance, rack string
	client, host       string
	names              []string // subscribed to
	regex              string
	pattern            *regexp.Regexp
	matched            []string // topics that match, as of when
	when               time.Time
	assignor           string
	rebalance          time.Duration // to give partitions up in

	newcomer  bool   // it has just been made
	unwritten bool   // its record of what it subscribes to is not what it is
	replaces  string // the id of the static member whose place it takes, until that is written

	classic *classicFace // of a member that speaks the classic protocol, else nil

	epoch, previous int32 // previous is that before the last change of epoch, with which a lost answer is asked for again
	state           memberState
	target          partitions
	assigned        partitions // what the member is told to have
	revoking        partitions // what it has to give up first

	session session
	due     *timer // ends the time to do what it was asked for: to give up; by the classic protocol, to join or to sync
}

// memberState is where a member is on its way to its target, by the number it has in Kafka's records.
type memberState int8

const (
	memberStable     memberState = iota
	memberUnrevoked              // it has to give up partitions
	memberUnreleased             // others have to give up what it is to get
)

// Epochs that a member sends instead of its own.
const (
	epochJoin        = 0
	epochLeave       = -1
	epochLeaveStatic = -2 // for a while: the member will come back under its instance id
)

// Names of states of such groups, in descriptions.
const (
	stateAssigning   = "Assigning"
	stateReconciling = "Reconciling"
)

// TopicInfo is a topic as assignments need it.
type TopicInfo struct {
	ID         [16]byte
	Partitions int32
}

func newConsumers() *consumers {
	return &consumers{members: map[string]*consumer{}, static: map[string]string{}, owner: map[IDPartition]string{}, topics: map[string]TopicInfo{}}
}

// stateName is the state of the whole.
func (c *consumers) stateName() string {
	switch {
	case len(c.members) == 0:
		return Empty.String()
	case c.epoch > c.assigned:
		return stateAssigning
	}
	for _, m := range c.members {
		if m.state != memberStable || m.epoch != c.assigned {
			return stateReconciling
		}
	}
	return Stable.String()
}

// subscriptions returns the topics a member subscribes to.
func (m *consumer) subscriptions() map[string]bool {
	topics := make(map[string]bool, len(m.names)+len(m.matched))
	for _, list := range [...][]string{m.names, m.matched} {
		for _, t := range list {
			topics[t] = true
		}
	}
	return topics
}

// subscribed returns the topics that members subscribe to.
func (c *consumers) subscribed() map[string]bool {
	topics := map[string]bool{}
	for _, m := range c.members {
		maps.Copy(topics, m.subscriptions())
	}
	return topics
}

// put makes m a member.
func (c *consumers) put(m *consumer) {
	c.members[m.id] = m
	if m.instance != "" {
		c.static[m.instance] = m.id
	}
	c.claim(m)
}

// claim makes what m has known as taken, and nothing else.
func (c *consumers) claim(m *consumer) {
	maps.DeleteFunc(c.owner, func(_ IDPartition, id string) bool { return id == m.id })
	for _, set := range [...]partitions{m.assigned, m.revoking} {
		for p := range set {
			c.owner[p] = m.id
		}
	}
}

// drop takes m out.
func (c *consumers) drop(m *consumer) {
	m.session.end()
	m.due.cancel()
	delete(c.members, m.id)
	if m.instance != "" && c.static[m.instance] == m.id {
		delete(c.static, m.instance)
	}
	maps.DeleteFunc(c.owner, func(_ IDPartition, id string) bool { return id == m.id })
}

// reconcile takes m as far towards its target as it can go, given what it says that it has; said is false if it has not
// said. It reports whether anything has changed. A partition goes to m once nobody else has it (KIP-848, "Reconciliation").
func (c *consumers) reconcile(m *consumer, has partitions, said bool) bool {
	if m.state == memberStable && m.epoch == c.assigned {
		return false
	}
	if m.state == memberUnrevoked && (!said || has.meets(m.revoking)) {
		return false
	}
	keep, lose, get := partitions{}, partitions{}, partitions{}
	for p := range m.assigned {
		if m.target.has(p) {
			keep[p] = struct{}{}
		} else {
			lose[p] = struct{}{}
		}
	}
	waits := false
	for p := range m.target {
		switch by, taken := c.owner[p]; {
		case keep.has(p):
		case taken && by != m.id:
			waits = true
		default:
			get[p] = struct{}{}
		}
	}
	was, wasEpoch := m.state, m.epoch
	switch {
	case len(lose) > 0 && (!said || has.meets(lose)):
		m.assigned, m.revoking, m.state = keep, lose, memberUnrevoked
	default:
		maps.Copy(keep, get)
		changed := len(keep) != len(m.assigned) || len(lose) > 0 || len(m.revoking) > 0
		m.assigned, m.revoking, m.state = keep, partitions{}, memberStable
		if waits {
			m.state = memberUnreleased
		}
		if m.epoch != c.assigned {
			m.previous, m.epoch = m.epoch, c.assigned
		}
		if !changed && m.state == was && m.epoch == wasEpoch {
			return false
		}
	}
	c.claim(m)
	return true
}
