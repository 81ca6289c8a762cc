package coord

import (
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/journal"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// Versions of the records written. Newer ones exist; these are what tools that read the topics know.
const (
	offsetKeyVersion   = 1
	offsetValueVersion = 3
	expireValueVersion = 1 // of an offset that carries the time it expires
	groupKeyVersion    = 2
	groupValueVersion  = 3
)

// consumerProtocol is the protocol type of groups of consumers.
const consumerProtocol = "consumer"

// utf16Units returns s as Java counts its characters.
func utf16Units(s string) []uint16 { return utf16.Encode([]rune(s)) }

func offsetKey(group string, tp TopicPartition) []byte {
	k := kmsg.NewOffsetCommitKey()
	k.Version, k.Group, k.Topic, k.Partition = offsetKeyVersion, group, tp.Topic, tp.Partition
	return k.AppendTo(nil)
}

func offsetValue(o offset) []byte {
	v := kmsg.NewOffsetCommitValue()
	v.Version, v.Offset, v.LeaderEpoch, v.Metadata, v.CommitTimestamp = offsetValueVersion, o.at, o.epoch, o.metadata, o.time
	if o.expire >= 0 {
		v.Version, v.ExpireTimestamp = expireValueVersion, o.expire
	}
	return v.AppendTo(nil)
}

func groupKey(group string) []byte {
	k := kmsg.NewGroupMetadataKey()
	k.Version, k.Group = groupKeyVersion, group
	return k.AppendTo(nil)
}

// gone are the tombstones of the group itself, which has no members.
func (g *group) gone() []journal.Entry {
	if g.consumers != nil {
		return consumersGone(g.id)
	}
	return []journal.Entry{{Key: groupKey(g.id)}}
}

// append writes records of the group, not as a part of a transaction. g.mu must be held.
func (g *group) append(entries []journal.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	t, err := g.groups.journal(g.id).Append(entries...)
	if err != nil {
		return err
	}
	g.ticket = t
	return nil
}

// save writes the group as it is.
func (g *group) save() error { return g.append([]journal.Entry{g.record()}) }

// record is a group of the classic protocol as it is.
func (g *group) record() journal.Entry {
	v := kmsg.NewGroupMetadataValue()
	v.Version, v.ProtocolType, v.Generation = groupValueVersion, g.protocolType, g.generation
	if g.protocol != "" {
		v.Protocol = &g.protocol
	}
	if g.leader != "" {
		v.Leader = &g.leader
	}
	v.CurrentStateTimestamp = g.since.UnixMilli()
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		m := g.members[id]
		x := kmsg.NewGroupMetadataValueMember()
		x.MemberID, x.ClientID, x.ClientHost = m.id, m.client, m.host
		if m.instance != "" {
			x.InstanceID = &m.instance
		}
		x.SessionTimeoutMillis, x.RebalanceTimeoutMillis = int32(m.sessionTime.Milliseconds()), int32(m.rebalanceTime.Milliseconds())
		x.Subscription, x.Assignment = m.metadata(g.protocol), m.assignment
		v.Members = append(v.Members, x)
	}
	return journal.Entry{Key: groupKey(g.id), Value: v.AppendTo(nil)}
}

