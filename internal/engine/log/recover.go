package log

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/batch"
)

// load returns the partition in a directory as its manifest says. A partition that cannot be read is returned offline.
func (d *Dir) load(id ID) *Partition {
	p := d.newPartition(id)
	m, err := readMeta(d.fs, p.dir)
	if err == nil {
		p.name, p.given, p.cfg = m.Name, m.Settings, m.Settings.effective()
		err = p.loadSegments()
	}
	if err != nil {
		if len(p.segments) == 0 {
			p.segments = []*segment{newSegment(d.fs, p.dir, 0, 0, p.cfg.IndexIntervalBytes)}
		}
		p.err = fmt.Errorf("%w: %s (%s): %w", ErrOffline, p.name, id, err)
	}
	return p
}

// newPartition returns an empty partition that is not in the directory's table yet.
func (d *Dir) newPartition(id ID) *Partition {
	p := &Partition{d: d, id: id, dir: d.fs.PathJoin(d.dir, id.String()), ps: newProducers()}
	p.cfg = Settings{}.effective()
	p.tail = tail{total: &d.tails, limit: d.cfg.TailBytes}
	return p
}

// loadSegments fills p from its manifest, or by scanning all segments if there is none.
func (p *Partition) loadSegments() error {
	fs := p.d.fs
	m, err := readManifest(fs, p.dir, p.cfg.IndexIntervalBytes)
	if err != nil {
		return err
	}
	if m == nil {
		return p.scan()
	}
	for i, s := range m.segments {
		info, err := fs.Stat(s.path(logExt))
		if err == nil && info.Size() < s.size {
			err = fmt.Errorf("%w: %d bytes, %d were synced", ErrCorrupt, info.Size(), s.size)
		}
		if err != nil && !(missing(err) && s.size == 0) {
			return fmt.Errorf("%s: %w", s.path(logExt), err)
		}
		if err = s.loadAborted(m.aborts[i]); err != nil {
			return err
		}
		s.abortsSaved = len(s.aborted)
		s.index.load(m.entries[i])
	}
	p.segments, p.epochs, p.ps = m.segments, m.epochs, m.ps
	p.start, p.cleaned, p.recovery = m.start, m.cleaned, m.recovery
	p.end = m.recovery
	p.hw = p.end
	return p.openActive()
}

// openActive readies the last segment for appends.
func (p *Partition) openActive() error {
	s := p.active()
	if s.size == 0 {
		return nil
	}
	c, err := s.cut(s.size, behindOffset(s.end))
	if err != nil {
		return err
	}
	s.indexed = s.size - c.before.pos
	return nil
}

// clearRest zeroes what the file of the active segment holds behind its last batch. It is called when no more frames
// can follow. The next flush syncs it; until then a crash brings recovery here again.
func (p *Partition) clearRest() error {
	s, fs := p.active(), p.d.fs
	info, err := fs.Stat(s.path(logExt))
	if err != nil && !missing(err) {
		return err
	}
	if err == nil && info.Size() > s.size {
		p.d.cfg.Logf("log: %s (%s): dropped %d bytes after offset %d that were never durable", p.name, p.id, info.Size()-s.size, p.end)
		f, err := s.file.acquire()
		if err != nil {
			return err
		}
		defer s.file.release()
		s.flushed, p.changed = min(s.flushed, s.size-1), true
		return zeroFill(f, s.size, info.Size())
	}
	return nil
}

// removeStrangers removes files that belong to no segment of the partition: what a crash left of a cleaning, of an
// atomic write, or of segments that recovery begins again.
func (p *Partition) removeStrangers() error {
	fs := p.d.fs
	known := map[string]bool{metaFile: true, manifestFile: true}
	for _, s := range p.segments {
		for _, ext := range []string{logExt, indexExt, txnExt} {
			known[s.name(ext)] = true
		}
	}
	names, err := fs.List(p.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if known[name] {
			continue
		}
		if err := fs.Remove(fs.PathJoin(p.dir, name)); err != nil && !missing(err) {
			return err
		}
	}
	return nil
}

// replay applies a frame of the WAL. What lies below the recovery point is there already.
func (p *Partition) replay(f *frame) error {
	if p.err != nil {
		if p.dirty == 0 {
			p.dirty = f.lsn // kept until the partition can be read again
		}
		return nil
	}
	switch f.kind {
	case frameStart:
		if len(f.payload) != 8 {
			return fmt.Errorf("%w: log start of %d bytes", ErrCorrupt, len(f.payload))
		}
		if start := int64(binary.BigEndian.Uint64(f.payload)); start > p.start {
			p.start = start
			p.touch(f.lsn)
		}
		return nil
	case frameAppend:
	default:
		return fmt.Errorf("%w: frame kind %d", ErrCorrupt, f.kind)
	}
	h, err := batch.Parse(f.payload)
	if err != nil {
		return err
	}
	if h.LastOffset() < p.end {
		return nil
	}
	if h.BaseOffset != p.end {
		return fmt.Errorf("%w: offsets %d to %d are missing", ErrCorrupt, p.end, h.BaseOffset-1)
	}
	p.roll(&h, false)
	if err := p.active().append(f.payload); err != nil {
		return err
	}
	p.touch(f.lsn)
	_, err = p.applyLocked(f.payload, &h, f.time)
	return err
}

