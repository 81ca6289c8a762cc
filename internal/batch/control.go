package batch

import (
	"encoding/binary"
	"fmt"
)

// Marker is the content of a control batch that ends a transaction.
type Marker struct {
	Commit           bool
	CoordinatorEpoch int32
}

// Types of control records.
const (
	controlAbort  = 0
	controlCommit = 1
)

// AppendMarker appends the whole control batch of m to dst: one record, no sequence.
func AppendMarker(dst []byte, m Marker, baseOffset int64, timestamp int64, producerID int64, producerEpoch int16) []byte {
	var key [4]byte   // version, type
	var value [6]byte // version, coordinator epoch
	if m.Commit {
		binary.BigEndian.PutUint16(key[2:], controlCommit)
	}
	binary.BigEndian.PutUint32(value[2:], uint32(m.CoordinatorEpoch))
	at := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...)
	dst = appendRecord(dst, 0, 0, key[:], value[:], nil)
	putHeader(dst[at:], &Header{
		BaseOffset:    baseOffset,
		LeaderEpoch:   -1,
		Attributes:    attrTransactional | attrControl,
		BaseTimestamp: timestamp,
		MaxTimestamp:  timestamp,
		ProducerID:    producerID,
		ProducerEpoch: producerEpoch,
		BaseSequence:  -1,
		Count:         1,
	})
	return dst
}

// ParseMarker reads the marker of a control batch. A control batch of another type is an error.
func ParseMarker(b []byte) (Marker, error) {
	var r Reader
	if err := r.Reset(b); err != nil {
		return Marker{}, err
	}
	if !r.h.Control() {
		return Marker{}, fmt.Errorf("%w: not a control batch", ErrCorrupt)
	}
	var rec Record
	if !r.Next(&rec) {
		if r.err != nil {
			return Marker{}, r.err
		}
		return Marker{}, fmt.Errorf("%w: control batch without a record", ErrCorrupt)
	}
	if len(rec.Key) < 4 || len(rec.Value) < 6 {
		return Marker{}, fmt.Errorf("%w: marker key of %d and value of %d bytes", ErrCorrupt, len(rec.Key), len(rec.Value))
	}
	kind := binary.BigEndian.Uint16(rec.Key[2:])
	if kind != controlAbort && kind != controlCommit {
		return Marker{}, fmt.Errorf("%w: control record type %d", ErrCorrupt, kind)
	}
	return Marker{Commit: kind == controlCommit, CoordinatorEpoch: int32(binary.BigEndian.Uint32(rec.Value[2:]))}, nil
}
