package log

import (
	"fmt"

	"github.com/thalweg/thalweg/internal/batch"
)

// Available returns how many bytes could be read from offset on: at least 1 if there is anything, else an estimate to
// within an index interval.
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

// estimate returns about how many bytes of the segment lie below offset. It does not read the disk.
func (s *segment) estimate(offset int64) int64 {
	switch {
	case offset <= s.base:
		return 0
	case offset >= s.end:
		return s.size
	}
	s.indexMu.Lock()
	defer s.indexMu.Unlock()
	if s.x != nil {
		return s.x.atOffset(offset).pos
	}
	return int64(float64(s.size) * float64(offset-s.base) / float64(s.end-s.base))
}

// view is what a lookup needs of a segment, taken under the partition's lock.
type view struct {
	*segment
	segmentMeta
}

// views returns the segments from the one that holds offset on, and the offset below which lookups see.
func (p *Partition) views(offset int64, committed bool) (all []view, o Offsets, bound int64, err error) {
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
	for _, s := range p.segments[segmentAt(p.segments, max(offset, p.start)):] {
		if s.size > 0 && s.base < bound {
			all = append(all, view{s, s.segmentMeta})
		}
	}
	return all, o, bound, nil
}

// AtTime returns the first record at or after ts: offset and its time; ok is false if there is none.
func (p *Partition) AtTime(ts int64, committed bool) (offset, at int64, ok bool, err error) {
	all, o, bound, err := p.views(0, committed)
	if err != nil {
		return 0, 0, false, err
	}
	for _, v := range all {
		if v.max < ts {
			continue
		}
		offset, at, ok, err = v.findTime(ts, o.Start, bound)
		if err != nil {
			return 0, 0, false, p.readError(err)
		}
		if ok {
			return offset, at, true, nil
		}
	}
	return 0, 0, false, nil
}

// findTime returns the first record of the segment at or after ts with an offset in [from, bound).
func (v *view) findTime(ts, from, bound int64) (offset, at int64, ok bool, err error) {
	x, err := v.segment.index()
	if err != nil {
		return 0, 0, false, err
	}
	f, err := v.file.acquire()
	if err != nil {
		return 0, 0, false, err
	}
	defer v.file.release()
	w := walker{f: f, pos: x.atTime(ts).pos, size: v.size}
	var scratch []byte
	var r batch.Reader
	for w.next() && w.h.BaseOffset < bound {
		if w.h.MaxTimestamp < ts || w.h.LastOffset() < from {
			continue
		}
		if scratch, err = w.read(scratch[:0]); err == nil {
			err = r.Reset(scratch)
		}
		if err != nil {
			return 0, 0, false, fmt.Errorf("batch at offset %d: %w", w.h.BaseOffset, err)
		}
		for rec := (batch.Record{}); r.Next(&rec); {
			if rec.Timestamp >= ts && rec.Offset >= from && rec.Offset < bound {
				return rec.Offset, rec.Timestamp, true, nil
			}
		}
	}
	return 0, 0, false, w.err
}

// MaxTime returns the earliest record with the greatest timestamp.
func (p *Partition) MaxTime() (offset, at int64, ok bool, err error) {
	all, o, bound, err := p.views(0, false)
	if err != nil {
		return 0, 0, false, err
	}
	best := int64(noTime)
	for _, v := range all {
		if v.max <= best {
			continue
		}
		greatest := v.max
		if v.end > bound || v.base < o.Start {
			if greatest, err = v.maxIn(o.Start, bound); err != nil {
				return 0, 0, false, p.readError(err)
			}
		}
		best = max(best, greatest)
	}
	if best == noTime {
		return 0, 0, false, nil
	}
	return p.AtTime(best, false)
}

// maxIn returns the greatest timestamp of batches with an offset in [from, bound).
func (v *view) maxIn(from, bound int64) (int64, error) {
	x, err := v.segment.index()
	if err != nil {
		return 0, err
	}
	f, err := v.file.acquire()
	if err != nil {
		return 0, err
	}
	defer v.file.release()
	greatest := int64(noTime)
	w := walker{f: f, size: v.size}
	if from <= v.base {
		e := x.atOffset(bound - 1)
		w.pos, greatest = e.pos, e.before
	} else {
		w.pos = x.atOffset(from).pos
	}
	for w.next() && w.h.BaseOffset < bound {
		if w.h.LastOffset() >= from {
			greatest = max(greatest, w.h.MaxTimestamp)
		}
	}
	return greatest, w.err
}
