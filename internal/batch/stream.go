package batch

import (
	"fmt"
	"io"
)

// Stream gives out what is compressed in a window. The memory it takes it keeps for the next time: 64 KiB, what is asked for
// at once, and what the decompression of a codec needs (a window of zstd of 8 MiB at most, a block of LZ4 of 4 MiB, and one of
// snappy, which has no limit of its own). The zero Stream is ready; it is for one goroutine at a time.
type Stream struct {
	win   []byte // uncompressed bytes: those before at are done with
	at    int
	whole bool // nothing comes behind win
	err   error

	unpackers [Zstd + 1]unpacker
	codec     Codec
	packed    int // bytes
	limit     int // most bytes they may decompress to
	opened    int // bytes they have decompressed to so far
	buf       []byte
	tee       io.Writer // gets all uncompressed bytes; nil: none
}

// kept is the largest buffer that a Stream or a Packer keeps: 8 MiB, and room for what more comes with the last of them.
const kept = 8<<20 + lz4Block + 4*pieceSize

// PackedWork is what taking in a compressed byte costs at worst, in the unit of [Stream.Work].
const PackedWork = 48

// work is what a codec costs at worst, by what is counted.
type work struct {
	packed int // a byte that is compressed
	block  int // a block, with its tables
}

// works are measured with what is costly to decompress, and with what is nothing but blocks.
var works = [Zstd + 1]work{Gzip: {16, 2 << 10}, Snappy: {2, 64}, LZ4: {2, 64}, Zstd: {8, 4 << 10}}

// Work returns what the data has cost so far. The unit is about a nanosecond of a slow processor, and no less than half a byte
// that is decompressed takes.
func (s *Stream) Work() int {
	if s.codec == None || s.unpackers[s.codec] == nil {
		return s.packed / 4
	}
	w := works[s.codec]
	return s.opened/2 + w.packed*s.packed + w.block*s.unpackers[s.codec].blocks()
}

// Reset begins with data, which must not change while it is read. If it is compressed it may decompress to limit bytes: more
// is [ErrTooLarge], from Reset or later from Err. What it decompresses to is written to tee, unless that is nil, as it comes.
func (s *Stream) Reset(data []byte, c Codec, limit int, tee io.Writer) error {
	s.at, s.err, s.codec, s.packed, s.limit, s.opened, s.tee = 0, nil, c, len(data), limit, 0, tee
	if s.whole = c == None || len(data) == 0; s.whole {
		s.win, s.err = data, s.pass(data)
		return s.err
	}
	s.win = s.buf[:0]
	if !c.Valid() {
		s.err = fmt.Errorf("%w %d", ErrCodec, c)
		return s.err
	}
	u := &s.unpackers[c]
	if *u == nil {
		*u = newUnpacker(c)
	}
	if err := (*u).start(data); err != nil {
		s.err = unpackError(err, c, len(data), limit)
	}
	return s.err
}

// Release lets go of the data, and of memory that only little of it needs.
func (s *Stream) Release() {
	s.win, s.tee, s.at, s.whole, s.opened = nil, nil, 0, true, 0
	if cap(s.buf) > kept {
		s.buf = nil
	}
}

// Opened returns how many bytes the data has decompressed to so far, 0 if it is not compressed.
func (s *Stream) Opened() int { return s.opened }

// Err returns what ended the stream early.
func (s *Stream) Err() error { return s.err }

// pass gives b to tee.
func (s *Stream) pass(b []byte) error {
	if s.tee == nil {
		return nil
	}
	_, err := s.tee.Write(b)
	return err
}

// fill adds a piece to the window, which may end with that, or the stream with an error.
func (s *Stream) fill() {
	s.compact()
	if cap(s.win) == 0 {
		s.win = make([]byte, 0, 2*pieceSize+2*history)
	}
	had := len(s.win)
	var err error
	s.win, err = s.unpackers[s.codec].next(s.win, s.limit-s.opened)
	s.buf = s.win
	s.opened += len(s.win) - had
	switch {
	case err == io.EOF:
		s.whole = true
	case err != nil:
		s.err = unpackError(err, s.codec, s.packed, s.limit)
	default:
		s.err = s.pass(s.win[had:])
	}
	s.whole = s.whole || s.err != nil
}

// compact drops what is done with, and not needed to decompress the rest. What has to be kept is moved only when as much can
// be dropped, as pieces may be of a byte.
func (s *Stream) compact() {
	keep := 0
	if s.codec == LZ4 || s.codec == Gzip {
		if keep = min(s.at, history); s.at-keep < keep {
			return
		}
	}
	s.win = s.win[:copy(s.win, s.win[s.at-keep:])]
	s.at = keep
}

// Peek returns the next n bytes, and maybe more; fewer where the stream ends, maybe early. They live until the next call of
// a method.
func (s *Stream) Peek(n int) []byte {
	for len(s.win)-s.at < n && !s.whole {
		if more := n - (len(s.win) - s.at); more > pieceSize && !s.reserve(more) {
			break
		}
		s.fill()
	}
	return s.win[s.at:]
}

// reserve makes room for more bytes: in steps, as they may be claimed and not come, and in large ones, as growing with each
// piece would take several times the memory. It returns false if they cannot come.
func (s *Stream) reserve(more int) bool {
	if more > s.limit-s.opened {
		s.err, s.whole = unpackError(ErrTooLarge, s.codec, s.packed, s.limit), true
		return false
	}
	piece := pieceSize
	if s.codec == LZ4 {
		piece = lz4Block
	}
	s.compact()
	if cap(s.win)-len(s.win) < piece {
		more = min(more, max(len(s.win), 1<<20))
		s.win = append(make([]byte, 0, len(s.win)+more+piece), s.win...) // exactly, that it can be kept
	}
	return true
}

// Skip passes over n bytes; false if there are fewer.
func (s *Stream) Skip(n int64) bool {
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
