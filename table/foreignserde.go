package table

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/murmur3"

	"github.com/thalweg/thalweg/serde"
)

// instruction is what a subscription asks of the other side (KIP-213, KIP-955).
type instruction byte

const (
	leave          instruction = iota // forget the subscription
	leaveAndTell                      // forget it, and answer that there is no row
	subscribe                         // answer with the row, or that there is none
	subscribeToAny                    // answer only if there is a row
)

// valueHash stands for a row's value: an answer to one that has changed meanwhile is not looked at. The zero valueHash is
// that of an absent one.
type valueHash struct {
	sum [16]byte
	ok  bool
}

const hashSeed = 104729 // Kafka Streams'

// hashOf is the hash of a row's bytes, nil for an absent row: Murmur3, 128 bits, as Kafka Streams has it.
func hashOf(value []byte) (h valueHash) {
	if value == nil {
		return h
	}
	a, b := murmur3.SeedSum128(hashSeed, hashSeed, value)
	binary.BigEndian.PutUint64(h.sum[:], a)
	binary.BigEndian.PutUint64(h.sum[8:], b)
	h.ok = true
	return h
}

// append writes 1 bit "no hash", 7 bits version.
func (h valueHash) appendVersion(dst []byte, version byte) []byte {
	if !h.ok {
		version |= 0x80
	}
	return append(dst, version)
}

func (h valueHash) append(dst []byte) []byte {
	if h.ok {
		return append(dst, h.sum[:]...)
	}
	return dst
}

// take reads the hash that data begins with, if there is one.
func (h *valueHash) take(data []byte, none bool) ([]byte, error) {
	if none {
		return data, nil
	}
	if len(data) < len(h.sum) {
		return nil, errShortMessage
	}
	copy(h.sum[:], data)
	h.ok = true
	return data[len(h.sum):], nil
}

var errShortMessage = errors.New("table: a message of a foreign-key join ends early")

// subscription says which row of the left table refers to the key it is sent under.
type subscription struct {
	hash      valueHash // of the left row
	do        instruction
	key       []byte // of the left row
	partition int32  // of the left row's task: where the answer has to go
}

// subscriptionSerde writes what Kafka Streams does:
//
//	1 bit no hash, 7 bits version | instruction | hash(16), if there is one | key | partition(4)
type subscriptionSerde struct{}

const subscriptionVersion = 1

func (subscriptionSerde) String() string { return "subscription" }

func (subscriptionSerde) Append(dst []byte, s subscription) ([]byte, error) {
	dst = append(s.hash.appendVersion(dst, subscriptionVersion), byte(s.do))
	dst = append(s.hash.append(dst), s.key...)
	return binary.BigEndian.AppendUint32(dst, uint32(s.partition)), nil
}

func (subscriptionSerde) Decode(data []byte) (s subscription, err error) {
	if len(data) < 6 {
		return s, errShortMessage
	}
	if v := data[0] & 0x7f; v != subscriptionVersion {
		return s, fmt.Errorf("table: a subscription of version %d, this program reads version %d", v, subscriptionVersion)
	}
	if s.do = instruction(data[1]); s.do > subscribeToAny {
		return s, fmt.Errorf("table: a subscription with the unknown instruction %d", s.do)
	}
	rest, err := s.hash.take(data[2:], data[0]&0x80 != 0)
	if err != nil || len(rest) < 4 {
		return s, errShortMessage
	}
	n := len(rest) - 4
	s.key = append([]byte{}, rest[:n]...)
	s.partition = int32(binary.BigEndian.Uint32(rest[n:]))
	return s, nil
}

// answer is the right table's row for a subscription.
type answer[V any] struct {
	hash      valueHash // of the left row that asked
	row       serde.Opt[V]
	partition int32 // where it goes; not written
}

// answerSerde writes what Kafka Streams does: 1 bit no hash, 7 bits version | hash(16), if there is one | value, if
// there is one.
type answerSerde[V any] struct{ of serde.Serde[V] }

const answerVersion = 0

func (s answerSerde[V]) String() string { return "answer of " + serde.Name(s.of) }

func (s answerSerde[V]) Append(dst []byte, a answer[V]) ([]byte, error) {
	dst = a.hash.append(a.hash.appendVersion(dst, answerVersion))
	if !a.row.OK {
		return dst, nil
	}
	out, err := s.of.Append(dst, a.row.Value)
	if err == nil && out == nil {
		return dst, nil
	}
	return out, err
}

func (s answerSerde[V]) Decode(data []byte) (a answer[V], err error) {
	if len(data) == 0 {
		return a, errShortMessage
	}
	if v := data[0] & 0x7f; v != answerVersion {
		return a, fmt.Errorf("table: an answer of version %d, this program reads version %d", v, answerVersion)
	}
	rest, err := a.hash.take(data[1:], data[0]&0x80 != 0)
	if err != nil || len(rest) == 0 { // an empty value cannot be told from none: Kafka Streams' format
		return a, err
	}
	a.row.Value, err = s.of.Decode(rest)
	a.row.OK = err == nil
	return a, err
}
