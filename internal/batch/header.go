// Package batch reads and writes Kafka record batches, format 2 (KIP-98), as bytes.
//
// There are three types to know. A [Header] is the decoded fixed part of a batch. A [Reader] walks the records of one
// batch without copying them. A [Builder] collects records and seals them into one batch, any number of times.
// Nothing here allocates for uncompressed batches once its buffers have grown.
//
// All of it may be fed hostile bytes: claimed counts and lengths are checked against what is there before anything is
// allocated, and decompression stops at a limit.
package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// HeaderSize is the length of a batch before its records.
const HeaderSize = 61

// Magic is the only batch format read and written.
const Magic = 2

// Positions of header fields in a batch.
const (
	posLength          = 8
	posLeaderEpoch     = 12
	posMagic           = 16
	posCRC             = 17
	posAttributes      = 21 // the CRC covers all from here on
	posLastOffsetDelta = 23
	posBaseTimestamp   = 27
	posMaxTimestamp    = 35
	posProducerID      = 43
	posProducerEpoch   = 51
	posBaseSequence    = 53
	posCount           = 57

	lengthOverhead = posLength + 4 // bytes of a batch that its length field does not count
)

// Bits of the attributes.
const (
	attrCodec         = 0x07
	attrAppendTime    = 1 << 3
	attrTransactional = 1 << 4
	attrControl       = 1 << 5
	attrDeleteHorizon = 1 << 6
)

// Errors of a batch that cannot be what it claims to be. They are returned wrapped, with the values.
var (
	// ErrShort says that b ends before the batch does.
	ErrShort = errors.New("batch: short")
	// ErrCorrupt says that a checksum, a length or a count is wrong.
	ErrCorrupt = errors.New("batch: corrupt")
	// ErrMagic says that the batch has another format.
	ErrMagic = errors.New("batch: unsupported magic")
	// ErrTooLarge says that a batch decompresses to more than the reader's limit, or was built too large.
	ErrTooLarge = errors.New("batch: too large")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header is the decoded header of one batch.
type Header struct {
	BaseOffset      int64
	Length          int32 // bytes after this field; the batch is Length+12 bytes long
	LeaderEpoch     int32
	Magic           int8
	CRC             uint32
	Attributes      int16
	LastOffsetDelta int32
	BaseTimestamp   int64
	MaxTimestamp    int64
	ProducerID      int64
	ProducerEpoch   int16
	BaseSequence    int32
	Count           int32
}

// Parse decodes the header of the batch at the start of b. It checks magic and that the length is sane and fits into
// b; it does not check the CRC. A batch that b cuts off is ErrShort.
func Parse(b []byte) (Header, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return h, err
	}
	if len(b) < h.Size() {
		return Header{}, fmt.Errorf("%w: %d bytes of %d", ErrShort, len(b), h.Size())
	}
	return h, nil
}

// ParseHeader is Parse for a b that need not hold more than the first HeaderSize bytes of the batch.
func ParseHeader(b []byte) (Header, error) {
	if len(b) > posMagic && int8(b[posMagic]) != Magic {
		return Header{}, fmt.Errorf("%w %d", ErrMagic, int8(b[posMagic]))
	}
	if len(b) < HeaderSize {
		return Header{}, fmt.Errorf("%w: %d bytes", ErrShort, len(b))
	}
	h := decodeHeader(b)
	if h.Length < HeaderSize-lengthOverhead || h.Length > math.MaxInt32-lengthOverhead {
		return Header{}, fmt.Errorf("%w: length %d", ErrCorrupt, h.Length)
	}
	if h.LastOffsetDelta < 0 || h.Count < 0 || h.BaseOffset < 0 || h.BaseOffset+int64(h.LastOffsetDelta) < 0 {
		return Header{}, fmt.Errorf("%w: base offset %d, last delta %d, count %d", ErrCorrupt, h.BaseOffset, h.LastOffsetDelta, h.Count)
	}
	return h, nil
}

