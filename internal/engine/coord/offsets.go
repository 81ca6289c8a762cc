package coord

import (
	"maps"
	"slices"
	"time"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/journal"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// offset is what was committed for a partition.
type offset struct {
	at       int64
	epoch    int32
	metadata string
	time     int64 // of the commit, in ms
	expire   int64 // ms; -1: by the retention
}

// Commit is a partition's offset to be committed.
type Commit struct {
	TopicPartition
	Offset      int64
	LeaderEpoch int32
	Metadata    string
	Timestamp   int64 // of v1 requests; -1: now
}

// Sender says on whose behalf offsets are committed.
type Sender struct {
	Group      string
	Generation int32
	MemberID   string
	Instance   *string
}

// MaxMetadata is the longest metadata of a committed offset, in bytes.
const MaxMetadata = 4096

// Commit stores offsets of a group. retention, if not negative, is how long they are kept (v2 to 4 can say so).
// Each commit has its own result.
func (s *Groups) Commit(from Sender, retention time.Duration, commits []Commit) ([]code.Code, log.Ticket) {
	results := make([]code.Code, len(commits))
	if from.Group == "" {
		return fill(results, code.InvalidGroupID), 0
	}
	g, c := s.lock(from.Group, from.Generation < 0)
	if c == code.GroupIDNotFound {
		c = code.IllegalGeneration
	}
	if c != code.None {
		return fill(results, c), 0
	}
	defer g.mu.Unlock()
	if c := g.mayCommit(&from, false); c != code.None {
		return fill(results, c), 0
	}
	if m := g.members[from.MemberID]; m != nil {
		g.heard(m)
	}
	now := s.clock.Now().UnixMilli()
	stored, entries := g.accept(commits, results, now, retention)
	if err := g.append(entries); err != nil {
		s.logf("group %q: %v", g.id, err)
		return fill(results, code.CoordinatorNotAvailable), 0
	}
	maps.Copy(g.offsets, stored)
	return results, g.ticket
}

func fill(results []code.Code, c code.Code) []code.Code {
	for i := range results {
		results[i] = c
	}
	return results
}

// accept checks the commits one by one and returns what is to be stored, and the records of it.
func (g *group) accept(commits []Commit, results []code.Code, now int64, retention time.Duration) (map[TopicPartition]offset, []journal.Entry) {
	stored := make(map[TopicPartition]offset, len(commits))
	entries := make([]journal.Entry, 0, len(commits))
	for i, c := range commits {
		if len(c.Metadata) > MaxMetadata {
			results[i] = code.OffsetMetadataTooLarge
			continue
		}
		o := offset{at: c.Offset, epoch: c.LeaderEpoch, metadata: c.Metadata, time: now, expire: -1}
		if c.Timestamp >= 0 {
			o.time = c.Timestamp
		}
		if retention >= 0 {
			o.expire = o.time + retention.Milliseconds()
		}
		stored[c.TopicPartition] = o
		entries = append(entries, journal.Entry{Key: offsetKey(g.id, c.TopicPartition), Value: offsetValue(o)})
	}
	return stored, entries
}

// mayCommit reports whether the sender may commit now.
func (g *group) mayCommit(from *Sender, transactional bool) code.Code {
	if from.Generation < 0 && g.empty() {
		return code.None // a consumer that assigns itself, or an admin
	}
	if g.consumers != nil && (from.Generation >= 0 || from.MemberID != "") {
		stale := code.StaleMemberEpoch
		if transactional {
			stale = code.IllegalGeneration
		}
		return g.consumers.mayCommit(from.MemberID, from.Generation, stale)
	}
	if from.Generation >= 0 || from.MemberID != "" || from.Instance != nil {
		if _, c := g.find(from.MemberID, from.Instance); c != code.None {
			return c
		}
		if from.Generation != g.generation {
			return code.IllegalGeneration
		}
	} else if !transactional && !g.empty() {
		return code.UnknownMemberID
	}
	if !transactional && g.state == CompletingRebalance {
		return code.RebalanceInProgress
	}
	return code.None
}

// commitTxn stores offsets as a part of the producer's open transaction: they count when it commits.
func (s *Groups) commitTxn(from Sender, producerID int64, epoch int16, commits []Commit) ([]code.Code, log.Ticket) {
	results := make([]code.Code, len(commits))
	g, c := s.lock(from.Group, from.Generation < 0)
	if c == code.GroupIDNotFound {
		c = code.IllegalGeneration
	}
	if c != code.None {
		return fill(results, c), 0
	}
	defer g.mu.Unlock()
	if c := g.mayCommit(&from, true); c != code.None {
		return fill(results, c), 0
	}
	stored, entries := g.accept(commits, results, s.clock.Now().UnixMilli(), -1)
	if len(entries) == 0 {
		return results, 0
	}
	t, err := s.journal(g.id).AppendTxn(producerID, epoch, entries...)
	if err != nil {
		s.logf("group %q: %v", g.id, err)
		return fill(results, code.CoordinatorNotAvailable), 0
	}
	g.ticket = t
	g.holds(producerID, stored)
	return results, t
}

// endTxn makes the offsets of a producer's transaction count, or drops them, in all groups of a partition of the
// offsets topic. Its marker was just written there, with the ticket.
func (s *Groups) endTxn(partition int32, producerID int64, commit bool, ticket log.Ticket) {
	s.mu.Lock()
	groups := slices.Collect(maps.Keys(s.txns[producerID]))
	s.mu.Unlock()
	for _, g := range groups {
		if s.Partition(g.id) != partition {
			continue
		}
		g.mu.Lock()
		if commit {
			maps.Copy(g.offsets, g.txns[producerID])
		}
		delete(g.txns, producerID)
		g.ticket = max(g.ticket, ticket)
		s.mu.Lock()
		delete(s.txns[producerID], g)
		if len(s.txns[producerID]) == 0 {
			delete(s.txns, producerID)
		}
		s.mu.Unlock()
		g.mu.Unlock()
	}
}

// holds notes offsets that wait for the end of a producer's transaction. g.mu must be held.
func (g *group) holds(producerID int64, pending map[TopicPartition]offset) {
	if g.txns[producerID] == nil {
		g.txns[producerID] = map[TopicPartition]offset{}
		s := g.groups
		s.mu.Lock()
		if s.txns[producerID] == nil {
			s.txns[producerID] = map[*group]struct{}{}
		}
		s.txns[producerID][g] = struct{}{}
		s.mu.Unlock()
	}
	maps.Copy(g.txns[producerID], pending)
}

// Fetched is a committed offset.
type Fetched struct {
	TopicPartition
	Offset      int64 // -1: none
	LeaderEpoch int32
	Metadata    string
	Code        code.Code
}

// Fetch returns the offsets of a group: of the partitions, or of all that have one if parts is nil. With stable, one
// that an open transaction may change is answered UNSTABLE_OFFSET_COMMIT. What is returned may be told when the
// ticket is durable.
func (s *Groups) Fetch(groupID string, parts []TopicPartition, stable bool) ([]Fetched, log.Ticket, code.Code) {
	g, c := s.lock(groupID, false)
	if c == code.GroupIDNotFound {
		none := make([]Fetched, len(parts))
		for i, tp := range parts {
			none[i] = Fetched{TopicPartition: tp, Offset: -1, LeaderEpoch: -1}
		}
		return none, 0, code.None
	}
	if c != code.None {
		return nil, 0, c
	}
	defer g.mu.Unlock()
	if parts == nil {
		parts = slices.SortedFunc(maps.Keys(g.offsets), compareTP)
	}
	found := make([]Fetched, len(parts))
	for i, tp := range parts {
		f := Fetched{TopicPartition: tp, Offset: -1, LeaderEpoch: -1}
		if o, ok := g.offsets[tp]; ok {
			f.Offset, f.LeaderEpoch, f.Metadata = o.at, o.epoch, o.metadata
		}
		if stable && g.unstable(tp) {
			f = Fetched{TopicPartition: tp, Offset: -1, LeaderEpoch: -1, Code: code.UnstableOffsetCommit}
		}
		found[i] = f
	}
	return found, g.ticket, code.None
}

func (g *group) unstable(tp TopicPartition) bool {
	for _, pending := range g.txns {
		if _, ok := pending[tp]; ok {
			return true
		}
	}
	return false
}

func compareTP(a, b TopicPartition) int {
	if c := compare(a.Topic, b.Topic); c != 0 {
		return c
	}
	return int(a.Partition) - int(b.Partition)
}

// DeleteOffsets removes offsets of a group; each has its own result.
func (s *Groups) DeleteOffsets(groupID string, parts []TopicPartition) ([]code.Code, log.Ticket, code.Code) {
	g, c := s.lock(groupID, false)
	if c != code.None {
		return nil, 0, c
	}
	defer g.mu.Unlock()
	if !g.empty() && g.protocolType != consumerProtocol {
		return nil, 0, code.NonEmptyGroup
	}
	results := make([]code.Code, len(parts))
	var entries []journal.Entry
	subscribed := g.subscribed()
	for i, tp := range parts {
		if !g.empty() && (subscribed == nil || subscribed[tp.Topic]) {
			results[i] = code.GroupSubscribedToTopic
			continue
		}
		entries = append(entries, journal.Entry{Key: offsetKey(g.id, tp)})
	}
	if err := g.append(entries); err != nil {
		s.logf("group %q: %v", groupID, err)
		return nil, 0, code.CoordinatorNotAvailable
	}
	for i, tp := range parts {
		if results[i] == code.None {
			delete(g.offsets, tp)
		}
	}
	return results, g.ticket, code.None
}

// ForgetTopic removes the offsets of a deleted topic from all groups.
func (s *Groups) ForgetTopic(name string) {
	for _, g := range s.all() {
		g.mu.Lock()
		g.drop(func(tp TopicPartition, _ offset) bool { return tp.Topic == name })
		for _, pending := range g.txns {
			maps.DeleteFunc(pending, func(tp TopicPartition, _ offset) bool { return tp.Topic == name })
		}
		g.mu.Unlock()
	}
}

// drop removes the offsets for which gone is true.
func (g *group) drop(gone func(TopicPartition, offset) bool) {
	var entries []journal.Entry
	for tp, o := range g.offsets {
		if gone(tp, o) {
			entries = append(entries, journal.Entry{Key: offsetKey(g.id, tp)})
		}
	}
	if err := g.append(entries); err != nil {
		g.groups.logf("group %q: %v", g.id, err)
		return
	}
	maps.DeleteFunc(g.offsets, gone)
}

// sweep drops expired offsets and the groups left with nothing.
func (s *Groups) sweep() {
	now := s.clock.Now()
	for _, g := range s.all() {
		g.mu.Lock()
		g.expire(now)
		g.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.stopSweep = s.clock.AfterFunc(sweepInterval, s.sweep)
	}
}

// expire drops what is due: counted from the commit for groups that have no protocol, from the moment the last member
// left for others, and in a stable group for topics alone that no member subscribes to.
func (g *group) expire(now time.Time) {
	if g.state != Empty && g.state != Stable {
		return
	}
	var subscribed map[string]bool
	if !g.empty() {
		if subscribed = g.subscribed(); subscribed == nil {
			return
		}
	}
	g.drop(func(tp TopicPartition, o offset) bool {
		if g.unstable(tp) || subscribed[tp.Topic] {
			return false
		}
		if o.expire >= 0 {
			return now.UnixMilli() >= o.expire
		}
		since := time.UnixMilli(o.time)
		if g.empty() && g.protocolType != "" {
			since = g.since
		}
		return now.Sub(since) >= g.groups.cfg.OffsetRetention
	})
	if g.empty() && len(g.offsets) == 0 && len(g.txns) == 0 && len(g.pending) == 0 {
		if err := g.append(g.gone()); err != nil {
			g.groups.logf("group %q: %v", g.id, err)
			return
		}
		g.groups.bury(g)
	}
}
