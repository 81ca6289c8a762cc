package log

import (
	"fmt"

	"github.com/thalweg/thalweg/internal/batch"
)

// copySegment appends what survives of s to out. The last batch of the last segment stays, if only as an empty one:
// it carries the offsets that readers have seen.
func (c *compaction) copySegment(out, s *segment, last bool) error {
	if s.size == 0 {
		return nil
	}
	f, err := s.file.acquire()
	if err != nil {
		return err
	}
	defer s.file.release()
	w := walker{f: f, size: s.size}
	for w.next() {
		if c.in, err = w.check(c.in); err != nil {
			return err
		}
		var b []byte
		if w.h.Control() {
			b, err = c.keepMarker(&w.h, s, out, last && w.pos == w.size)
		} else {
			b, err = c.keepData(&w.h)
		}
		if err != nil {
			return fmt.Errorf("offset %d: %w", w.h.BaseOffset, err)
		}
		if b == nil && last && w.pos == w.size {
			if b, _, err = batch.Filter(c.out[:0], c.in, &c.reader, -1, func(*batch.Record) bool { return false }); err != nil {
				b = c.in
			}
		}
		if b == nil {
			continue
		}
		h, err := batch.Parse(b)
		if err != nil {
			return err
		}
		if err = out.append(b); err != nil {
			return err
		}
		out.note(&h, s.touched)
	}
	return w.err
}

// keepData returns what survives of a batch of data, nil if nothing does.
func (c *compaction) keepData(h *batch.Header) ([]byte, error) {
	horizon, has := h.DeleteHorizon()
	past := has && horizon <= c.now
	aborted := c.isAborted(h)
	tombstone := false
	keep := func(rec *batch.Record) bool {
		switch {
		case aborted:
			return false
		case rec.Offset >= c.mapped:
			return true
		case rec.Key == nil || rec.Offset < c.keys.last(rec.Key):
			return false
		case rec.Value == nil && past:
			return false
		}
		tombstone = tombstone || rec.Value == nil
		return true
	}
	kept, err := c.count(keep)
	if err != nil {
		return c.in, nil // its records cannot be read: it stays as the client sent it
	}
	if kept > 0 {
		c.data[h.ProducerID] = true
	}
	mark := int64(-1)
	if tombstone && !has {
		mark = c.now + c.cfg.DeleteRetentionMs
	}
	switch {
	case kept == int(h.Count) && kept > 0 && mark < 0:
		return c.in, nil
	case kept == 0 && !c.needed(h):
		return nil, nil
	}
	c.out, _, err = batch.Filter(c.out[:0], c.in, &c.reader, mark, keep)
	return c.out, err
}

// count returns how many records of the current batch keep accepts.
func (c *compaction) count(keep func(*batch.Record) bool) (n int, err error) {
	if err := c.reader.Reset(c.in); err != nil {
		return 0, err
	}
	for rec := (batch.Record{}); c.reader.Next(&rec); {
		if keep(&rec) {
			n++
		}
	}
	return n, c.reader.Err()
}

// needed reports whether the batch must stay without records: the last of a producer says which sequence is the next.
func (c *compaction) needed(h *batch.Header) bool {
	if h.ProducerID < 0 {
		return false
	}
	l, ok := c.last[h.ProducerID]
	if !ok {
		return false
	}
	if l.offset < 0 {
		return h.Control() && h.ProducerEpoch == l.epoch
	}
	return h.LastOffset() == l.offset
}

// keepMarker returns the marker in the current batch if it is still needed: as long as data of its transaction is
// there, and then until its delete horizon, which the first run without data sets. The last batch of a run stays. An
// aborted transaction is listed as long as its marker is there, since only the marker ends it for a reader.
func (c *compaction) keepMarker(h *batch.Header, from, to *segment, last bool) (b []byte, err error) {
	b = c.in
	if !c.data[h.ProducerID] && h.BaseOffset < c.mapped && !c.needed(h) && !last {
		horizon, has := h.DeleteHorizon()
		switch {
		case has && horizon <= c.now:
			return nil, nil
		case !has:
			all := func(*batch.Record) bool { return true }
			if c.out, _, err = batch.Filter(c.out[:0], c.in, &c.reader, c.now+c.cfg.DeleteRetentionMs, all); err != nil {
				return nil, err
			}
			b = c.out
		}
	}
	c.data[h.ProducerID] = false
	for _, t := range from.aborted {
		if t.last == h.BaseOffset {
			to.aborted = append(to.aborted, t)
		}
	}
	return b, nil
}
