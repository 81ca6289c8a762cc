package batch

import (
	"fmt"
	"io"
)

// Packer makes a batch of records that come as bytes, and compresses them as they come. It keeps the memory that takes for
// the next batch. The zero Packer is ready; it is for one goroutine at a time.
type Packer struct {
	sinks [Zstd + 1]sink
	codec Codec
	to    io.Writer
	out   appender

	record []byte // scratch
	raw    int    // bytes written
	n      int    // records added one by one
	base   int64  // timestamp of the first of them
	max    int64  // their greatest
}

// Reset begins a batch of at most most bytes. c must be valid.
func (p *Packer) Reset(c Codec, most int) {
	if cap(p.out.b) < most { // at once: growing would take several times the memory
		const step = 1 << 20
		p.out.b = make([]byte, 0, (max(most, HeaderSize)+step-1)/step*step)
	}
	p.codec, p.out.b, p.out.most, p.raw, p.n = c, p.out.b[:HeaderSize], most, 0, 0
	p.to = &p.out
	if c == None {
		return
	}
	if p.sinks[c] == nil {
		p.sinks[c] = newSink(c)
	}
	p.sinks[c].Reset(&p.out)
	p.to = p.sinks[c]
}

// Release lets go of memory that only few batches need.
func (p *Packer) Release() {
	if cap(p.out.b) > kept {
		p.out.b = nil
	}
	if cap(p.record) > kept {
		p.record = nil
	}
}

// Write adds records in the form that they have in a batch. It returns [ErrTooLarge], wrapped, when the batch is.
func (p *Packer) Write(records []byte) (int, error) {
	p.raw += len(records)
	n, err := p.to.Write(records)
	if err != nil {
		return n, fmt.Errorf("batch: %v: %w", p.codec, err)
	}
	return n, nil
}

// Work returns what the batch has cost so far, as [Stream.Work] does. Compression costs as much as it finds to write, but
// for what it gives up early.
func (p *Packer) Work() int {
	switch p.codec {
	case None:
		return p.raw / 4
	case Gzip, Zstd:
		return min(8*p.raw, p.raw/2+32*len(p.out.b))
	}
	return min(4*p.raw, p.raw/2+8*len(p.out.b))
}

// Add adds a record as [Builder.Append] does, instead of Write.
func (p *Packer) Add(timestamp int64, key, value, headers []byte) error {
	if p.n == 0 {
		p.base, p.max = timestamp, timestamp
	}
	p.max = max(p.max, timestamp)
	p.record = appendRecord(p.record[:0], timestamp-p.base, int64(p.n), key, value, headers)
	p.n++
	_, err := p.Write(p.record)
	return err
}

// Added returns the header of a batch of the records that were added, of no producer.
func (p *Packer) Added() Header {
	return Header{
		LastOffsetDelta: int32(p.n - 1), Count: int32(p.n), BaseTimestamp: p.base, MaxTimestamp: p.max,
		ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1,
	}
}

// Finish returns the batch, which lives until the next Reset. Offsets, times, counts and producer are those of h, and whether
// the batch belongs to a transaction or is a marker.
func (p *Packer) Finish(h Header) ([]byte, error) {
	if p.codec != None {
		if err := p.sinks[p.codec].Close(); err != nil {
			return nil, fmt.Errorf("batch: %v: %w", p.codec, err)
		}
	}
	h.Attributes = h.Attributes&(attrTransactional|attrControl) | int16(p.codec)
	putHeader(p.out.b, &h)
	return p.out.b, nil
}
