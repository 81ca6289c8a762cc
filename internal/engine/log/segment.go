package log

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/batch"
)

// segment is one file of a partition with what is known about it. The fields after meta belong to the partition's
// lock as long as the segment is its last; after that they do not change.
type segment struct {
	fs   vfs.FS
	dir  string
	base int64 // offset the segment begins at
	gen  int32 // 0 as appended; grows each time the cleaner rewrites it

	segmentMeta
	aborted []abortedTxn // sorted by last

	interval    int64 // bytes between index entries
	indexed     int64 // bytes since the last index entry
	flushed     int64 // bytes that are synced
	abortsSaved int   // aborted transactions that are in their file

	file  *handle
	index segmentIndex
}

// segmentMeta is what a manifest says about a segment.
type segmentMeta struct {
	end     int64 // offset after the last batch
	size    int64 // bytes of batches in the file
	max     int64 // greatest timestamp; noTime: empty
	first   int64 // timestamp of the first batch, for rolling by time
	touched int64 // clock time of the last append, ms
}

func newSegment(fs vfs.FS, dir string, base int64, gen int32, interval int32) *segment {
	s := &segment{fs: fs, dir: dir, base: base, interval: int64(interval)}
	s.end, s.max = base, noTime
	s.indexed = s.interval
	s.setGen(gen)
	return s
}

// setGen names the files of the segment, which must not be in use.
func (s *segment) setGen(gen int32) {
	s.gen = gen
	s.file = &handle{fs: s.fs, path: s.path(logExt), write: true}
	s.index.file = &handle{fs: s.fs, path: s.path(indexExt)}
}

const (
	logExt   = ".log"
	indexExt = ".index"
	txnExt   = ".txn"
)

// name returns the name of one of the segment's files.
func (s *segment) name(ext string) string { return fmt.Sprintf("%020d.%d%s", s.base, s.gen, ext) }

func (s *segment) path(ext string) string { return s.fs.PathJoin(s.dir, s.name(ext)) }

// append writes one batch at the end of the file. The caller then calls note; if append failed, nothing changed.
func (s *segment) append(b []byte) error {
	f, err := s.file.acquire()
	if err != nil {
		return err
	}
	defer s.file.release()
	_, err = f.WriteAt(b, s.size)
	return err
}

// note counts the batch with header h, now at the end of the file, in.
func (s *segment) note(h *batch.Header, now int64) {
	size := int64(h.Size())
	if s.indexed >= s.interval || s.size == 0 {
		s.index.add(entry{offset: h.BaseOffset, pos: s.size, before: s.max})
		s.indexed = 0
	}
	s.indexed += size
	if s.size == 0 {
		s.first = h.BaseTimestamp
	}
	s.size += size
	s.end = h.LastOffset() + 1
	s.max = max(s.max, h.MaxTimestamp)
	s.touched = now
}

// full reports whether a batch must go to a new segment.
func (s *segment) full(h *batch.Header, base int64, cfg *Settings) bool {
	if s.size == 0 {
		return false
	}
	return s.size+int64(h.Size()) > cfg.SegmentBytes || base+int64(h.LastOffsetDelta)-s.base > 1<<31-1 ||
		h.MaxTimestamp-s.first > cfg.SegmentMs
}

// newest returns the time from which the segment's age counts: that of its greatest timestamp or that of its last append,
// whichever is later. Kafka takes timestamps alone, and would remove within one round what a program has just written about
// the past; here a record stays as long as its topic says after it was written.
func (s *segment) newest() int64 { return max(s.max, s.touched) }

// sweep closes the files of a flushed segment if there was no use for them since the last sweep, and drops what it has in memory of
// a sealed one's index.
func (s *segment) sweep(sealed bool) {
	s.index.sweep(sealed)
	s.file.sweep()
}

// retire closes the files once their last users have released them, and keeps them closed.
func (s *segment) retire() error { return errors.Join(s.file.retire(), s.index.retire()) }

// remove closes and removes the segment's files; reads under way end well.
func (s *segment) remove() error {
	err := s.retire()
	for _, ext := range []string{logExt, indexExt, txnExt} {
		if e := s.fs.Remove(s.path(ext)); e != nil && !missing(e) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// handle is a segment's file, opened when it is needed.
type handle struct {
	fs    vfs.FS
	path  string
	write bool // it is also written to, and made if it is not there

	mu      sync.Mutex // protects following fields
	f       vfs.File
	refs    int
	idle    bool // no use since the last sweep
	retired bool
}

// errGone says that a segment was removed, or rewritten, since whoever looks for it was told of it: there is a newer list, or the
// partition is closed.
var errGone = fmt.Errorf("%w: segment is gone", ErrClosed)

// gone reports whether the file is retired.
func (h *handle) gone() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.retired
}

// opening is what it costs to have the file open, as batch.Stream.Work counts.
func (h *handle) opening() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.f == nil {
		return openWork
	}
	return 0
}

// acquire returns the file, which release gives back, or errGone.
func (h *handle) acquire() (vfs.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.f == nil {
		if h.retired {
			return nil, errGone
		}
		var err error
		if h.write {
			h.f, err = h.fs.OpenReadWrite(h.path, category, vfs.RandomReadsOption)
		} else {
			h.f, err = h.fs.Open(h.path, vfs.RandomReadsOption)
		}
		if err != nil {
			h.f = nil
			return nil, err
		}
	}
	h.refs++
	h.idle = false
	return h.f, nil
}

func (h *handle) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refs--
	if h.refs == 0 && h.retired {
		_ = h.f.Close() // nothing in it is needed any more
		h.f = nil
	}
}

// retire closes the file once its last user has released it, and keeps it closed.
func (h *handle) retire() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.retired = true
	if h.f == nil || h.refs > 0 {
		return nil
	}
	err := h.f.Close()
	h.f = nil
	return err
}

// sweep closes the file if it was not used since the last sweep. Only synced files may be swept: the file's next
// handle would not hear of a failed write of this one.
func (h *handle) sweep() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.idle && h.f != nil && h.refs == 0 {
		_ = h.f.Close() // all of it is synced
		h.f = nil
	}
	h.idle = true
}
