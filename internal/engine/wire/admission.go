package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// unpacked is the most bytes to which a batch of size bytes that a client has sent may decompress. It bounds the CPU time:
// the worst that is known of 1 MiB takes about half of 100 ms (TestHostileBatchesCostLittle). A block of snappy is decompressed
// as a whole, so it bounds memory as well there; nothing but repetition is compressed so well by it.
func unpacked(c batch.Codec, size int) int {
	if c == batch.Snappy {
		return unpackedSet(size)
	}
	return max(8<<20, min(48*size, max(48<<20, 16*size)))
}

// What a request may cost, as batch.Stream.Work counts, before no further batch of it is taken: however long it is, but for
// the moving of its bytes.
const (
	mostWork  = 32 << 20
	batchWork = 4 << 10 // of each batch
	openWork  = 2 << 10 // of looking into it, and as much for making another
)

// left is what p may still cost.
func (p *production) left() int {
	return max(min(unpacked(batch.None, len(p.frame)), mostWork)-p.work, 0)
}

// room is the most bytes to which what is looked into next may decompress, if own is what it may on its own, and a byte costs
// so much. The first batch is let alone: it would be sent again for ever. last says that it is less than own.
func (p *production) room(own, each int) (most int, last bool) {
	if p.first {
		return own, false
	}
	most = p.left() / each
	return min(most, own), most < own
}

// repackedMost is the most bytes that a batch or a message set of size bytes may become if it is stored in another form.
func repackedMost(size int) int { return max(768<<10, 16*size) }

// errRequestShare is for what is too much after what came before it in the request. Kafka has no code for it; with this one
// clients of all kinds send the batch again, alone if need be, and know that it was not written.
var errRequestShare = refuse(code.NotEnoughReplicas, "the request decompresses to too much: send less in one")

// recordErrors is the most records named in the answer to a refused batch.
const recordErrors = 100

// noTimestamp is the time of records whose producer has given them none. Kafka lets it pass whatever the bounds are.
const noTimestamp = -1

// admitRecords opens the batch: every record must have a key in a compacted topic and a timestamp in bounds. It
// returns the batch compressed as the topic wants it.
func (p *production) admitRecords(rules meta.Rules, b []byte, h *batch.Header, now int64) (out []byte, err error) {
	if h.LogAppendTime() { // which hides what the records say
		batch.SetTimestampType(b, false, h.MaxTimestamp)
	}
	a := admission{rules: rules, now: now}
	last := p.bound(&a, h)
	p.openers.with(func(o *opener) {
		out, err = a.run(o, b, h)
		p.took(openWork + o.scan.Work())
		if rules.Recompress(h.Codec()) {
			p.took(openWork + o.pack.Work())
		}
	})
	switch {
	case errors.Is(err, batch.ErrTooLarge) && last:
		return nil, errRequestShare
	case errors.Is(err, batch.ErrTooLarge):
		return nil, refuse(code.MessageTooLarge, "%s", err)
	case errors.Is(err, batch.ErrCorrupt):
		return nil, refuse(code.CorruptMessage, "%s", err)
	case err != nil:
		return nil, err
	}
	if rules.Recompress(h.Codec()) {
		p.repacked += len(out)
	}
	return out, nil
}

// took notes what looking into something has cost.
func (p *production) took(work int) { p.work, p.opened = p.work+work, true }

// bound sets what a may take. last says that it is what the request has left, and less than what the batch alone might.
func (p *production) bound(a *admission, h *batch.Header) (last bool) {
	a.unpacked, last = p.room(unpacked(h.Codec(), h.Size()), 1)
	a.packed = min(int(a.rules.MaxMessageBytes), repackedMost(h.Size()))
	if left := max(16*len(p.frame)-p.repacked, batch.HeaderSize); p.repacked > 0 && left < a.packed {
		a.packed, last = left, true
	}
	return last
}

// admission is a batch being opened.
type admission struct {
	rules    meta.Rules
	now      int64
	unpacked int // most bytes of the records
	packed   int // most bytes of the batch if it is compressed anew

	max int64 // greatest timestamp
	bad rejection
}

// run returns the batch as it is to be stored: b, or one of its own.
func (a *admission) run(o *opener, b []byte, h *batch.Header) ([]byte, error) {
	var tee io.Writer
	again := a.rules.Recompress(h.Codec())
	if again {
		o.pack.Reset(a.rules.Codec, a.packed)
		tee = &o.pack
	}
	if err := o.scan.Reset(b, a.unpacked, tee); err != nil {
		return nil, err
	}
	a.max = math.MinInt64
	var r batch.Outline
	for i := int32(0); o.scan.Next(&r); i++ {
		a.record(i, &r)
	}
	if err := o.scan.Err(); err != nil {
		return nil, err
	}
	if a.bad.code != code.None {
		a.bad.text = "one or more records are refused"
		return nil, &a.bad
	}
	if !again {
		return b, nil
	}
	as := *h
	as.MaxTimestamp = a.max
	out, err := o.pack.Finish(as)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(out), nil
}

// record checks the i-th record.
func (a *admission) record(i int32, r *batch.Outline) {
	a.max = max(a.max, r.Timestamp)
	c := code.None
	switch {
	case a.rules.Compact && r.NullKey:
		c = code.InvalidRecord
	case !a.rules.LogAppendTime && r.Timestamp != noTimestamp && (r.Timestamp-a.now > a.rules.TimestampAfterMs || a.now-r.Timestamp > a.rules.TimestampBeforeMs):
		c = code.InvalidTimestamp
	}
	if c == code.None {
		return
	}
	if a.bad.code = c; len(a.bad.records) == recordErrors {
		return
	}
	text := "a compacted topic takes no record without a key"
	if c == code.InvalidTimestamp {
		text = fmt.Sprintf("timestamp %d is out of bounds", r.Timestamp)
	}
	e := kmsg.NewProduceResponseTopicPartitionErrorRecord()
	e.RelativeOffset, e.ErrorMessage = i, &text
	a.bad.records = append(a.bad.records, e)
}
