package batch

import (
	"fmt"
	"io"
	"math"
)

// Outline is what a [Scanner] tells of a record.
type Outline struct {
	Offset    int64
	Timestamp int64 // milliseconds
	NullKey   bool
}

// Scanner walks the records of one batch without holding more of it than the window of a [Stream]. It is for batches that
// somebody may have made to be costly. The zero Scanner is ready; it is for one goroutine at a time.
type Scanner struct {
	Stream *Stream // to read by; nil: one of its own

	h        Header
	left     int32 // records to come
	base     int64 // timestamps are base plus delta&timeMask, as a Reader's
	timeMask int64
	last     int64 // offset of the previous record
	err      error
	one      Reader // of one record
}

// Reset begins with the batch b, whose CRC is the caller's business, and which must not change while it is scanned. limit and
// tee are as for [Stream.Reset].
func (s *Scanner) Reset(b []byte, limit int, tee io.Writer) error {
	if s.Stream == nil {
		s.Stream = &Stream{}
	}
	s.h, s.err = Parse(b)
	if s.err != nil {
		return s.err
	}
	h := &s.h
	s.left, s.last = h.Count, h.BaseOffset-1
	s.base, s.timeMask = h.BaseTimestamp, -1
	if h.LogAppendTime() {
		s.base, s.timeMask = h.MaxTimestamp, 0
	}
	s.one.h, s.one.base, s.one.timeMask = s.h, s.base, s.timeMask
	s.err = s.Stream.Reset(b[HeaderSize:h.Size()], h.Codec(), limit, tee)
	return s.err
}

// Header returns the header of the batch.
func (s *Scanner) Header() *Header { return &s.h }

// recordWork is what a record costs: measured with such as have nothing but long numbers before their key.
const recordWork = 24

// Work returns what the batch has cost so far, as [Stream.Work] does.
func (s *Scanner) Work() int { return s.Stream.Work() + recordWork*int(s.h.Count-s.left) }

// ScanWork returns what it costs at worst to scan the batch with header h, in the unit of [Stream.Work].
func ScanWork(h *Header) int {
	each := PackedWork
	if h.Codec() == None {
		each = 1
	}
	return each*h.Size() + recordWork*int(h.Count)
}

// Err returns what ended the scan early, as that of a [Reader] does.
func (s *Scanner) Err() error { return s.err }

// headSize is the most bytes of a record up to its key: four varints and the attributes.
const headSize = 4*maxVarint + 1

// head is what stands before a record's key.
type head struct {
	Outline
	size int64 // of the record with the length before it
	at   int   // of the key
	key  int64 // its length, -1 for null
}

// end says that there is no record to come, unless an error has. Behind the last it looks for what must not be there.
func (s *Scanner) end() bool {
	if s.err != nil {
		return false
	}
	if rest := s.Stream.Peek(1); len(rest) > 0 || s.Stream.Err() != nil {
		s.fail("bytes after the last record")
	}
	return false
}

// peek decodes the next head, if there is one.
func (s *Scanner) peek(r *head) bool {
	if s.left == 0 || s.err != nil {
		return s.end()
	}
	b := s.Stream.win[s.Stream.at:]
	if len(b) < headSize {
		b = s.Stream.Peek(headSize)
	}
	size, at := varint(b, 0)
	if at < 0 || size < minRecord-1 || size > math.MaxInt32 {
		return s.fail("record length")
	}
	r.size = int64(at) + size
	b = b[:min(int64(len(b)), r.size)]
	delta, at := varint(b, at+1) // one byte of attributes, none of them in use
	if at < 0 {
		return s.fail("timestamp")
	}
	r.Timestamp = s.base + delta&s.timeMask
	if delta, at = varint(b, at); at < 0 || delta < 0 || delta > int64(s.h.LastOffsetDelta) {
		return s.fail("offset")
	}
	r.Offset = s.h.BaseOffset + delta
	if r.Offset <= s.last {
		return s.fail("offset order")
	}
	r.key, r.at = varint(b, at)
	if r.at < 0 || r.key < -1 || r.key > r.size-int64(r.at) {
		return s.fail("key")
	}
	r.NullKey = r.key < 0
	return true
}

// Next describes the next record. It returns false at the end or at an error; see Err.
func (s *Scanner) Next(o *Outline) bool {
	var r head
	if !s.peek(&r) {
		return false
	}
	*o = r.Outline
	return s.pass(&r)
}

// Reach passes over records below an offset, and returns the size of the next, in the form that it has in the batch; 0 if
// there is none, at the end or at an error.
func (s *Scanner) Reach(offset int64) int {
	var r head
	for s.peek(&r) {
		if r.Offset >= offset {
			return int(r.size)
		}
		if !s.pass(&r) {
			break
		}
	}
	return 0
}

// Record decodes the next record, and takes memory for all of it. Its slices live until the next call of a method. It returns
// false at the end or at an error; see Err.
func (s *Scanner) Record(rec *Record) bool {
	var r head
	if !s.peek(&r) {
		return false
	}
	b := s.Stream.Peek(int(r.size))
	if int64(len(b)) < r.size {
		return s.fail("record length")
	}
	s.one.data, s.one.at, s.one.left, s.one.last = b[:r.size], 0, 1, s.last
	if !s.one.Next(rec) {
		s.err = s.one.Err()
		return false
	}
	s.Stream.at += int(r.size)
	s.last = r.Offset
	s.left--
	return true
}

// pass passes over a record from its head on.
func (s *Scanner) pass(r *head) bool {
	in := s.Stream
	in.at += r.at
	n, left := max(r.key, 0), r.size-int64(r.at)
	if left <= int64(len(in.win)-in.at) { // as nearly always
		b := in.win[in.at : in.at+int(left)]
		n, at := varint(b, int(n))
		switch {
		case at < 0 || n < -1 || n > int64(len(b)-at):
			return s.fail("value")
		case at+max(int(n), 0) == len(b):
			return s.fail("headers")
		}
		in.at += len(b)
	} else if !s.passLong(n, left) {
		return false
	}
	s.last = r.Offset
	s.left--
	return true
}

// passLong passes over a key of n bytes and what comes behind it of a record of which left bytes are left.
func (s *Scanner) passLong(n, left int64) bool {
	in := s.Stream
	if !in.Skip(n) {
		return s.fail("key")
	}
	left -= n
	b := in.Peek(maxVarint)
	n, at := varint(b[:min(int64(len(b)), left)], 0)
	if at < 0 || n < -1 || int64(at)+max(n, 0) > left {
		return s.fail("value")
	}
	if int64(at)+max(n, 0) == left {
		return s.fail("headers")
	}
	return in.Skip(left) || s.fail("record length")
}

// fail notes what is wrong, unless the stream does: then that is why.
func (s *Scanner) fail(what string) bool {
	if s.err = s.Stream.Err(); s.err == nil {
		s.err = fmt.Errorf("%w: %s, %d records left", ErrCorrupt, what, s.left)
	}
	return false
}
