package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrEmpty is returned by Builder.Finish without records: format 2 has no empty batches from producers.
var ErrEmpty = errors.New("batch: no records")

// Builder collects records into one batch. Its buffer is reused from Reset to Reset. The zero Builder is ready; it is
// for one goroutine at a time.
type Builder struct {
	buf    []byte // room for a header, then the records
	packed []byte // the batch with compressed records
	n      int
	base   int64 // timestamp of the first record
	max    int64 // greatest timestamp
}

// Reset empties the builder.
func (b *Builder) Reset() {
	b.buf, b.n = b.buf[:0], 0
}

// Append adds a record at timestamp (milliseconds). headers is the raw form, nil for none; a nil key or value is null.
// The slices are copied.
func (b *Builder) Append(timestamp int64, key, value, headers []byte) {
	if b.n == 0 {
		b.buf = slices.Grow(b.buf[:0], HeaderSize)[:HeaderSize]
		b.base, b.max = timestamp, timestamp
	}
	b.max = max(b.max, timestamp)
	b.buf = appendRecord(b.buf, timestamp-b.base, int64(b.n), key, value, headers)
	b.n++
}

// appendRecord appends one record whose timestamp and offset are relative to the batch's.
func appendRecord(dst []byte, timeDelta, offsetDelta int64, key, value, headers []byte) []byte {
	keyLen, valueLen := int64(len(key)), int64(len(value))
	if key == nil {
		keyLen = -1
	}
	if value == nil {
		valueLen = -1
	}
	size := 1 + varintSize(timeDelta) + varintSize(offsetDelta) + varintSize(keyLen) + len(key) +
		varintSize(valueLen) + len(value) + max(len(headers), 1)
	total := size + varintSize(int64(size))
	at := len(dst)
	if cap(dst)-at < total {
		dst = slices.Grow(dst, total)
	}
	dst = dst[:at+total]
	at = putVarint(dst, at, int64(size))
	dst[at] = 0
	at = putVarint(dst, at+1, timeDelta)
	at = putVarint(dst, at, offsetDelta)
	at = putVarint(dst, at, keyLen)
	at += copy(dst[at:], key)
	at = putVarint(dst, at, valueLen)
	at += copy(dst[at:], value)
	if len(headers) == 0 {
		dst[at] = 0
		return dst
	}
	copy(dst[at:], headers)
	return dst
}

// Len returns the records so far.
func (b *Builder) Len() int { return b.n }

// Bytes returns the size of the batch so far, header included and before compression.
func (b *Builder) Bytes() int { return max(len(b.buf), HeaderSize) }

// Seal is what the header of a finished batch says beside its records.
type Seal struct {
	ProducerID    int64 // -1: none
	ProducerEpoch int16
	BaseSequence  int32
	Transactional bool
	Control       bool
	Codec         Codec
	BaseOffset    int64
	LeaderEpoch   int32
}

// Finish writes header, compression and CRC and returns the batch. It is valid until the next Append, Reset or Finish;
// the same records can be sealed again with another Seal (a retry under a new epoch).
func (b *Builder) Finish(s Seal) ([]byte, error) {
	if b.n == 0 {
		return nil, ErrEmpty
	}
	out := b.buf
	if s.Codec != None {
		packed, err := Compress(slices.Grow(b.packed[:0], HeaderSize)[:HeaderSize], b.buf[HeaderSize:], s.Codec)
		if err != nil {
			return nil, err
		}
		b.packed, out = packed, packed
	}
	if len(out)-lengthOverhead > math.MaxInt32 || b.n > math.MaxInt32 {
		return nil, fmt.Errorf("%w: %d records in %d bytes", ErrTooLarge, b.n, len(out))
	}
	h := Header{
		BaseOffset:      s.BaseOffset,
		LeaderEpoch:     s.LeaderEpoch,
		Attributes:      int16(s.Codec),
		LastOffsetDelta: int32(b.n - 1),
		BaseTimestamp:   b.base,
		MaxTimestamp:    b.max,
		ProducerID:      s.ProducerID,
		ProducerEpoch:   s.ProducerEpoch,
		BaseSequence:    s.BaseSequence,
		Count:           int32(b.n),
	}
	if s.Transactional {
		h.Attributes |= attrTransactional
	}
	if s.Control {
		h.Attributes |= attrControl
	}
	putHeader(out, &h)
	return out, nil
}

// putHeader writes h over the first HeaderSize bytes of b, which is one whole batch; length, magic and CRC come from b.
func putHeader(b []byte, h *Header) {
	_ = b[HeaderSize-1]
	be := binary.BigEndian
	be.PutUint64(b, uint64(h.BaseOffset))
	be.PutUint32(b[posLength:], uint32(len(b)-lengthOverhead))
	be.PutUint32(b[posLeaderEpoch:], uint32(h.LeaderEpoch))
	b[posMagic] = Magic
	be.PutUint16(b[posAttributes:], uint16(h.Attributes))
	be.PutUint32(b[posLastOffsetDelta:], uint32(h.LastOffsetDelta))
	be.PutUint64(b[posBaseTimestamp:], uint64(h.BaseTimestamp))
	be.PutUint64(b[posMaxTimestamp:], uint64(h.MaxTimestamp))
	be.PutUint64(b[posProducerID:], uint64(h.ProducerID))
	be.PutUint16(b[posProducerEpoch:], uint16(h.ProducerEpoch))
	be.PutUint32(b[posBaseSequence:], uint32(h.BaseSequence))
	be.PutUint32(b[posCount:], uint32(h.Count))
	setCRC(b)
}
