package coord

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/journal"
)

// Kinds of records of groups by KIP-848: the versions of their keys. The layouts are those of Kafka's group coordinator
// (ConsumerGroup*Key.json and *Value.json), in version 0, with
// the one tagged field there is, of members that speak the classic protocol.
const (
	keyConsumers       = 3 // group → its epoch
	keyConsumerMember  = 5 // group, member → what it subscribes to
	keyConsumersTarget = 6 // group → the epoch of the target assignment
	keyConsumerTarget  = 7 // group, member → what it is to have
	keyConsumerCurrent = 8 // group, member → its epoch and what it has
)

func consumerKey(kind int16, names ...string) []byte {
	k := kbin.AppendInt16(nil, kind)
	for _, n := range names {
		k = kbin.AppendString(k, n)
	}
	return k
}

// version0 begins a value.
func version0() []byte { return kbin.AppendInt16(nil, 0) }

// noTags ends a struct.
const noTags = 0

func consumersEpoch(group string, c *consumers) journal.Entry {
	return journal.Entry{Key: consumerKey(keyConsumers, group), Value: append(kbin.AppendInt32(version0(), c.epoch), noTags)}
}

func consumersTarget(group string, c *consumers) journal.Entry {
	return journal.Entry{Key: consumerKey(keyConsumersTarget, group), Value: append(kbin.AppendInt32(version0(), c.assigned), noTags)}
}

func consumerMember(group string, m *consumer) journal.Entry {
	optional := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	v := version0()
	v = kbin.AppendCompactNullableString(v, optional(m.instance))
	v = kbin.AppendCompactNullableString(v, optional(m.rack))
	v = kbin.AppendCompactString(kbin.AppendCompactString(v, m.client), m.host)
	v = kbin.AppendCompactArrayLen(v, len(m.names))
	for _, n := range m.names {
		v = kbin.AppendCompactString(v, n)
	}
	v = kbin.AppendCompactNullableString(v, optional(m.regex))
	v = kbin.AppendInt32(v, int32(m.rebalance.Milliseconds()))
	v = kbin.AppendCompactNullableString(v, optional(m.assignor))
	if m.classic == nil {
		v = append(v, noTags)
	} else {
		v = appendFace(v, m.classic)
	}
	return journal.Entry{Key: consumerKey(keyConsumerMember, group, m.id), Value: v}
}

func consumerTarget(group string, m *consumer) journal.Entry {
	return journal.Entry{Key: consumerKey(keyConsumerTarget, group, m.id), Value: append(appendPartitions(version0(), m.target), noTags)}
}

func consumerCurrent(group string, m *consumer) journal.Entry {
	v := kbin.AppendInt32(kbin.AppendInt32(version0(), m.epoch), m.previous)
	v = kbin.AppendInt8(v, int8(m.state))
	v = append(appendPartitions(appendPartitions(v, m.assigned), m.revoking), noTags)
	return journal.Entry{Key: consumerKey(keyConsumerCurrent, group, m.id), Value: v}
}

func consumerGone(group, id string) []journal.Entry {
	return []journal.Entry{{Key: consumerKey(keyConsumerCurrent, group, id)}, {Key: consumerKey(keyConsumerTarget, group, id)}, {Key: consumerKey(keyConsumerMember, group, id)}}
}

func consumersGone(group string) []journal.Entry {
	return []journal.Entry{{Key: consumerKey(keyConsumersTarget, group)}, {Key: consumerKey(keyConsumers, group)}}
}

// appendPartitions appends an array of topics with their partitions.
func appendPartitions(v []byte, set partitions) []byte {
	topics := map[[16]byte][]int32{}
	var order [][16]byte
	for _, p := range set.sorted() {
		if topics[p.Topic] == nil {
			order = append(order, p.Topic)
		}
		topics[p.Topic] = append(topics[p.Topic], p.Partition)
	}
	v = kbin.AppendCompactArrayLen(v, len(order))
	for _, t := range order {
		v = kbin.AppendCompactArrayLen(kbin.AppendUuid(v, t), len(topics[t]))
		for _, p := range topics[t] {
			v = kbin.AppendInt32(v, p)
		}
		v = append(v, noTags)
	}
	return v
}

func readPartitions(r *kbin.Reader) partitions {
	set := partitions{}
	for range r.CompactArrayLen() {
		t := r.Uuid()
		for range r.CompactArrayLen() {
			set[IDPartition{t, r.Int32()}] = struct{}{}
			if !r.Ok() {
				return set
			}
		}
		skipTags(r)
	}
	return set
}

// tagClassic is the tag, in a member's record, of what it has as a member of the classic protocol.
const tagClassic = 0

// appendFace ends a member's record with its only tagged field.
func appendFace(v []byte, f *classicFace) []byte {
	x := kbin.AppendInt32([]byte{1}, int32(f.session.Milliseconds())) // 1: there is one
	x = kbin.AppendCompactArrayLen(x, len(f.protocols))
	for _, p := range f.protocols {
		x = append(kbin.AppendCompactBytes(kbin.AppendCompactString(x, p.Name), p.Metadata), noTags)
	}
	x = append(x, noTags)
	v = append(kbin.AppendUvarint(v, 1), tagClassic)
	return append(kbin.AppendUvarint(v, uint32(len(x))), x...)
}