// decodeHeader reads the fields of the HeaderSize bytes at the start of b as they stand.
func decodeHeader(b []byte) Header {
	_ = b[HeaderSize-1]
	be := binary.BigEndian
	return Header{
		BaseOffset:      int64(be.Uint64(b)),
		Length:          int32(be.Uint32(b[posLength:])),
		LeaderEpoch:     int32(be.Uint32(b[posLeaderEpoch:])),
		Magic:           int8(b[posMagic]),
		CRC:             be.Uint32(b[posCRC:]),
		Attributes:      int16(be.Uint16(b[posAttributes:])),
		LastOffsetDelta: int32(be.Uint32(b[posLastOffsetDelta:])),
		BaseTimestamp:   int64(be.Uint64(b[posBaseTimestamp:])),
		MaxTimestamp:    int64(be.Uint64(b[posMaxTimestamp:])),
		ProducerID:      int64(be.Uint64(b[posProducerID:])),
		ProducerEpoch:   int16(be.Uint16(b[posProducerEpoch:])),
		BaseSequence:    int32(be.Uint32(b[posBaseSequence:])),
		Count:           int32(be.Uint32(b[posCount:])),
	}
}

// LastOffset returns the offset of the last record the batch had when it was written.
func (h *Header) LastOffset() int64 { return h.BaseOffset + int64(h.LastOffsetDelta) }

// Size returns the size of the whole batch in bytes.
func (h *Header) Size() int { return int(h.Length) + lengthOverhead }

// Codec returns the compression of the records, which may be one this package does not know.
func (h *Header) Codec() Codec { return Codec(h.Attributes & attrCodec) }

// Transactional reports whether the batch belongs to a transaction.
func (h *Header) Transactional() bool { return h.Attributes&attrTransactional != 0 }

// Control reports whether the batch is a marker instead of data.
func (h *Header) Control() bool { return h.Attributes&attrControl != 0 }

// LogAppendTime reports whether MaxTimestamp is the time of all records.
func (h *Header) LogAppendTime() bool { return h.Attributes&attrAppendTime != 0 }

// DeleteHorizon returns the time in milliseconds from which on a cleaner may drop the batch's tombstones or marker;
// ok is false as long as no cleaner has set one.
func (h *Header) DeleteHorizon() (at int64, ok bool) {
	return h.BaseTimestamp, h.Attributes&attrDeleteHorizon != 0
}

// CheckCRC verifies the checksum of the whole batch b.
func CheckCRC(b []byte) error {
	h, err := Parse(b)
	if err != nil {
		return err
	}
	if got := crc32.Checksum(b[posAttributes:h.Size()], castagnoli); got != h.CRC {
		return fmt.Errorf("%w: checksum %08x, want %08x", ErrCorrupt, got, h.CRC)
	}
	return nil
}

// SetBaseOffset patches the offset of the first record. The field lies outside the CRC.
func SetBaseOffset(b []byte, offset int64) {
	binary.BigEndian.PutUint64(b, uint64(offset))
}

// SetLeaderEpoch patches the leader epoch. The field lies outside the CRC.
func SetLeaderEpoch(b []byte, epoch int32) {
	binary.BigEndian.PutUint32(b[posLeaderEpoch:], uint32(epoch))
}

// SetTimestampType sets whether the records carry the time of the append, and the greatest timestamp of the batch b,
// which must be whole. The base timestamp stays. It recomputes the CRC.
func SetTimestampType(b []byte, appendTime bool, maxTimestamp int64) {
	attrs := binary.BigEndian.Uint16(b[posAttributes:]) &^ attrAppendTime
	if appendTime {
		attrs |= attrAppendTime
	}
	binary.BigEndian.PutUint16(b[posAttributes:], attrs)
	binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(maxTimestamp))
	setCRC(b[:int(binary.BigEndian.Uint32(b[posLength:]))+lengthOverhead])
}

// setCRC writes the checksum of b, which is one whole batch.
func setCRC(b []byte) {
	binary.BigEndian.PutUint32(b[posCRC:], crc32.Checksum(b[posAttributes:], castagnoli))
}
