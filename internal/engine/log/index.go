package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"sort"
	"sync"
)

// entry is one line of an index: where a batch is, and the greatest timestamp of the segment before it.
type entry struct {
	offset int64 // of the batch's first record
	pos    int64 // of the batch in the segment file
	before int64 // greatest timestamp of all batches before it; noTime: there is none
}

// noTime is before all timestamps.
const noTime = math.MinInt64

const entrySize = 4 + 4 + 8 + 4

// index is entries of the sparse index of one segment, sorted by all three fields. The first of a segment is its first batch.
type index []entry

// encode appends entries as they stand in the file of a segment with the given base.
func (x index) encode(dst []byte, base int64) []byte {
	be := binary.BigEndian
	for _, e := range x {
		at := len(dst)
		dst = be.AppendUint32(dst, uint32(e.offset-base))
		dst = be.AppendUint32(dst, uint32(e.pos))
		dst = be.AppendUint64(dst, uint64(e.before))
		dst = be.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
	}
	return dst
}

// decodeEntry returns the entry at the start of b; ok is false if it is not what was written.
func decodeEntry(b []byte, base int64) (e entry, ok bool) {
	if binary.BigEndian.Uint32(b[16:]) != crc32.Checksum(b[:16], castagnoli) {
		return e, false
	}
	d := decoder{b: b}
	return entry{offset: base + int64(uint32(d.i32())), pos: int64(uint32(d.i32())), before: d.i64()}, true
}

// decodeIndex returns the valid entries at the start of b that lie below size, none after a gap in the order.
func decodeIndex(b []byte, base, size int64) index {
	x := make(index, 0, len(b)/entrySize)
	last := entry{offset: -1, pos: -1, before: noTime}
	for ; len(b) >= entrySize; b = b[entrySize:] {
		e, ok := decodeEntry(b, base)
		if !ok || e.offset <= last.offset || e.pos <= last.pos || e.before < last.before || e.pos >= size || len(x) == 0 && e.pos != 0 {
			break
		}
		x = append(x, e)
		last = e
	}
	return x
}

// segmentIndex is the index of a segment: the newest entries in memory, of those that are in the file no more than recentEntries.
// The rest is searched in the file, so that neither a log's length nor who reads in it costs memory.
type segmentIndex struct {
	saving sync.Mutex // held while the file is written; goes before mu

	mu       sync.Mutex // protects following fields
	first    int        // entries that are in the file alone
	x        index      // those behind them
	saved    int        // entries that are in the file
	file     *handle    // to search in
	restored int        // how often the file was made anew, and file with it
}

// recentEntries is how many entries of what is in the file stay in memory: they tell where readers are that follow the writers.
// By the default interval they are of 1 MiB, as much as a tail has.
const recentEntries = 256

// add appends an entry.
func (x *segmentIndex) add(e entry) {
	x.mu.Lock()
	x.x = append(x.x, e)
	x.mu.Unlock()
}

// count returns how many entries there are.
func (x *segmentIndex) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.first + len(x.x)
}

// unsaved reports whether there are entries that are not in the file.
func (x *segmentIndex) unsaved() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.saved < x.first+len(x.x)
}

// load says that the file has n entries.
func (x *segmentIndex) load(n int) { x.first, x.saved = n, n }

// keep drops entries that are in the file from memory, but for the newest n of all. It is called under mu.
func (x *segmentIndex) keep(n int) {
	if drop := min(x.saved-x.first, len(x.x)-n); drop > 0 {
		x.x, x.first = slices.Clone(x.x[drop:]), x.first+drop
	}
}

// sweep closes the file if it was not used since the last sweep, and drops all that is in it from the memory of a sealed segment.
func (x *segmentIndex) sweep(sealed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if sealed {
		x.keep(0)
	}
	x.file.sweep()
}

// retire closes the file for good.
func (x *segmentIndex) retire() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.file.retire()
}

// recent returns the position of the last entry at or before offset, if that entry is in memory.
func (x *segmentIndex) recent(offset int64) (pos int64, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := sort.Search(len(x.x), func(i int) bool { return x.x[i].offset > offset }); n > 0 {
		return x.x[n-1].pos, true
	}
	return 0, false
}

// oldest returns the first entry in memory.
func (x *segmentIndex) oldest() (e entry, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.x) == 0 {
		return e, false
	}
	return x.x[0], true
}

// saveIndex makes the entries of the segment's first size bytes durable.
func (s *segment) saveIndex(size int64) error {
	x := &s.index
	x.saving.Lock()
	defer x.saving.Unlock()
	x.mu.Lock()
	todo, saved := x.x[x.saved-x.first:], x.saved
	x.mu.Unlock()
	todo = todo[:sort.Search(len(todo), func(i int) bool { return todo[i].pos >= size })]
	if len(todo) == 0 {
		return nil
	}
	f, err := s.fs.OpenReadWrite(s.path(indexExt), category)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = f.WriteAt(todo.encode(nil, s.base), int64(saved)*entrySize); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.saved += len(todo)
	x.keep(recentEntries)
	return nil
}

// restoreIndex makes the index file anew from what the segment has in its first size bytes, if nobody has done so since it was
// the given time restored.
func (s *segment) restoreIndex(size int64, restored int) error {
	x := &s.index
	x.saving.Lock()
	defer x.saving.Unlock()
	x.mu.Lock()
	done := x.restored != restored
	x.mu.Unlock()
	if done {
		return nil
	}
	all, err := s.scanIndex(size)
	if err != nil {
		return err
	}
	x.mu.Lock()
	if len(x.x) > 0 {
		all = all[:sort.Search(len(all), func(i int) bool { return all[i].pos >= x.x[0].pos })]
	}
	all = append(all, x.x[:x.saved-x.first]...)
	x.mu.Unlock()
	if err := renameIn(s.fs, s.dir, s.name(indexExt), all.encode(nil, s.base)); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	unsaved := x.first + len(x.x) - x.saved
	x.saved = len(all)
	x.first = x.saved + unsaved - len(x.x)
	x.restored++
	old := x.file
	x.file = &handle{fs: s.fs, path: old.path}
	if s.file.gone() { // meanwhile, and the index with it
		err = x.file.retire()
	}
	return errors.Join(err, old.retire())
}

// scanIndex returns the index of the segment's first size bytes by their batches.
func (s *segment) scanIndex(size int64) (x index, err error) {
	f, err := s.file.acquire()
	if err != nil {
		return nil, err
	}
	defer s.file.release()
	greatest, since := int64(noTime), s.interval
	w := walker{f: f, size: size}
	for w.next() {
		if since >= s.interval || len(x) == 0 {
			x = append(x, entry{offset: w.h.BaseOffset, pos: w.at, before: greatest})
			since = 0
		}
		since += int64(w.h.Size())
		greatest = max(greatest, w.h.MaxTimestamp)
	}
	if w.err != nil {
		return nil, fmt.Errorf("log: %s: %w", s.path(logExt), w.err)
	}
	return x, nil
}