// touch notes that frame lsn changed the partition.
func (p *Partition) touch(lsn uint64) {
	p.lastLSN = lsn
	if p.dirty == 0 {
		p.dirty = lsn
	}
}

// settle ends the recovery of a partition: nothing more follows, and all there is counts as durable. What came from the WAL
// stays there until the flusher has brought it to disk: a start does not wait for as much as the segments are behind.
func (p *Partition) settle(clean bool) error {
	p.hw = p.end
	p.ended = nil
	p.tail.drop(len(p.tail.chunks))
	p.assignEpoch(p.d.state.epoch, p.end)
	if clean {
		return nil
	}
	p.start = min(p.start, p.end)
	return p.clearRest()
}

// scan rebuilds the partition from its segments alone. A tail that is not whole is dropped; damage with valid batches
// behind it is an error.
func (p *Partition) scan() error {
	segments, err := p.findSegments()
	if err != nil {
		return err
	}
	if len(segments) == 0 {
		p.segments = []*segment{newSegment(p.d.fs, p.dir, 0, 0, p.cfg.IndexIntervalBytes)}
		return nil
	}
	p.d.cfg.Logf("log: %s (%s): no manifest, scanning %d segments", p.name, p.id, len(segments))
	p.start, p.end = segments[0].base, segments[0].base
	for i, s := range segments {
		if s.base < p.end {
			continue // an older generation of what was cleaned
		}
		p.segments = append(p.segments, s)
		p.end = s.base
		if err := p.scanSegment(s, i+1 == len(segments)); err != nil {
			return fmt.Errorf("%s: %w", s.path(logExt), err)
		}
		s.flushed = s.size
	}
	p.recovery, p.hw, p.changed = p.end, p.end, true
	p.lastLSN, p.ended = 0, nil
	return nil
}

// findSegments returns the segments that have a file, in order, the latest generation of a base first.
func (p *Partition) findSegments() ([]*segment, error) {
	names, err := p.d.fs.List(p.dir)
	if err != nil {
		return nil, err
	}
	var out []*segment
	for _, name := range names {
		stem, ok := strings.CutSuffix(name, logExt)
		baseText, genText, ok2 := strings.Cut(stem, ".")
		base, err := strconv.ParseInt(baseText, 10, 64)
		gen, err2 := strconv.ParseInt(genText, 10, 32)
		if !ok || !ok2 || err != nil || err2 != nil {
			continue
		}
		out = append(out, newSegment(p.d.fs, p.dir, base, int32(gen), p.cfg.IndexIntervalBytes))
	}
	slices.SortFunc(out, func(a, b *segment) int {
		return cmp.Or(cmp.Compare(a.base, b.base), cmp.Compare(b.gen, a.gen))
	})
	return slices.CompactFunc(out, func(a, b *segment) bool { return a.base == b.base }), nil
}

// scanSegment applies all valid batches of s.
func (p *Partition) scanSegment(s *segment, last bool) error {
	f, err := s.file.acquire()
	if err != nil {
		return err
	}
	defer s.file.release()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w := walker{f: f, size: info.Size()}
	var b []byte
	for w.next() {
		if w.h.BaseOffset < p.end {
			w.err = fmt.Errorf("%w: offset %d after %d", ErrCorrupt, w.h.BaseOffset, p.end-1)
			break
		}
		if b, err = w.check(b); err != nil {
			w.err = err
			break
		}
		if _, err = p.applyLocked(b, &w.h, w.h.MaxTimestamp); err != nil {
			return err
		}
	}
	if w.err == nil {
		return nil
	}
	if !errors.Is(w.err, ErrCorrupt) {
		return w.err
	}
	if at, ok := validAfter(f, s.size, info.Size(), p.end); ok || !last {
		return fmt.Errorf("damaged at offset %d, byte %d, and not at its end (next valid batch at byte %d): %w", p.end, s.size, at, w.err)
	}
	return nil
}

// validAfter looks for a whole batch of a higher offset in (from, size) of a file.
func validAfter(f vfs.File, from, size, offset int64) (at int64, ok bool) {
	b := make([]byte, min(size-from, maxSegmentBytes))
	if err := readFull(f, b, from); err != nil {
		return 0, false
	}
	for i := 1; i+batch.HeaderSize <= len(b); i++ {
		if b[i+16] != batch.Magic || int64(binary.BigEndian.Uint64(b[i:])) < offset {
			continue
		}
		if h, err := batch.Parse(b[i:]); err == nil && batch.CheckCRC(b[i:i+h.Size()]) == nil {
			return from + int64(i), true
		}
	}
	return 0, false
}
