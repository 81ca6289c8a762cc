package log

import (
	"fmt"
	"math"
	"slices"

	"github.com/thalweg/thalweg/internal/batch"
)

// segment checks the nth segment of the manifest with its index and its aborted transactions.
func (v *verifier) segment(n int) error {
	s := v.m.segments[n]
	v.done.Segments++
	if s.base != v.end {
		v.report(s.name(logExt), "begins at offset %d, the segment before ends with %d", s.base, v.end-1)
	}
	v.end = s.base
	if s.gen == 0 {
		v.plain = append(v.plain, s)
	}
	if err := s.loadAborted(v.m.aborts[n]); err != nil {
		v.report(s.name(txnExt), "%v", err)
		s.aborted = nil
	}
	x := v.index(s, v.m.entries[n])
	f, err := v.i.d.fs.Open(s.path(logExt))
	if missing(err) {
		if s.size > 0 {
			v.unread = true
			v.report(s.name(logExt), "is missing, with %d bytes", s.size)
		}
		v.end = s.end
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < s.size {
		v.report(s.name(logExt), "has %d bytes, the manifest says %d", info.Size(), s.size)
	}
	w := &segmentWalk{verifier: v, s: s, x: x, greatest: noTime}
	w.f, w.size = f, min(s.size, info.Size())
	w.walk()
	v.end = s.end
	return nil
}

// index returns the entries in a segment's index file, of which there have to be n.
func (v *verifier) index(s *segment, n int) index {
	if n == 0 {
		return nil
	}
	b, err := readFile(v.i.d.fs, s.path(indexExt), maxSegmentBytes)
	if err != nil {
		v.report(s.name(indexExt), "%v: it is made anew when it is needed", err)
		return nil
	}
	x := decodeIndex(b[:min(len(b), n*entrySize)], s.base, s.size)
	if len(x) < n {
		v.report(s.name(indexExt), "%d of its %d entries are valid: it is made anew when it is needed", len(x), n)
	}
	return x
}

// segmentWalk goes over the batches of a segment.
type segmentWalk struct {
	*verifier
	walker
	s        *segment
	x        index // entries still to come
	greatest int64 // timestamp so far
	first    int64 // timestamp
	aborted  []abortedTxn
	reader   batch.Reader
}

func (w *segmentWalk) bad(format string, args ...any) {
	w.report(w.s.name(logExt), "offset %d, byte %d: %s", w.h.BaseOffset, w.at, fmt.Sprintf(format, args...))
}

func (w *segmentWalk) walk() {
	for w.next() {
		h := &w.h
		w.done.Batches++
		w.done.Bytes += int64(h.Size())
		switch {
		case h.BaseOffset < w.verifier.end:
			w.bad("it does not come after offset %d", w.verifier.end-1)
		case h.BaseOffset > w.verifier.end && w.s.gen == 0:
			w.bad("offsets %d to %d are missing", w.verifier.end, h.BaseOffset-1)
		case h.LastOffset() >= w.s.end:
			w.bad("it ends with offset %d, the segment with %d", h.LastOffset(), w.s.end-1)
		}
		w.entry()
		if w.at == 0 {
			w.first = h.BaseTimestamp
		}
		w.greatest = max(w.greatest, h.MaxTimestamp)
		if h.LastOffset() < w.s.end {
			w.verifier.end = max(w.verifier.end, h.LastOffset()+1)
		}
		if err := w.content(); err != nil {
			w.bad("%v", err)
			w.unread = true
		}
	}
	if w.err != nil {
		w.unread = true
		w.report(w.s.name(logExt), "after offset %d: %v", w.verifier.end-1, w.err)
		return
	}
	w.whole()
}

// entry compares the batch with the index.
func (w *segmentWalk) entry() {
	for len(w.x) > 0 && w.x[0].pos < w.at {
		w.report(w.s.name(indexExt), "its entry of offset %d points to byte %d, where no batch begins", w.x[0].offset, w.x[0].pos)
		w.x = w.x[1:]
	}
	if len(w.x) == 0 || w.x[0].pos != w.at {
		return
	}
	if e := w.x[0]; e.offset != w.h.BaseOffset || e.before != w.greatest {
		w.report(w.s.name(indexExt), "its entry of byte %d says offset %d after timestamp %d, and it is %d after %d", e.pos, e.offset, e.before, w.h.BaseOffset, w.greatest)
	}
	w.x = w.x[1:]
}

// content checks the records of the batch, and follows producers and their transactions.
func (w *segmentWalk) content() error {
	b, err := w.check(w.scratch)
	w.scratch = b
	if err != nil {
		return err
	}
	h := &w.h
	w.reader.Limit = math.MaxInt32
	if err := w.reader.Reset(b); err != nil {
		return err
	}
	var r batch.Record
	last, n := h.BaseOffset-1, int32(0)
	for ; w.reader.Next(&r); n++ {
		if r.Offset <= last || r.Offset > h.LastOffset() {
			return fmt.Errorf("record of offset %d after %d in a batch that ends with %d", r.Offset, last, h.LastOffset())
		}
		last = r.Offset
	}
	if err := w.reader.Err(); err != nil {
		return err
	}
	if n != h.Count || w.s.gen == 0 && n != h.LastOffsetDelta+1 {
		return fmt.Errorf("it has %d records of %d", n, h.Count)
	}
	if w.s.gen != 0 || h.ProducerID < 0 {
		return nil
	}
	m, err := markerOf(b, h)
	if err != nil {
		return err
	}
	w.follow(m)
	return nil
}

// follow counts a batch of a producer in.
func (w *segmentWalk) follow(m *batch.Marker) {
	h := &w.h
	first, open := w.open[h.ProducerID]
	switch {
	case h.Control():
		delete(w.open, h.ProducerID)
		if open && m != nil && !m.Commit {
			w.aborted = append(w.aborted, abortedTxn{producer: h.ProducerID, first: first, last: h.BaseOffset})
		}
		return
	case h.Transactional() && !open:
		w.open[h.ProducerID] = h.BaseOffset
	}
	w.last[h.ProducerID] = *h
}

// whole checks what is known of the segment once all of it was seen.
func (w *segmentWalk) whole() {
	s, file := w.s, w.s.name(logExt)
	if w.size < s.size {
		w.unread = true
		return // it was said that bytes are missing
	}
	if w.verifier.end != s.end && s.gen == 0 {
		w.report(file, "ends with offset %d, the manifest says %d", w.verifier.end-1, s.end-1)
	}
	if w.greatest != s.max && s.size > 0 {
		w.report(file, "its greatest timestamp is %d, the manifest says %d", w.greatest, s.max)
	}
	if s.size > 0 && w.first != s.segmentMeta.first {
		w.report(file, "its first timestamp is %d, the manifest says %d", w.first, s.segmentMeta.first)
	}
	if len(w.x) > 0 {
		w.report(s.name(indexExt), "its entry of offset %d points to byte %d, where no batch begins", w.x[0].offset, w.x[0].pos)
	}
	if !w.unread {
		w.aborts()
	}
}

// aborts compares the aborted transactions that were seen with those that are kept.
func (w *segmentWalk) aborts() {
	s := w.s
	same := func(kept, seen abortedTxn) bool { // where it began may be gone
		return kept.producer == seen.producer && kept.last == seen.last && (kept.first == seen.first || !w.isPlain(kept.first) && kept.first < seen.first)
	}
	for _, t := range w.aborted {
		if !slices.ContainsFunc(s.aborted, func(kept abortedTxn) bool { return same(kept, t) }) {
			w.report(s.name(txnExt), "does not have the aborted transaction of producer %d, offsets %d to %d", t.producer, t.first, t.last)
		}
	}
	for _, t := range s.aborted {
		if s.gen == 0 && w.isPlain(t.first) && !slices.ContainsFunc(w.aborted, func(seen abortedTxn) bool { return same(t, seen) }) {
			w.report(s.name(txnExt), "has an aborted transaction of producer %d, offsets %d to %d, that is not in the segment", t.producer, t.first, t.last)
		}
	}
}
