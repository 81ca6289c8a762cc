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
}

// Reset begins a batch of at most most bytes. c must be valid.
func (p *Packer) Reset(c Codec, most int) {
	if cap(p.out.b) < HeaderSize {
		p.out.b = make([]byte, HeaderSize)
	}
	p.codec, p.out.b, p.out.most = c, p.out.b[:HeaderSize], most
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
}

// Write adds records in the form that they have in a batch. It returns [ErrTooLarge], wrapped, when the batch is.
func (p *Packer) Write(records []byte) (int, error) {
	n, err := p.to.Write(records)
	if err != nil {
		return n, fmt.Errorf("batch: %v: %w", p.codec, err)
	}
	return n, nil
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
