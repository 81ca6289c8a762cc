package log

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/thalweg/thalweg/internal/batch"
)

// compaction is one run of the cleaner over a partition: it maps the keys of the dirty part, then rewrites all
// segments that begin below the mapped part's end without the records that have a successor in it.
type compaction struct {
	p        *Partition
	cfg      Settings
	now      int64
	from, to int64 // the dirty part
	mapped   int64 // the part of it that is in keys ends here
	keys     *offsetMap
	aborted  map[int64][]abortedTxn // by producer, in order
	last     map[int64]lastBatch    // what must stay of each known producer
	data     map[int64]bool         // producers with data kept since their last marker
	reader   batch.Reader
	in, out  []byte // scratch
}

// lastBatch is the offset of a producer's last data, or, if it has none (-1), the epoch its last marker carries.
type lastBatch struct {
	offset int64
	epoch  int16
}

// compact runs the cleaner if the topic is compacted and a run is due.
func (p *Partition) compact(now int64, force bool) error {
	p.mu.Lock()
	due, err := p.dueLocked(now, force)
	p.mu.Unlock()
	if !due || err != nil {
		return err
	}
	// What is cleaned must be in the segments alone.
	if err := p.flush(); err != nil {
		return err
	}
	c := p.newCompaction(now)
	if c == nil || c.from >= c.to && !force {
		return nil
	}
	began := p.d.cfg.Clock.Now()
	if err = c.mapKeys(); err == nil {
		err = c.rewrite()
	}
	if err == nil {
		p.d.counters.compactions.Add(1)
		p.d.counters.compactTime.Add(int64(p.d.cfg.Clock.Now().Sub(began)))
	}
	return err
}

// dueLocked says whether there is enough to clean, and closes the active segment if it is to be included.
func (p *Partition) dueLocked(now int64, force bool) (bool, error) {
	if err := p.writableLocked(); err != nil || !p.cfg.Compact {
		return false, err
	}
	s := p.active()
	late := func(s *segment) bool {
		return p.cfg.MaxCompactionLagMs > 0 && s.size > 0 && now-s.first > p.cfg.MaxCompactionLagMs
	}
	if force || late(s) {
		p.roll(nil, true)
	}
	to := p.cleanableTo(now)
	var clean, dirty int64
	overdue := force
	for _, s := range p.segments {
		switch {
		case s.end <= p.cleaned:
			clean += s.size
		case s.end <= to:
			dirty += s.size
			overdue = overdue || late(s)
		}
	}
	if dirty == 0 {
		return force && clean > 0, nil
	}
	return overdue || float64(dirty)/float64(clean+dirty) >= p.cfg.MinCleanableRatio, nil
}

// cleanableTo returns the end of what may be cleaned: neither the active segment, nor what is undecided or not
// durable, nor what is too young.
func (p *Partition) cleanableTo(now int64) int64 {
	to := min(p.offsetsLocked().LSO, p.active().base)
	for _, s := range p.segments[:len(p.segments)-1] {
		if s.end > to || p.cfg.MinCompactionLagMs > 0 && now-s.newest() < p.cfg.MinCompactionLagMs {
			return min(to, s.base)
		}
	}
	return to
}

// newCompaction takes what a run needs to know from the partition, nil if it cannot be cleaned any more.
func (p *Partition) newCompaction(now int64) *compaction {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writableLocked() != nil {
		return nil
	}
	c := &compaction{p: p, cfg: p.cfg, now: now, to: min(p.cleanableTo(now), p.recovery),
		aborted: map[int64][]abortedTxn{}, last: map[int64]lastBatch{}, data: map[int64]bool{}}
	c.from = max(p.cleaned, p.start, p.segments[0].base)
	for _, s := range p.segments {
		for _, t := range s.aborted {
			c.aborted[t.producer] = append(c.aborted[t.producer], t)
		}
	}
	for id, s := range p.ps.byID {
		c.last[id] = lastBatch{s.data, s.epoch}
	}
	return c
}

// segments returns the partition's present segments that begin below the end of the mapped part.
func (c *compaction) segments() []*segment {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	n := 0
	for n+1 < len(c.p.segments) && c.p.segments[n].end <= c.to && c.p.segments[n].base < c.mapped {
		n++
	}
	return c.p.segments[:n:n]
}

// isAborted reports whether the batch is data of an aborted transaction.
func (c *compaction) isAborted(h *batch.Header) bool {
	if !h.Transactional() || h.Control() {
		return false
	}
	list := c.aborted[h.ProducerID]
	i := sort.Search(len(list), func(i int) bool { return list[i].last > h.BaseOffset })
	return i < len(list) && list[i].first <= h.BaseOffset
}

