package log

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// cut is a place in the index of a segment, between two entries.
type cut struct {
	before entry // the last in front of it; none: the segment's start
	behind entry // the first behind it
	end    bool  // there is none behind it
	work   int   // what it cost to find, as batch.Stream.Work counts
}

// What it costs to open a file, to read somewhere in it, and to search an index in it, as batch.Stream.Work counts.
const (
	openWork   = 8 << 10
	fileWork   = 2 << 10
	searchWork = 16 << 10
)

// cut returns the place behind which is holds for all entries, and in front of which for none. Only the first size bytes of the
// segment may be asked for. A file that is not what was written is made anew; that of a segment which was removed is errGone.
func (s *segment) cut(size int64, is func(entry) bool) (cut, error) {
	c, restored, err := s.tryCut(is)
	if !errors.Is(err, errIndex) {
		return c, err
	}
	if s.file.gone() {
		return c, errGone
	}
	if err = s.restoreIndex(size, restored); err == nil {
		c, _, err = s.tryCut(is)
	}
	return c, err
}

// behindOffset is the place behind the last entry at or before offset.
func behindOffset(offset int64) func(entry) bool {
	return func(e entry) bool { return e.offset > offset }
}

// behindEarlier is the place behind the last entry before which all timestamps are below ts.
func behindEarlier(ts int64) func(entry) bool {
	return func(e entry) bool { return e.before >= ts }
}

// errIndex says that an index file is not what was written.
var errIndex = errors.New("log: index is damaged")

// tryCut is cut for a file that is as it was written, else errIndex.
func (s *segment) tryCut(is func(entry) bool) (c cut, restored int, err error) {
	s.index.mu.Lock()
	x, first, file, restored := s.index.x, s.index.first, s.index.file, s.index.restored
	s.index.mu.Unlock()
	n := sort.Search(len(x), func(i int) bool { return is(x[i]) })
	if c.end = n == len(x); !c.end {
		c.behind = x[n]
	}
	switch {
	case n > 0:
		c.before = x[n-1]
	case first > 0:
		err = s.searchFile(&c, file, first, is)
	case len(x) > 0:
		c.before.before = noTime
	default:
		err = fmt.Errorf("%w: %s has no entry", errIndex, s.path(indexExt))
	}
	return c, restored, err
}

// blockEntries is how many entries are read at a time.
const blockEntries = 200

// indexFile reads single entries.
type indexFile struct {
	s     *segment
	f     vfs.File
	n     int // entries
	block int // number of the first entry in buf
	buf   []byte
	room  [blockEntries * entrySize]byte
}

// indexFiles keeps the memory of searches.
var indexFiles = sync.Pool{New: func() any { return new(indexFile) }}

// searchFile moves c, which is in front of all entries in memory, in front of those of the n in the file for which is holds.
func (s *segment) searchFile(c *cut, file *handle, n int, is func(entry) bool) error {
	c.work = file.opening() + searchWork
	f, err := file.acquire()
	if missing(err) {
		return fmt.Errorf("%w: %w", errIndex, err)
	}
	if err != nil {
		return err
	}
	defer file.release()
	r := indexFiles.Get().(*indexFile)
	r.s, r.f, r.n, r.buf = s, f, n, nil
	defer func() {
		r.s, r.f = nil, nil
		indexFiles.Put(r)
	}()
	low, high := 0, n
	c.before = entry{before: noTime}
	for low < high {
		at := int(uint(low+high) / 2)
		e, err := r.entry(at)
		if err != nil {
			return err
		}
		if is(e) {
			high, c.behind, c.end = at, e, false
		} else {
			low, c.before = at+1, e
		}
	}
	return nil
}

// entry returns the nth entry.
func (r *indexFile) entry(n int) (entry, error) {
	if start := n - n%blockEntries; r.buf == nil || r.block != start {
		r.block, r.buf = start, r.room[:min(blockEntries, r.n-start)*entrySize]
		err := readFull(r.f, r.buf, int64(start)*entrySize)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: %s ends before entry %d of %d", errIndex, r.s.path(indexExt), n, r.n)
		}
		if err != nil {
			r.buf = nil
			return entry{}, err
		}
	}
	e, ok := decodeEntry(r.buf[(n-r.block)*entrySize:], r.s.base)
	if !ok {
		return e, fmt.Errorf("%w: %s, entry %d", errIndex, r.s.path(indexExt), n)
	}
	return e, nil
}
