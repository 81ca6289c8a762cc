package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
)

// A row of the store of MapValuesAsync is a record that waits for its result. Its key is the record's number, int64.
//
//	version 1 | flags | attempts | due | time | partition | offset | topic | key | value | headers
//
// The numbers are varints, the texts have their length before them, headers are as in a record batch and go to the end.
const rowVersion = 1

const (
	rowNoKey = 1 << iota
	rowNullKey
	rowNullValue
)

// keep copies what is to outlive the record at hand into c.
func (a *async[K, V, V2]) keep(m *edge.Meta, c *call[K, V]) error {
	c.meta = edge.Meta{Time: m.Time, Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, NoKey: m.NoKey, Headers: m.Headers}
	if m.Headers == nil {
		c.meta.RawHeaders = append([]byte(nil), m.RawHeaders...)
	}
	if !m.NoKey {
		key, err := a.keys.Key(m, c.key)
		if err != nil {
			return err
		}
		c.meta.Key.Bytes = bytes.Clone(key.Bytes)
	}
	if a.rawValue {
		if m.Val != nil {
			c.meta.Val = append([]byte{}, m.Val...)
		}
		return nil
	}
	var err error
	c.meta.Val, err = a.value.Append([]byte{}, c.value)
	return err
}

// encode writes the row of c.
func (a *async[K, V, V2]) encode(c *call[K, V]) []byte {
	m := &c.meta
	flags := byte(0)
	for bit, is := range map[byte]bool{rowNoKey: m.NoKey, rowNullKey: m.Key.Bytes == nil, rowNullValue: m.Val == nil} {
		if is {
			flags |= bit
		}
	}
	b := make([]byte, 0, 64+len(m.Topic)+len(m.Key.Bytes)+len(m.Val)+len(m.RawHeaders))
	b = append(b, rowVersion, flags)
	for _, n := range [...]int64{int64(c.attempt), c.due, m.Time, int64(m.Partition), m.Offset} {
		b = binary.AppendVarint(b, n)
	}
	for _, text := range [...]string{m.Topic, string(m.Key.Bytes), string(m.Val)} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return m.AppendRaw(b)
}

var errShortRow = errors.New("it is cut off")

// decode reads a row into c.
func (a *async[K, V, V2]) decode(row []byte, c *call[K, V]) (err error) {
	if len(row) < 2 {
		return errShortRow
	}
	if row[0] != rowVersion {
		return fmt.Errorf("it has version %d, this program reads %d", row[0], rowVersion)
	}
	flags, b := row[1], row[2:]
	var ns [5]int64
	for i := range ns {
		n := 0
		if ns[i], n = binary.Varint(b); n <= 0 {
			return errShortRow
		}
		b = b[n:]
	}
	var texts [3][]byte
	for i := range texts {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return errShortRow
		}
		texts[i], b = append([]byte{}, b[n:n+int(size)]...), b[n+int(size):]
	}
	m := &c.meta
	c.attempt, c.due, m.Time, m.Partition, m.Offset = int(ns[0]), ns[1], ns[2], int32(ns[3]), ns[4]
	m.Topic, m.NoKey = string(texts[0]), flags&rowNoKey != 0
	if flags&rowNullKey == 0 {
		m.Key.Bytes = texts[1]
	}
	if flags&rowNullValue == 0 {
		m.Val = texts[2]
	}
	if len(b) > 0 {
		if _, err := batch.Headers(b); err != nil {
			return fmt.Errorf("headers: %w", err)
		}
		m.RawHeaders = append([]byte{}, b...)
	}
	if !m.NoKey {
		if c.key, err = a.key.Decode(m.Key.Bytes); err != nil {
			return fmt.Errorf("key: %w", err)
		}
	}
	if c.value, err = a.value.Decode(m.Val); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	return nil
}
