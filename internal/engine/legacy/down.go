package legacy

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
)

// Down converts batches to messages, one by one and uncompressed, so that an answer can end behind each of them, and
// batches of any codec can be read. Headers, producers and transactions are lost: who reads message sets reads
// uncommitted, and sees all but control records. It holds no more of a batch than its [batch.Scanner] does, and a record. It
// is for one goroutine at a time.
type Down struct {
	In     *batch.Scanner
	Format int8                      // of the messages: 0, or 1 with timestamps
	Limit  func(h *batch.Header) int // most bytes to which a batch is decompressed

	MaxWork int // what all may cost, as batch.Stream.Work counts: beyond it Append ends, if there is a message
	Work    int // what it has cost so far
}

// Room is what there is for the messages of a partition.
type Room struct {
	All   int // bytes
	First int // bytes of the first message, which may go beyond All
}

// Append appends to dst the messages of whole batches at offset from and above, until the next does not fit. What is in
// dst already counts. full says that one did not fit, or would cost too much. An error, one of package batch, leaves in dst what
// came before it.
func (d *Down) Append(dst, batches []byte, from int64, room Room) (out []byte, full bool, err error) {
	for len(batches) > 0 {
		h, err := batch.Parse(batches)
		if err != nil {
			return dst, false, err
		}
		b := batches[:h.Size()]
		batches = batches[h.Size():]
		d.Work += len(b)
		if h.Control() || h.LastOffset() < from {
			continue
		}
		if len(dst) > 0 && d.Work > d.MaxWork {
			return dst, true, nil
		}
		had := len(dst)
		dst, full, err = d.appendBatch(dst, b, &h, from, room)
		d.Work += len(dst) - had // a message takes about a nanosecond a byte
		if full || err != nil {
			return dst, full, err
		}
	}
	return dst, false, nil
}

func (d *Down) appendBatch(dst, b []byte, h *batch.Header, from int64, room Room) (out []byte, full bool, err error) {
	// The messages get checksums of their own, which would vouch for what has rotted on the disk.
	if err := batch.CheckCRC(b); err != nil {
		return dst, false, err
	}
	defer d.close()
	if err := d.open(b, h); err != nil {
		return dst, false, fmt.Errorf("legacy: batch at offset %d: %w", from, err)
	}
	m := kmsg.MessageV1{Magic: d.Format}
	if d.Format > 0 && d.In.Header().LogAppendTime() {
		m.Attributes = attrAppendTime
	}
	var rec batch.Record
	for size := d.In.Reach(from); size > 0; size = d.In.Reach(from) {
		most := room.All
		if len(dst) == 0 {
			most = max(room.All, room.First)
		}
		// The record is as long as the message, but for headers: they need no memory either.
		if len(dst)+size > most {
			return dst, true, nil
		}
		if !d.In.Record(&rec) {
			break
		}
		if len(dst)+sizeOf(d.Format, rec.Key, rec.Value) > most {
			return dst, true, nil
		}
		m.Offset, m.Timestamp, m.Key, m.Value = rec.Offset, rec.Timestamp, rec.Key, rec.Value
		dst = appendMessage(dst, &m)
	}
	return dst, false, d.In.Err()
}

// open begins with a batch; close comes after it.
func (d *Down) open(b []byte, h *batch.Header) error { return d.In.Reset(b, d.Limit(h), nil) }

func (d *Down) close() {
	d.Work += d.In.Work()
	d.In.Stream.Release()
}

// Has reports whether whole batches have a message at offset from or above. Of a damaged batch it says so too, that
// Append may tell of it.
func (d *Down) Has(batches []byte, from int64) bool {
	for len(batches) > 0 {
		h, err := batch.Parse(batches)
		if err != nil {
			return true
		}
		b := batches[:h.Size()]
		batches = batches[h.Size():]
		d.Work += len(b)
		if h.Control() || h.LastOffset() < from {
			continue
		}
		if h.Count == h.LastOffsetDelta+1 || d.reaches(b, &h, from) {
			return true
		}
	}
	return false
}

// reaches reports whether a batch that the cleaner has been through has a record at offset from or above.
func (d *Down) reaches(b []byte, h *batch.Header, from int64) bool {
	defer d.close()
	if err := d.open(b, h); err != nil {
		return true
	}
	return d.In.Reach(from) > 0 || d.In.Err() != nil
}
