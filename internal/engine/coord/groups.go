// Package coord has the two coordinators: of groups, with their members and offsets, and of transactions. What they
// know lies in the topics Kafka keeps it in, with Kafka's own schemas, so that tools that read those topics work.
//
// A change is applied in memory when its record is in the log, and answered when the record is durable. Locks are
// taken in the order transaction, group, partition, and none is held while waiting for the disk.
package coord

import (
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/journal"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// GroupConfig of the group coordinator. All fields are needed but those that say otherwise, and InitialDelay.
type GroupConfig struct {
	Clock                  log.Clock
	InitialDelay           time.Duration // of the first rebalance of an empty group
	MinSession, MaxSession time.Duration
	OffsetRetention        time.Duration
	ConsumerSession        time.Duration // of members by KIP-848
	ConsumerBeat           time.Duration // between their heartbeats
	Topic                  func(name string) (TopicInfo, bool)
	TopicNames             func() []string // in order
	Logf                   func(format string, args ...any)
}

// maxGroups bounds the groups of one engine.
const maxGroups = 100_000

// sweepInterval is how often expired offsets are looked for.
const sweepInterval = 10 * time.Minute

// Groups is the group coordinator. Its methods may be called concurrently.
type Groups struct {
	cfg      GroupConfig
	clock    log.Clock
	dir      *log.Dir
	journals []*journal.Journal // by partition of the offsets topic

	mu        sync.Mutex // protects following fields; may be taken with a group's lock held, never the other way
	groups    map[string]*group
	txns      map[int64]map[*group]struct{} // producer id -> groups that hold offsets of its open transaction
	closed    bool
	stopSweep func() bool
}

// OpenGroups replays the partitions of the offsets topic and returns the coordinator.
func OpenGroups(cfg GroupConfig, dir *log.Dir, partitions []*log.Partition) (*Groups, error) {
	s := &Groups{cfg: cfg, clock: cfg.Clock, dir: dir, groups: map[string]*group{}, txns: map[int64]map[*group]struct{}{}}
	for _, p := range partitions {
		s.journals = append(s.journals, journal.New(p, cfg.Clock))
		if err := s.replay(p); err != nil {
			return nil, err
		}
	}
	s.wakeMembers()
	s.stopSweep = s.clock.AfterFunc(sweepInterval, s.sweep)
	return s, nil
}

// Close stops all timers. Requests that wait are answered COORDINATOR_NOT_AVAILABLE.
func (s *Groups) Close() {
	s.mu.Lock()
	s.closed = true
	s.stopSweep()
	all := slices.Collect(maps.Values(s.groups))
	s.mu.Unlock()
	for _, g := range all {
		g.mu.Lock()
		g.phase.cancel()
		for _, t := range g.pending {
			t.cancel()
		}
		for _, m := range g.members {
			m.session.end()
			if m.join != nil {
				m.join <- JoinResult{Code: code.CoordinatorNotAvailable, Generation: -1, MemberID: m.id}
				m.join = nil
			}
			if m.sync != nil {
				m.sync <- SyncResult{Code: code.CoordinatorNotAvailable}
				m.sync = nil
			}
		}
		if g.consumers != nil {
			for _, m := range g.consumers.members {
				m.session.end()
				m.due.cancel()
			}
		}
		g.state = Dead
		g.mu.Unlock()
	}
}

// lock returns the group called id, locked. One that does not exist is made if create is set, else GroupIDNotFound is
// returned.
func (s *Groups) lock(id string, create bool) (*group, code.Code) {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, code.CoordinatorNotAvailable
		}
		g := s.groups[id]
		if g == nil {
			if !create {
				s.mu.Unlock()
				return nil, code.GroupIDNotFound
			}
			if len(s.groups) >= maxGroups {
				s.mu.Unlock()
				return nil, code.GroupMaxSizeReached
			}
			g = newGroup(id, s)
			s.groups[id] = g
		}
		s.mu.Unlock()
		g.mu.Lock()
		if g.state != Dead {
			return g, code.None
		}
		g.mu.Unlock() // it was deleted in between
	}
}