// readFace reads the tagged fields that end a member's record.
func readFace(r *kbin.Reader) (f *classicFace) {
	for n := r.Uvarint(); n > 0 && r.Ok(); n-- {
		tag := r.Uvarint()
		x := kbin.Reader{Src: r.Span(int(r.Uvarint()))}
		if tag != tagClassic || x.Int8() < 0 {
			continue
		}
		f = &classicFace{session: time.Duration(x.Int32()) * time.Millisecond}
		for range x.CompactArrayLen() {
			f.protocols = append(f.protocols, Protocol{Name: x.CompactString(), Metadata: slices.Clone(x.CompactBytes())})
			if skipTags(&x); !x.Ok() {
				break
			}
		}
		if len(f.protocols) == 0 {
			x.Span(-1) // who has none cannot be told what to go by
		}
		if !x.Ok() {
			r.Span(-1)
		}
	}
	return f
}

// skipTags passes over the tagged fields that end a struct: a newer coordinator may have written some.
func skipTags(r *kbin.Reader) {
	for n := r.Uvarint(); n > 0 && r.Ok(); n-- {
		r.Uvarint()
		r.Span(int(r.Uvarint()))
	}
}

// saveConsumers writes records. If the last ones could not be written all of the group is: memory is ahead of the log.
func (g *group) saveConsumers(entries []journal.Entry) code.Code {
	c := g.consumers
	if c.unsaved {
		entries = append(append(slices.Clone(c.before), entries...), consumersEpoch(g.id, c), consumersTarget(g.id, c))
		for _, id := range slices.Sorted(maps.Keys(c.members)) {
			m := c.members[id]
			entries = append(entries, consumerMember(g.id, m), consumerTarget(g.id, m), consumerCurrent(g.id, m))
		}
	}
	if err := g.append(entries); err != nil {
		g.groups.logf("group %q: %v", g.id, err)
		c.unsaved = true
		return code.CoordinatorNotAvailable
	}
	c.unsaved, c.before = false, nil
	return code.None
}

// replayConsumers applies a record of such a group.
func (s *Groups) replayConsumers(key, value []byte) error {
	k := kbin.Reader{Src: key}
	kind, id := k.Int16(), k.String()
	member := ""
	if kind != keyConsumers && kind != keyConsumersTarget {
		member = k.String()
	}
	if err := k.Complete(); err != nil {
		return fmt.Errorf("coord: key of a group's record: %w", err)
	}
	g := s.replayed(id)
	if value == nil {
		g.replayConsumerGone(kind, member)
		return nil
	}
	if g.consumers == nil {
		g.consumers, g.protocolType = newConsumers(), consumerProtocol
	}
	v := kbin.Reader{Src: value}
	if version := v.Int16(); version != 0 {
		return fmt.Errorf("coord: group %q: a record of kind %d in version %d, which is not known", id, kind, version)
	}
	if g.consumers.replay(kind, member, &v); !v.Ok() {
		return fmt.Errorf("coord: group %q: a record of kind %d ends early", id, kind)
	}
	return nil
}

func (g *group) replayConsumerGone(kind int16, member string) {
	switch {
	case g.consumers == nil:
	case kind == keyConsumers:
		g.consumers, g.protocolType = nil, ""
	case kind == keyConsumerMember:
		delete(g.consumers.members, member)
	}
}

func (c *consumers) replay(kind int16, id string, r *kbin.Reader) {
	switch kind {
	case keyConsumers:
		c.epoch = r.Int32()
		skipTags(r)
		return
	case keyConsumersTarget:
		c.assigned = r.Int32()
		skipTags(r)
		return
	}
	m := c.members[id]
	if m == nil {
		m = &consumer{id: id, target: partitions{}, assigned: partitions{}, revoking: partitions{}}
		c.members[id] = m
	}
	switch kind {
	case keyConsumerTarget:
		m.target = readPartitions(r)
		skipTags(r)
	case keyConsumerCurrent:
		m.epoch, m.previous, m.state = r.Int32(), r.Int32(), memberState(r.Int8())
		m.assigned, m.revoking = readPartitions(r), readPartitions(r)
		skipTags(r)
	case keyConsumerMember:
		optional := func() string {
			if s := r.CompactNullableString(); s != nil {
				return *s
			}
			return ""
		}
		m.instance, m.rack, m.client, m.host = optional(), optional(), r.CompactString(), r.CompactString()
		m.names = nil
		for range r.CompactArrayLen() {
			if m.names = append(m.names, r.CompactString()); !r.Ok() {
				return
			}
		}
		m.regex = optional()
		m.rebalance = time.Duration(r.Int32()) * time.Millisecond
		m.assignor = optional()
		m.classic = readFace(r)
		m.pattern, _ = regexp.Compile("^(?:" + m.regex + ")$") // it was checked before it was written
		if m.regex == "" {
			m.pattern = nil
		}
	}
}

// wakeConsumers brings what was replayed together, and gives members a session to be heard of. Topics are as they were: they
// change through the engine alone.
func (g *group) wakeConsumers() {
	everything := func(string) bool { return true }
	for _, id := range slices.Sorted(maps.Keys(g.consumers.members)) {
		m := g.consumers.members[id]
		g.consumers.put(m)
		g.groups.matches(m, everything)
		g.heardConsumer(m)
		g.hurry(m)
	}
	g.groups.newTopics(g.consumers, true)
}
