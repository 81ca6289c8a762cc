package log

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"sync"

	"github.com/thalweg/thalweg/internal/batch"
)

// Read is what to fetch.
type Read struct {
	Offset    int64
	Max       int32  // bytes; at least one whole batch is returned if MinOne
	MinOne    bool   // return a batch even if it is larger than Max
	Committed bool   // up to LSO instead of HW
	Unstable  bool   // up to End: the coordinators' own replay, and tests
	Buf       []byte // appended to
}

// Chunk is whole batches, from the one that holds the offset.
type Chunk struct {
	Data    []byte
	Offsets Offsets
	Aborted []Aborted // for Committed reads: every aborted transaction overlapping what is returned
	Next    int64     // offset after the last batch returned; what to read next, also if there is no data
	Work    int       // what it cost to find, as batch.Stream.Work counts: little where all is in memory
}

// Aborted is one aborted transaction.
type Aborted struct{ ProducerID, First int64 }

// Read returns batches. It never returns a partial batch, and never batches of more than one segment. The result has
// no data if there is nothing to read yet, or if the next batch is larger than Max without MinOne.
func (p *Partition) Read(r Read) (c Chunk, err error) {
	for again := true; again; again = errors.Is(err, errGone) {
		c, err = p.read(&r)
	}
	return c, err
}

// read is Read among the segments of now; errGone: they are others by now.
func (p *Partition) read(r *Read) (Chunk, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return Chunk{}, ErrClosed
	}
	c := Chunk{Data: r.Buf, Offsets: p.offsetsLocked(), Next: r.Offset}
	if r.Offset < p.start || r.Offset > p.end {
		p.mu.Unlock()
		return c, fmt.Errorf("%w: %d is not in [%d, %d]", ErrOutOfRange, r.Offset, c.Offsets.Start, c.Offsets.End)
	}
	bound := c.Offsets.HW
	switch {
	case r.Committed:
		bound = c.Offsets.LSO
	case r.Unstable:
		bound = c.Offsets.End
	}
	segments := p.segments
	i := segmentAt(segments, r.Offset)
	pieces, done := p.tailLocked(r, &c, segments[i:], bound)
	p.mu.Unlock()
	if !done {
		if err := p.readPieces(r, &c, pieces, segments[i:], bound); err != nil {
			return c, err
		}
	}
	if r.Committed && c.Next > r.Offset {
		c.Aborted = p.abortedIn(segments[i:], r.Offset, c.Next)
	}
	return c, nil
}

// segmentAt returns the index of the segment that offset belongs to.
func segmentAt(segments []*segment, offset int64) int {
	return max(0, sort.Search(len(segments), func(i int) bool { return segments[i].base > offset })-1)
}

// tailLocked looks for the offset in memory. done says that there is nothing more to do.
func (p *Partition) tailLocked(r *Read, c *Chunk, segments []*segment, bound int64) (pieces [][]byte, done bool) {
	if r.Offset >= bound {
		return nil, true
	}
	s := segments[0]
	if s != p.active() || r.Offset >= s.end {
		return nil, false
	}
	pos, ok := s.index.recent(r.Offset)
	if !ok {
		return nil, false
	}
	return p.tail.from(nil, s, pos, int64(r.Max)+walkWindow), false
}

// readPieces fills c from memory if that holds the offset, else from the files.
func (p *Partition) readPieces(r *Read, c *Chunk, pieces [][]byte, segments []*segment, bound int64) error {
	if len(pieces) > 0 {
		found := false
		for _, b := range pieces {
			if !c.take(r, b, bound, &found) {
				break
			}
		}
		if found {
			return nil
		}
	}
	for i, s := range segments {
		// The active segment's fields may move meanwhile; what is below bound is there already.
		p.mu.Lock()
		base, end, size := s.base, s.end, s.size
		p.mu.Unlock()
		if base >= bound {
			return nil
		}
		if c.Next >= end && i+1 < len(segments) || size == 0 {
			continue
		}
		found, err := p.readSegment(r, c, s, size, bound)
		if err != nil {
			return p.readError(err)
		}
		if found {
			return nil
		}
		c.Next = max(c.Next, min(end, bound)) // compacted away
	}
	return nil
}

