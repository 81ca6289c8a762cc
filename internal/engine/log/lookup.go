package log

import (
	"errors"
	"fmt"
	"io"

	"github.com/thalweg/thalweg/internal/batch"
)

// Available returns how many bytes could be read from offset on: at least 1 if there is anything, else an estimate, which is the
// better the nearer offset is to the end. It does not read the disk.
func (p *Partition) Available(offset int64, committed bool) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.offsetsLocked()
	bound := o.HW
	if committed {
		bound = o.LSO
	}
	if offset >= bound || offset < p.start {
		return 0
	}
	i, j := segmentAt(p.segments, offset), segmentAt(p.segments, bound)
	n := p.segments[j].estimate(bound) - p.segments[i].estimate(offset)
	for _, s := range p.segments[i:j] {
		n += s.size
	}
	return max(n, 1)
}

// estimate returns about how many bytes of the segment lie below offset: what the index says if it has the place in memory, else as
// if all records were of one size.
func (s *segment) estimate(offset int64) int64 {
	switch {
	case offset <= s.base:
		return 0
	case offset >= s.end:
		return s.size
	}
	if pos, ok := s.index.recent(offset); ok {
		return pos
	}
	size, end := s.size, s.end
	if e, ok := s.index.oldest(); ok {
		size, end = e.pos, e.offset
	}
	return int64(float64(size) * float64(offset-s.base) / float64(end-s.base))
}

// view is what a lookup needs of a segment, taken under the partition's lock.
type view struct {
	*segment
	segmentMeta
}

// ErrWork says that a lookup would take more work than it may.
var ErrWork = errors.New("log: lookup takes too much work")

// Finder finds records by their times. It bounds the work: whoever asks may have written batches that are costly to look
// into, and headers that say what is not so. It keeps the memory that looking takes. The zero Finder is ready, with no work
// to spend; it is for one goroutine at a time.
type Finder struct {
	Work  int                       // how much may still be done, as batch.Stream.Work counts; beyond it is ErrWork
	Limit func(h *batch.Header) int // most bytes to which a batch is decompressed; 0: it is not looked into at all
	Scan  *batch.Scanner

	scratch []byte // a batch
	window  []byte // a walker's
	all     []view
}

// pastWork is what it costs to go past a batch, as batch.Stream.Work counts.
const pastWork = 1 << 10

// keptBatch is the largest batch whose buffer a Finder keeps.
const keptBatch = 2 << 20

// walk returns a walker over a segment from pos on.
func (f *Finder) walk(file io.ReaderAt, pos, size int64) walker {
	if f.window == nil {
		f.window = make([]byte, walkWindow)
	}
	return walker{f: file, pos: pos, size: size, buf: f.window[:0]}
}

// views returns the segments of p, and the offset below which lookups see. It costs as much as going past a batch.
func (f *Finder) views(p *Partition, committed bool) (all []view, o Offsets, bound int64, err error) {
	if err := f.spend(pastWork); err != nil {
		return nil, o, 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, o, 0, ErrClosed
	}
	o = p.offsetsLocked()
	bound = o.HW
	if committed {
		bound = o.LSO
	}
	clear(f.all)
	f.all = f.all[:0]
	for _, s := range p.segments[segmentAt(p.segments, p.start):] {
		if s.size > 0 && s.base < bound {
			f.all = append(f.all, view{s, s.segmentMeta})
		}
	}
	return f.all, o, bound, nil
}

// spend takes n bytes of work.
func (f *Finder) spend(n int) error {
	if f.Work -= n; f.Work < 0 {
		return ErrWork
	}
	return nil
}

// cut finds a place in the index of v, and takes the work of it and of reading there.
func (f *Finder) cut(v *view, is func(entry) bool) (cut, error) {
	c, err := v.cut(v.size, is)
	if err == nil {
		err = f.spend(c.work + v.file.opening() + fileWork)
	}
	return c, err
}

// AtTime returns the first record at or after ts: offset and its time; ok is false if there is none. Of a batch beyond f's
// limit it is the first record, and the batch's greatest time: who reads from there misses
// nothing. Errors, wrapped: [ErrWork], [batch.ErrCorrupt] for a batch that is not what its header says, and those of reading.
func (f *Finder) AtTime(p *Partition, ts int64, committed bool) (offset, at int64, ok bool, err error) {
	for again := true; again; again = errors.Is(err, errGone) {
		offset, at, ok, err = f.atTime(p, ts, committed)
	}
	return offset, at, ok, err
}

// atTime is AtTime among the segments of now; errGone: they are others by now.
func (f *Finder) atTime(p *Partition, ts int64, committed bool) (offset, at int64, ok bool, err error) {
	all, o, bound, err := f.views(p, committed)
	if err != nil {
		return 0, 0, false, err
	}
	for _, v := range all {
		if v.max < ts {
			continue
		}
		offset, at, ok, err = f.findTime(&v, ts, o.Start, bound)
		if err != nil {
			return 0, 0, false, p.lookupError(err)
		}
		if ok {
			return offset, at, true, nil
		}
	}
	return 0, 0, false, nil
}

