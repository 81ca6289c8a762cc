package wire

import (
	"bytes"
	"errors"
	"math"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/legacy"
	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// firstBatches is the first version of Fetch that answers with batches. Those of Produce before firstProduced take
// message sets.
const (
	firstBatches  = 4
	firstProduced = 3
	firstTimes    = 2 // of both: the first whose messages have timestamps
)

// upgraded returns what a client has sent as a batch. Versions that know message sets alone may carry a batch as well:
// brokers have never compared the one with the other, and there are clients that live by it.
func (p *production) upgraded(rules meta.Rules, sent []byte) ([]byte, error) {
	if p.version >= firstProduced || len(sent) > magicAt && sent[magicAt] == batch.Magic {
		return sent, nil
	}
	most := int(rules.MaxMessageBytes)
	room, last := p.room(unpackedSet(len(sent)), 4)
	limits := legacy.Limits{Message: most, Unpacked: room, Batch: min(most, repackedMost(len(sent)))}
	var b []byte
	var err error
	p.openers.with(func(o *opener) {
		var work int
		b, work, err = legacy.Up{In: &o.in, Out: &o.pack}.Convert(sent, limits)
		p.took(openWork + work + o.pack.Work())
		b = bytes.Clone(b)
	})
	if errors.Is(err, batch.ErrTooLarge) && last {
		return nil, errRequestShare
	}
	if err != nil {
		return nil, refuse(conversionCode(err), "%s", err)
	}
	return b, nil
}

// unpackedSet is unpacked for message sets, of which each message costs more than a record.
func unpackedSet(size int) int { return max(8<<20, 12*size) }

// magicAt is where the format stands in a batch as in a message.
const magicAt = 16

// conversionCode is what is answered where a message set or a batch cannot be converted.
func conversionCode(err error) code.Code {
	switch {
	case errors.Is(err, batch.ErrTooLarge):
		return code.MessageTooLarge
	case errors.Is(err, batch.ErrCodec):
		return code.UnsupportedCompression
	case errors.Is(err, batch.ErrMagic), errors.Is(err, legacy.ErrInvalid):
		return code.InvalidRecord
	}
	return code.CorruptMessage
}

// told returns an error as clients of message sets know it. Brokers have told them so, and some have a table of codes and
// end where one is not in it.
func (r *request) told(c code.Code) code.Code {
	if r.version >= firstProduced {
		return c
	}
	switch c {
	case code.InvalidRecord, code.UnsupportedCompression:
		return code.CorruptMessage
	case code.KafkaStorageError:
		return code.NotLeaderForPartition
	}
	return c
}

// messageSets are what a fetch needs in order to answer with message sets.
type messageSets struct {
	down legacy.Down // reads by an opener's scanner
	raw  []byte      // batches that were read; an opener's
	out  []byte      // the newest of the request's buffers: what is converted goes into the rest of it
}

// withDown runs what converts, with an opener.
func (f *fetching) withDown(convert func()) {
	f.openers.with(func(o *opener) {
		d := &f.sets.down
		d.In, d.Limit, d.MaxWork = &o.scan, func(h *batch.Header) int { return unpacked(h.Codec(), h.Size()) }, maxWork
		f.sets.raw = o.raw
		convert()
		if cap(f.sets.raw) <= keptRaw {
			o.raw = f.sets.raw
		}
		d.In, f.sets.raw = nil, nil
	})
}

// maxWork is what one response may cost, as batch.Stream.Work counts, before no further batch is looked into: a request can
// name the same few bytes, that decompress to many, any number of times.
const maxWork = 16 << 20

// rawBytes is how much of a log is read at once to be converted.
const rawBytes = 1 << 20

// markerBytes is how much of a log is read at once to look for a record.
const markerBytes = 64 << 10

// pass moves p.from behind batches of which the client sees nothing, control batches and what the cleaner has left of
// others: it would ask for them for ever, and not wait for what comes after them.
func (f *fetching) pass(p *fetched) {
	for !p.seen && f.sets.down.Work <= maxWork {
		c, err := f.readRaw(p, p.from, markerBytes, true)
		if err != nil {
			p.seen = true // reading it again says so
			return
		}
		if len(c.Data) > 0 && f.sets.down.Has(c.Data, p.from) {
			p.seen = true
			return
		}
		if c.Next <= p.from {
			return
		}
		p.from = c.Next
	}
}

// readRaw reads batches into a buffer that is used again, by other requests too.
func (f *fetching) readRaw(p *fetched, from int64, most int, one bool) (log.Chunk, error) {
	c, err := p.log.Read(log.Read{Offset: from, Max: int32(most), MinOne: one, Committed: f.committed(), Buf: f.sets.raw[:0]})
	f.sets.raw = c.Data
	f.sets.down.Work += c.Work
	return c, err
}

// readSets reads the partitions as message sets within the limits. Of each that is read at least one whole message is
// returned if the response has room for it, whatever the partition's limit: so nobody asks for the same for ever, and no
// message has to be cut in order to tell a client that it asks for too little. The response's first message needs no room.
func (f *fetching) readSets() {
	for _, p := range f.parts {
		f.look(p)
	}
	if f.version >= firstTimes {
		f.sets.down.Format = 1
	}
	f.withDown(f.convertAll)
}

// convertAll reads and converts.
func (f *fetching) convertAll() {
	f.sizeHint = 64*len(f.parts) + 256
	left, first := int(f.maxBytes), true
	for i := range f.parts {
		p := f.parts[(f.begin()+i)%len(f.parts)]
		if p.answ.ErrorCode != 0 || !first && left == 0 || i > 0 && f.sets.down.Work > maxWork {
			continue
		}
		room := legacy.Room{All: min(int(max(p.max, 0)), left), First: left}
		if first {
			room.First = math.MaxInt
		}
		set, err := f.readSet(p, room)
		if len(set) > 0 {
			p.answ.RecordBatches, first = set, false
			left = max(left-len(set), 0)
			f.keep(set)
		} else if err != nil {
			p.answ.ErrorCode = int16(f.told(errorCode(err)))
		}
	}
}

// begin returns the partition that is read first. Before version 3 clients do not say which should be, so it is another with
// each request: all come to be read though they do not fit into one response.
func (f *fetching) begin() int {
	if f.version >= 3 {
		return 0
	}
	return int(uint32(f.correlation) % uint32(len(f.parts)))
}

// readSet reads one partition. What comes before an error is returned with it.
func (f *fetching) readSet(p *fetched, room legacy.Room) (set []byte, err error) {
	set = f.sets.out[len(f.sets.out):]
	for at := p.from; ; {
		c, err := f.readRaw(p, at, min(max(room.All-len(set), 0), rawBytes), len(set) == 0)
		if err != nil {
			return set, err
		}
		f.took(p, &c)
		p.answ.RecordBatches = nil
		if n := min(len(c.Data), room.All); cap(set) < n && len(set) == 0 {
			set = getBuffer(n)
		}
		var full bool
		if set, full, err = f.sets.down.Append(set, c.Data, at, room); err != nil {
			return set, refuse(conversionCode(err), "%s", err)
		}
		if full || c.Next <= at || len(set) > 0 && f.sets.down.Work > maxWork {
			return set, nil
		}
		at = c.Next
	}
}

// keep remembers where set lies: in the newest buffer, or in one of its own, which is the newest from now on.
func (f *fetching) keep(set []byte) {
	out := f.sets.out
	if n := len(set); n <= cap(out)-len(out) && &set[0] == &out[:len(out)+1][len(out)] {
		f.sets.out = out[:len(out)+n]
		return
	}
	f.sets.out = set
	f.buffers = append(f.buffers, set)
}