// bury ends a group that holds nothing. g.mu must be held.
func (s *Groups) bury(g *group) {
	g.phase.cancel()
	for _, t := range g.pending {
		t.cancel()
	}
	g.become(Dead)
	s.mu.Lock()
	if s.groups[g.id] == g {
		delete(s.groups, g.id)
	}
	s.mu.Unlock()
}

func (s *Groups) all() []*group {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.groups))
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *group) int { return strings.Compare(a.id, b.id) })
	return all
}

// journal returns the journal of a group, by the hash Kafka clients and tools expect.
func (s *Groups) journal(id string) *journal.Journal {
	return s.journals[partitionFor(id, len(s.journals))]
}

// Partition returns which partition of the offsets topic has the group.
func (s *Groups) Partition(id string) int32 { return int32(partitionFor(id, len(s.journals))) }

// partitionFor is the absolute value of Java's String.hashCode modulo n; the one without an absolute value is 0.
func partitionFor(key string, n int) int {
	h := int32(0)
	for _, r := range utf16Units(key) {
		h = 31*h + int32(r)
	}
	if h == math.MinInt32 {
		return 0
	}
	return int(max(h, -h)) % n
}

// Count returns the number of groups.
func (s *Groups) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.groups)
}

func (s *Groups) logf(format string, args ...any) { s.cfg.Logf(format, args...) }

// Listed is a group in a list.
type Listed struct{ ID, Type, ProtocolType, State string }

// List returns all groups by id.
func (s *Groups) List() []Listed {
	var list []Listed
	for _, g := range s.all() {
		g.mu.Lock()
		if g.state != Dead {
			x := Listed{ID: g.id, Type: TypeClassic, ProtocolType: g.protocolType, State: g.state.String()}
			if g.consumers != nil {
				x.Type, x.State = TypeConsumer, g.consumers.stateName()
			}
			list = append(list, x)
		}
		g.mu.Unlock()
	}
	return list
}

// Description is a group in full.
type Description struct {
	Listed
	Protocol string
	Members  []DescribedMember
}

// DescribedMember is a member in a Description.
type DescribedMember struct {
	ID, Instance, Client, Host string
	Metadata, Assignment       []byte
}

// Describe returns the group called id, if it is one by the classic protocol.
func (s *Groups) Describe(id string) (Description, code.Code) {
	g, c := s.lock(id, false)
	if c != code.None {
		return Description{}, c
	}
	defer g.mu.Unlock()
	if g.consumers != nil {
		return Description{}, code.GroupIDNotFound
	}
	d := Description{Listed: Listed{ID: g.id, ProtocolType: g.protocolType, State: g.state.String()}}
	if g.state == Stable {
		d.Protocol = g.protocol
	}
	for _, memberID := range slices.Sorted(maps.Keys(g.members)) {
		m := g.members[memberID]
		x := DescribedMember{ID: m.id, Instance: m.instance, Client: m.client, Host: m.host}
		if g.state == Stable {
			x.Metadata, x.Assignment = m.metadata(g.protocol), m.assignment
		}
		d.Members = append(d.Members, x)
	}
	return d, code.None
}

// Delete removes a group without members, with its offsets.
func (s *Groups) Delete(id string) (log.Ticket, code.Code) {
	if id == "" {
		return 0, code.InvalidGroupID
	}
	g, c := s.lock(id, false)
	if c != code.None {
		return 0, c
	}
	defer g.mu.Unlock()
	if !g.empty() {
		return 0, code.NonEmptyGroup
	}
	entries := g.gone()
	for tp := range g.offsets {
		entries = append(entries, journal.Entry{Key: offsetKey(g.id, tp)})
	}
	if err := g.append(entries); err != nil {
		s.logf("group %q: %v", id, err)
		return 0, code.CoordinatorNotAvailable
	}
	g.offsets = map[TopicPartition]offset{}
	if len(g.txns) == 0 {
		s.bury(g)
	}
	return g.ticket, code.None
}