// replay applies what one partition of the offsets topic says.
func (s *Groups) replay(p *log.Partition) error {
	var r batch.Record
	err := journal.Replay(p, func(b journal.Replayed) error {
		if b.Marker != nil {
			s.endTxn(p.ID().Partition, b.Header.ProducerID, b.Marker.Commit, 0)
			return nil
		}
		producer := int64(-1)
		if b.Header.Transactional() {
			producer = b.Header.ProducerID
		}
		for b.Reader.Next(&r) {
			if err := s.replayRecord(r.Key, r.Value, producer); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("coord: %w", err)
	}
	return nil
}

func (s *Groups) replayed(id string) *group {
	g := s.groups[id]
	if g == nil {
		g = newGroup(id, s)
		s.groups[id] = g
	}
	return g
}

func (s *Groups) replayRecord(key, value []byte, producer int64) error {
	if len(key) < 2 {
		return fmt.Errorf("coord: record with a key of %d bytes", len(key))
	}
	switch version := int16(key[0])<<8 | int16(key[1]); version {
	case 0, offsetKeyVersion:
		k := kmsg.NewOffsetCommitKey()
		if err := k.ReadFrom(key); err != nil {
			return fmt.Errorf("coord: offset key: %w", err)
		}
		return s.replayed(k.Group).replayOffset(TopicPartition{k.Topic, k.Partition}, value, producer)
	case groupKeyVersion:
		k := kmsg.NewGroupMetadataKey()
		if err := k.ReadFrom(key); err != nil {
			return fmt.Errorf("coord: group key: %w", err)
		}
		if value == nil {
			switch g := s.groups[k.Group]; {
			case g == nil:
			case len(g.offsets) == 0 && len(g.txns) == 0:
				delete(s.groups, k.Group)
			default:
				g.forgetMembers()
				g.protocolType = ""
			}
			return nil
		}
		return s.replayed(k.Group).replayMembers(value)
	case keyConsumers, keyConsumerMember, keyConsumersTarget, keyConsumerTarget, keyConsumerCurrent:
		return s.replayConsumers(key, value)
	}
	return nil // a kind of record this coordinator does not write: left as it is
}

func (g *group) replayOffset(tp TopicPartition, value []byte, producer int64) error {
	if value == nil {
		delete(g.offsets, tp)
		return nil
	}
	v := kmsg.NewOffsetCommitValue()
	if err := v.ReadFrom(value); err != nil {
		return fmt.Errorf("coord: group %q: offset of %v: %w", g.id, tp, err)
	}
	o := offset{at: v.Offset, epoch: v.LeaderEpoch, metadata: v.Metadata, time: v.CommitTimestamp, expire: -1}
	if v.Version < offsetValueVersion {
		o.epoch = -1
	}
	if v.Version == expireValueVersion {
		o.expire = v.ExpireTimestamp
	}
	if producer < 0 {
		g.offsets[tp] = o
		return nil
	}
	g.holds(producer, map[TopicPartition]offset{tp: o})
	return nil
}

func (g *group) replayMembers(value []byte) error {
	v := kmsg.NewGroupMetadataValue()
	if err := v.ReadFrom(value); err != nil {
		return fmt.Errorf("coord: group %q: %w", g.id, err)
	}
	g.protocolType, g.generation, g.protocol, g.leader = v.ProtocolType, v.Generation, "", ""
	if v.Protocol != nil {
		g.protocol = *v.Protocol
	}
	clear(g.members)
	clear(g.static)
	for _, x := range v.Members {
		m := &member{
			id: x.MemberID, client: x.ClientID, host: x.ClientHost,
			sessionTime:   time.Duration(x.SessionTimeoutMillis) * time.Millisecond,
			rebalanceTime: time.Duration(x.RebalanceTimeoutMillis) * time.Millisecond,
			protocols:     []Protocol{{Name: g.protocol, Metadata: append([]byte{}, x.Subscription...)}},
			assignment:    append([]byte{}, x.Assignment...),
		}
		if x.InstanceID != nil {
			m.instance = *x.InstanceID
		}
		g.add(m)
	}
	if v.Leader != nil {
		g.leader = *v.Leader
	}
	g.state = Empty
	if len(g.members) > 0 {
		g.state = Stable
	}
	if v.CurrentStateTimestamp >= 0 {
		g.since = time.UnixMilli(v.CurrentStateTimestamp)
	}
	return nil
}

// wakeMembers gives the members of replayed groups one session time to be heard of, and drops groups that a deletion
// left without anything.
func (s *Groups) wakeMembers() {
	for _, g := range s.all() {
		g.mu.Lock()
		for _, id := range slices.Sorted(maps.Keys(g.members)) {
			g.heard(g.members[id])
		}
		if g.consumers != nil {
			g.wakeConsumers()
		}
		if g.protocolType == "" && len(g.offsets) == 0 && len(g.txns) == 0 {
			s.bury(g)
		}
		g.mu.Unlock()
	}
}

// subscribed returns the topics the members subscribe to, nil if that is not known.
func (g *group) subscribed() map[string]bool {
	if g.consumers != nil {
		return g.consumers.subscribed()
	}
	if g.protocolType != consumerProtocol || g.state == PreparingRebalance || g.state == CompletingRebalance {
		return nil
	}
	topics := map[string]bool{}
	for _, m := range g.members {
		var meta kmsg.ConsumerMemberMetadata
		if err := meta.ReadFrom(m.metadata(g.protocol)); err != nil {
			return nil
		}
		for _, t := range meta.Topics {
			topics[t] = true
		}
	}
	return topics
}