// lookupError is readError, but for what is no fault of the disk.
func (p *Partition) lookupError(err error) error {
	if errors.Is(err, ErrWork) || errors.Is(err, errContent) {
		return err
	}
	return p.readError(err)
}

// errContent says that what a client has written is broken inside. Nothing but looking into it is affected.
var errContent = errors.New("log: batch cannot be looked into")

// findTime returns the first record of the segment at or after ts with an offset in [from, bound).
func (f *Finder) findTime(v *view, ts, from, bound int64) (offset, at int64, ok bool, err error) {
	c, err := f.cut(v, behindEarlier(ts))
	if err != nil {
		return 0, 0, false, err
	}
	file, err := v.file.acquire()
	if err != nil {
		return 0, 0, false, err
	}
	defer v.file.release()
	w := f.walk(file, c.before.pos, v.size)
	for w.next() && w.h.BaseOffset < bound {
		if err := f.spend(pastWork); err != nil {
			return 0, 0, false, err
		}
		if w.h.MaxTimestamp < ts || w.h.LastOffset() < from {
			continue
		}
		if offset, at, ok, err = f.findIn(&w, ts, from, bound); ok || err != nil {
			return offset, at, ok, err
		}
	}
	return 0, 0, false, w.err
}

// findIn is findTime for the batch that w is at.
func (f *Finder) findIn(w *walker, ts, from, bound int64) (offset, at int64, ok bool, err error) {
	limit := f.Limit(&w.h)
	if limit == 0 {
		return max(w.h.BaseOffset, from), w.h.MaxTimestamp, true, nil
	}
	if batch.ScanWork(&w.h) > f.Work {
		return 0, 0, false, ErrWork
	}
	b, err := w.read(f.scratch[:0])
	if err != nil {
		return 0, 0, false, err
	}
	if f.scratch = b; cap(b) > keptBatch {
		f.scratch = nil
	}
	allowed := f.Work
	err = f.Scan.Reset(b, min(limit, 2*allowed), nil)
	defer f.Scan.Stream.Release()
	for o := (batch.Outline{}); err == nil && f.Scan.Next(&o); {
		if o.Timestamp >= ts && o.Offset >= from && o.Offset < bound {
			offset, at, ok = o.Offset, o.Timestamp, true
			break
		}
	}
	if err == nil {
		err = f.Scan.Err()
	}
	f.Work -= f.Scan.Work()
	switch {
	case errors.Is(err, batch.ErrTooLarge) && 2*allowed < limit:
		return 0, 0, false, ErrWork
	case errors.Is(err, batch.ErrTooLarge):
		offset, at, ok = max(w.h.BaseOffset, from), w.h.MaxTimestamp, true
	case err != nil:
		return 0, 0, false, fmt.Errorf("%w: at offset %d: %w", errContent, w.h.BaseOffset, err)
	}
	return offset, at, ok, nil
}

// MaxTime returns the earliest record with the greatest timestamp, as AtTime does.
func (f *Finder) MaxTime(p *Partition) (offset, at int64, ok bool, err error) {
	for again := true; again; again = errors.Is(err, errGone) {
		if at, err = f.greatest(p); err == nil && at != noTime {
			return f.AtTime(p, at, false)
		}
	}
	return 0, 0, false, err
}

// greatest returns the greatest timestamp in the partition, noTime if there is none; errGone: its segments are others by now.
func (f *Finder) greatest(p *Partition) (int64, error) {
	all, o, bound, err := f.views(p, false)
	if err != nil {
		return 0, err
	}
	best := int64(noTime)
	for _, v := range all {
		if v.max <= best {
			continue
		}
		greatest := v.max
		if v.end > bound || v.base < o.Start {
			if greatest, err = f.maxIn(&v, o.Start, bound); err != nil {
				return 0, p.lookupError(err)
			}
		}
		best = max(best, greatest)
	}
	return best, nil
}

// maxIn returns the greatest timestamp of batches with an offset in [from, bound).
func (f *Finder) maxIn(v *view, from, bound int64) (int64, error) {
	last, err := f.cut(v, behindOffset(bound-1))
	if err != nil {
		return 0, err
	}
	pos, greatest := last.before.pos, last.before.before
	if from > v.base {
		start, err := f.cut(v, behindOffset(from))
		if err != nil {
			return 0, err
		}
		after := start.behind
		if start.end {
			after = start.before
		}
		if greatest <= after.before {
			// What was greatest lies before from, or near it: only going through says what is greatest behind it.
			pos, greatest = start.before.pos, noTime
		}
	}
	file, err := v.file.acquire()
	if err != nil {
		return 0, err
	}
	defer v.file.release()
	w := f.walk(file, pos, v.size)
	for w.next() && w.h.BaseOffset < bound {
		if err := f.spend(pastWork); err != nil {
			return 0, err
		}
		if w.h.LastOffset() >= from {
			greatest = max(greatest, w.h.MaxTimestamp)
		}
	}
	return greatest, w.err
}