// mapKeys fills keys from the dirty part, as far as the memory reaches.
func (c *compaction) mapKeys() error {
	c.keys = newOffsetMap(c.p.d.cfg.CleanerBytes, c.to-c.from)
	c.mapped = c.to
	for _, s := range c.segments() {
		if s.end <= c.from {
			continue
		}
		stop, err := c.mapSegment(s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.path(logExt), err)
		}
		if stop && c.keys.used == 0 {
			return fmt.Errorf("log: batch at offset %d has more keys than the cleaner's memory of %d bytes holds", c.mapped, c.p.d.cfg.CleanerBytes)
		}
		if stop {
			return nil
		}
	}
	return nil
}

// mapSegment maps the keys of one segment; stop says that the map is full, and mapped where it ends.
func (c *compaction) mapSegment(s *segment) (stop bool, err error) {
	f, err := s.file.acquire()
	if err != nil {
		return false, err
	}
	defer s.file.release()
	w := walker{f: f, size: s.size}
	for w.next() {
		if w.h.LastOffset() < c.from || w.h.Control() || c.isAborted(&w.h) {
			continue
		}
		if int(w.h.Count) > c.keys.room() {
			c.mapped = w.h.BaseOffset
			return true, nil
		}
		if c.in, err = w.check(c.in); err != nil {
			return false, err
		}
		if c.reader.Reset(c.in) != nil {
			continue // kept as it is
		}
		for rec := (batch.Record{}); c.reader.Next(&rec); {
			if rec.Key != nil {
				c.keys.put(rec.Key, rec.Offset)
			}
		}
	}
	return false, w.err
}

// rewrite replaces the segments, in groups that fit into one.
func (c *compaction) rewrite() error {
	all := c.segments()
	for len(all) > 0 {
		n, size := 1, all[0].size
		for n < len(all) && size+all[n].size <= c.cfg.SegmentBytes && all[n].end-all[0].base < 1<<31-1 {
			size += all[n].size
			n++
		}
		if c.p.d.closing() {
			return nil
		}
		done := c.mapped
		if n < len(all) {
			done = min(done, all[n].base)
		}
		if err := c.rewriteGroup(all[:n], done, n == len(all)); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// rewriteGroup writes the survivors of a group to a new segment and swaps it in; then all below done is clean.
func (c *compaction) rewriteGroup(group []*segment, done int64, last bool) error {
	out := newSegment(c.p.d.fs, c.p.dir, group[0].base, 0, c.cfg.IndexIntervalBytes)
	for _, s := range group {
		out.setGen(max(out.gen, s.gen+1))
	}
	var err error
	for i, s := range group {
		if err == nil {
			err = c.copySegment(out, s, last && i+1 == len(group))
		}
	}
	out.end = group[len(group)-1].end
	if err == nil {
		err = c.finish(out)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("compact into %s: %w", out.path(logExt), err), out.remove())
	}
	return c.swap(out, group, done)
}

// finish makes the new segment durable.
func (c *compaction) finish(out *segment) error {
	if out.size > 0 {
		f, err := out.file.acquire()
		if err != nil {
			return err
		}
		defer out.file.release()
		if err := f.Sync(); err != nil {
			return err
		}
		if err := out.saveIndex(out.size); err != nil {
			return err
		}
	}
	if len(out.aborted) > 0 {
		if err := renameIn(out.fs, out.dir, out.name(txnExt), encodeAborted(out.aborted)); err != nil {
			return err
		}
	}
	out.flushed, out.abortsSaved = out.size, len(out.aborted)
	return syncDir(out.fs, out.dir)
}

// swap puts out in the place of group, writes the manifest that says so, and removes the files of group.
func (c *compaction) swap(out *segment, group []*segment, done int64) error {
	p := c.p
	p.flushMu.Lock()
	defer p.flushMu.Unlock()
	p.mu.Lock()
	at := slices.Index(p.segments, group[0])
	if at < 0 || p.closed {
		p.mu.Unlock()
		return errors.Join(fmt.Errorf("%w: segments went while they were compacted", ErrClosed), out.remove())
	}
	p.segments = slices.Concat(p.segments[:at], []*segment{out}, p.segments[at+len(group):])
	p.cleaned = max(p.cleaned, done)
	p.changed = true
	p.mu.Unlock()
	if err := p.flushHeld(); err != nil {
		return err
	}
	for _, s := range group {
		if err := p.d.discard(s); err != nil {
			return fmt.Errorf("log: remove %s: %w", s.path(logExt), err)
		}
	}
	p.d.counters.compacted.Add(sizeOf(group) - out.size)
	return nil
}
