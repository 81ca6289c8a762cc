package table

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/thalweg/thalweg/serde"
)

// changeSerde writes changes as Kafka Streams has them in a repartition topic: the flag comes last (KIP-904).
//
//	old 0 | new 1 | length of new (zigzag varint) new old 2
//
// Readers take 3, 4 and 5 too: the same three with a byte before the flag that says whether the change is of the latest
// version.
type changeSerde[V any] struct{ of serde.Serde[V] }

func (s changeSerde[V]) String() string { return "change of " + serde.Name(s.of) }
func (s changeSerde[V]) Parts() []any   { return []any{s.of} }

func (s changeSerde[V]) At(p serde.Place) serde.Serde[Change[V]] {
	return changeSerde[V]{serde.At(s.of, p)}
}

func (s changeSerde[V]) Append(dst []byte, c Change[V]) ([]byte, error) {
	switch {
	case c.New.OK && c.Old.OK:
		// The length of new comes first: its place is made for one byte and moved up if it takes more.
		at := len(dst)
		dst, err := s.part(append(dst, 0), c.New.Value)
		if err != nil {
			return nil, err
		}
		var length [binary.MaxVarintLen64]byte
		n := binary.PutVarint(length[:], int64(len(dst)-at-1))
		dst = append(dst, length[:n-1]...)
		copy(dst[at+n:], dst[at+1:])
		copy(dst[at:], length[:n])
		if dst, err = s.part(dst, c.Old.Value); err != nil {
			return nil, err
		}
		return append(dst, 2), nil
	case c.New.OK:
		dst, err := s.part(dst, c.New.Value)
		return append(dst, 1), err
	case c.Old.OK:
		dst, err := s.part(dst, c.Old.Value)
		return append(dst, 0), err
	}
	return nil, errors.New("table: a change from nothing to nothing cannot be written")
}

func (s changeSerde[V]) part(dst []byte, v V) ([]byte, error) {
	b, err := s.of.Append(dst, v)
	if err == nil && b == nil {
		err = fmt.Errorf("table: the value %v of a change is written as null", v)
	}
	return b, err
}

var errShortChange = errors.New("table: a change ends early")

func (s changeSerde[V]) Decode(data []byte) (c Change[V], err error) {
	if len(data) == 0 {
		return c, errShortChange
	}
	flag, data := data[len(data)-1], data[:len(data)-1]
	if flag >= 3 && flag <= 5 {
		if len(data) == 0 {
			return c, errShortChange
		}
		flag, data = flag-3, data[:len(data)-1]
	}
	old, latest := []byte(nil), []byte(nil)
	switch flag {
	case 0:
		old = data
	case 1:
		latest = data
	case 2:
		n, w := binary.Varint(data)
		if w <= 0 || n < 0 || n > int64(len(data)-w) {
			return c, errShortChange
		}
		latest, old = data[w:w+int(n):w+int(n)], data[w+int(n):]
	default:
		return c, fmt.Errorf("table: a change of the unknown form %d", flag)
	}
	if old != nil {
		if c.Old.Value, err = s.of.Decode(old); err != nil {
			return c, err
		}
		c.Old.OK = true
	}
	if latest != nil {
		if c.New.Value, err = s.of.Decode(latest); err != nil {
			return c, err
		}
		c.New.OK = true
	}
	return c, nil
}