// readError takes the partition offline for what a disk returned, except for being closed, or removed from, meanwhile.
func (p *Partition) readError(err error) error {
	if errors.Is(err, errGone) {
		return err
	}
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return ErrClosed
	}
	p.fail(fmt.Errorf("read: %w", err))
	return p.Err()
}

// take appends the batches of b that belong to the answer. It returns false once there can be no more; found is set
// when the offset was reached, also if nothing fits.
func (c *Chunk) take(r *Read, b []byte, bound int64, found *bool) (more bool) {
	from, n := -1, 0
	for n < len(b) {
		h, err := batch.ParseHeader(b[n:])
		if err != nil || h.Size() > len(b)-n {
			break
		}
		if h.LastOffset() < r.Offset {
			n += h.Size()
			continue
		}
		*found = true
		have := len(c.Data) - len(r.Buf)
		if from >= 0 {
			have += n - from
		}
		if h.LastOffset() >= bound || have+h.Size() > int(r.Max) && (have > 0 || !r.MinOne) {
			c.keep(b, from, n)
			return false
		}
		if from < 0 {
			from = n
		}
		n += h.Size()
		c.Next = h.LastOffset() + 1
	}
	c.keep(b, from, n)
	return true
}

func (c *Chunk) keep(b []byte, from, to int) {
	if from >= 0 {
		c.Data = append(c.Data, b[from:to]...)
	}
}

// windows are buffers of walkers.
var windows = sync.Pool{New: func() any { return new([walkWindow]byte) }}

// readSegment fills c from one file. found is false if the segment has no batch at or after the offset.
func (p *Partition) readSegment(r *Read, c *Chunk, s *segment, size, bound int64) (found bool, err error) {
	at, err := s.cut(size, behindOffset(c.Next))
	if err != nil {
		return false, err
	}
	c.Work += at.work + s.file.opening() + fileWork
	f, err := s.file.acquire()
	if err != nil {
		return false, err
	}
	defer s.file.release()
	scratch := windows.Get().(*[walkWindow]byte)
	defer windows.Put(scratch)
	w := walker{f: f, pos: at.before.pos, size: size, buf: scratch[:0]}
	for w.next() {
		if w.h.LastOffset() >= c.Next {
			found = true
			break
		}
	}
	c.Work += int(max(0, w.at-at.before.pos)) / 4
	if w.err != nil || !found {
		return false, w.err
	}
	if w.h.LastOffset() >= bound || w.h.Size() > int(r.Max) && !r.MinOne {
		return true, nil
	}
	n := min(max(int64(r.Max), int64(w.h.Size())), size-w.at)
	had := len(c.Data)
	if c.Data, err = readInto(f, c.Data, w.at, n); err != nil {
		return true, err
	}
	read := c.Data[had:]
	keep := 0
	for keep < len(read) {
		h, err := batch.ParseHeader(read[keep:])
		if err != nil || h.Size() > len(read)-keep || h.LastOffset() >= bound {
			break
		}
		keep += h.Size()
		c.Next = h.LastOffset() + 1
	}
	c.Data = c.Data[:had+keep]
	return true, nil
}

// readInto appends n bytes of f at pos to dst.
func readInto(f io.ReaderAt, dst []byte, pos, n int64) ([]byte, error) {
	at := len(dst)
	dst = slices.Grow(dst, int(n))[:at+int(n)]
	if err := readFull(f, dst[at:], pos); err != nil {
		return dst[:at], err
	}
	return dst, nil
}

// abortedIn returns the aborted transactions overlapping [from, to). Lists of the segments only grow at their ends,
// by transactions that end above to.
func (p *Partition) abortedIn(segments []*segment, from, to int64) []Aborted {
	p.mu.Lock()
	defer p.mu.Unlock()
	return appendAborted(nil, segments, from, to)
}
