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

// Scanner walks the records of one batch as [Reader] does, without holding more of it than a window: keys and values are
// passed over. It is for batches of whoever may have made them to be costly. What memory it takes, 64 KiB and what the
// decompression of a codec needs (a window of zstd of 8 MiB at most, a block of LZ4 of 4 MiB, and one of snappy, which has no
// limit of its own), it keeps for the next batch. The zero Scanner is ready; it is for one goroutine at a time.
type Scanner struct {
	h        Header
	left     int32 // records to come
	base     int64 // timestamps are base plus delta&timeMask, as a Reader's
	timeMask int64
	last     int64 // offset of the previous record

	win   []byte // uncompressed bytes: those before at are done with
	at    int
	whole bool // nothing comes behind win
	err   error

	unpackers [Zstd + 1]unpacker
	unpacker  unpacker
	packed    int // bytes
	limit     int // most bytes they may decompress to
	opened    int // bytes they have decompressed to so far
	buf       []byte
	tee       io.Writer // gets all uncompressed bytes; nil: none
}

// kept is the largest buffer that a Scanner or a Packer keeps.
const kept = 8 << 20

// Reset begins with the batch b, whose CRC is the caller's business, and which must not change while it is scanned. A
// compressed batch may decompress to limit bytes: more is ErrTooLarge, from Reset or later from Err. What the records
// decompress to is written to tee, unless that is nil, as the scan comes to it.
func (s *Scanner) Reset(b []byte, limit int, tee io.Writer) error {
	h, err := Parse(b)
	if err != nil {
		s.err = err
		return err
	}
	s.h, s.left, s.last, s.tee = h, h.Count, h.BaseOffset-1, tee
	s.base, s.timeMask = h.BaseTimestamp, -1
	if h.LogAppendTime() {
		s.base, s.timeMask = h.MaxTimestamp, 0
	}
	data := b[HeaderSize:h.Size()]
	s.at, s.err, s.packed, s.limit, s.opened = 0, nil, len(data), limit, 0
	if s.whole = h.Codec() == None || len(data) == 0; s.whole {
		s.win, s.err = data, s.pass(data)
		return s.err
	}
	if !h.Codec().Valid() {
		s.err = fmt.Errorf("%w %d", ErrCodec, h.Codec())
		return s.err
	}
	u := &s.unpackers[h.Codec()]
	if *u == nil {
		*u = newUnpacker(h.Codec())
	}
	s.unpacker, s.win = *u, s.buf[:0]
	if err := s.unpacker.start(data); err != nil {
		s.err = unpackError(err, h.Codec(), len(data), limit)
	}
	return s.err
}

// Release lets go of the batch, and of memory that only few batches need.
func (s *Scanner) Release() {
	s.win, s.unpacker, s.tee = nil, nil, nil
	if cap(s.buf) > kept {
		s.buf = nil
	}
}

// Opened returns how many bytes the batch has decompressed to so far.
func (s *Scanner) Opened() int { return s.opened }

// Err returns what ended Next early, as that of a [Reader] does.
func (s *Scanner) Err() error { return s.err }

// pass gives b to tee.
func (s *Scanner) pass(b []byte) error {
	if s.tee == nil {
		return nil
	}
	_, err := s.tee.Write(b)
	return err
}

// fill adds a piece to the window, which may end with that, or the scan with an error.
func (s *Scanner) fill() {
	keep := 0
	if s.h.Codec() == LZ4 {
		keep = min(s.at, lz4History)
	}
	s.win = s.win[:copy(s.win, s.win[s.at-keep:])]
	s.at = keep
	if cap(s.win) == 0 {
		s.win = make([]byte, 0, 2*pieceSize+lz4History)
	}
	had := len(s.win)
	var err error
	s.win, err = s.unpacker.next(s.win, s.limit-s.opened)
	s.buf = s.win
	s.opened += len(s.win) - had
	switch {
	case err == io.EOF:
		s.whole = true
	case err != nil:
		s.err = unpackError(err, s.h.Codec(), s.packed, s.limit)
	default:
		s.err = s.pass(s.win[had:])
	}
	s.whole = s.whole || s.err != nil
}

// peek returns the next n bytes, and maybe more; fewer at the end.
func (s *Scanner) peek(n int) []byte {
	for len(s.win)-s.at < n && !s.whole {
		s.fill()
	}
	return s.win[s.at:]
}

// skip passes over n bytes; false if there are fewer.
func (s *Scanner) skip(n int64) bool {
	for n > int64(len(s.win)-s.at) {
		n -= int64(len(s.win) - s.at)
		s.at = len(s.win)
		if s.whole {
			return false
		}
		s.fill()
	}
	s.at += int(n)
	return true
}

// headSize is the most bytes of a record up to its key: four varints and the attributes.
const headSize = 4*maxVarint + 1

// Next describes the next record. It returns false at the end or at an error; see Err.
func (s *Scanner) Next(o *Outline) bool {
	if s.left == 0 || s.err != nil {
		if s.err == nil && len(s.peek(1)) > 0 {
			s.fail("bytes after the last record")
		}
		return false
	}
	b := s.win[s.at:]
	if len(b) < headSize {
		b = s.peek(headSize)
	}
	size, at := varint(b, 0)
	if at < 0 || size < minRecord-1 || size > math.MaxInt32 {
		return s.fail("record length")
	}
	end := int64(at) + size
	b = b[:min(int64(len(b)), end)]
	delta, at := varint(b, at+1) // one byte of attributes, none of them in use
	if at < 0 {
		return s.fail("timestamp")
	}
	o.Timestamp = s.base + delta&s.timeMask
	if delta, at = varint(b, at); at < 0 || delta < 0 || delta > int64(s.h.LastOffsetDelta) {
		return s.fail("offset")
	}
	o.Offset = s.h.BaseOffset + delta
	if o.Offset <= s.last {
		return s.fail("offset order")
	}
	s.last = o.Offset
	n, at := varint(b, at)
	end -= int64(at)
	if at < 0 || n < -1 || n > end {
		return s.fail("key")
	}
	o.NullKey = n < 0
	s.at += at
	return s.rest(max(n, 0), end)
}

// rest passes over a key of n bytes and what comes behind it of a record of which left bytes are left.
func (s *Scanner) rest(n, left int64) bool {
	if left <= int64(len(s.win)-s.at) { // as nearly always
		b := s.win[s.at : s.at+int(left)]
		n, at := varint(b, int(n))
		switch {
		case at < 0 || n < -1 || n > int64(len(b)-at):
			return s.fail("value")
		case at+max(int(n), 0) == len(b):
			return s.fail("headers")
		}
		s.at += len(b)
		s.left--
		return true
	}
	if !s.skip(n) {
		return s.fail("key")
	}
	left -= n
	b := s.peek(maxVarint)
	n, at := varint(b[:min(int64(len(b)), left)], 0)
	if at < 0 || n < -1 || int64(at)+max(n, 0) > left {
		return s.fail("value")
	}
	if int64(at)+max(n, 0) == left {
		return s.fail("headers")
	}
	if !s.skip(left) {
		return s.fail("record length")
	}
	s.left--
	return true
}

func (s *Scanner) fail(what string) bool {
	if s.err == nil {
		s.err = fmt.Errorf("%w: %s, %d records left", ErrCorrupt, what, s.left)
	}
	return false
}
