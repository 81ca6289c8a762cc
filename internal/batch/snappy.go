package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/snappy"
)

// snappyExpansion is the most by which a snappy block can grow: three bytes encode a copy of 64.
const snappyExpansion = 22

// xerial is the magic of the framing in which Java writes snappy; two int32 versions follow, then blocks, each behind
// its int32 length.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

// xerialHeader is what stands before the blocks.
var xerialHeader = append(bytes.Clone(xerial), 0, 0, 0, 1, 0, 0, 0, 1)

// snappyUnpacker decompresses one raw block, or Java's framing of many. A piece is a block.
type snappyUnpacker struct {
	src    []byte
	framed bool
	done   bool
	pieces int
}

func (u *snappyUnpacker) start(src []byte) error {
	*u = snappyUnpacker{src: src, framed: bytes.HasPrefix(src, xerial)}
	if !u.framed {
		return nil
	}
	if len(src) < len(xerialHeader) {
		return fmt.Errorf("%w: snappy frame of %d bytes", ErrCorrupt, len(src))
	}
	u.src = src[len(xerialHeader):]
	return nil
}

func (u *snappyUnpacker) next(dst []byte, more int) ([]byte, error) {
	if u.done || u.framed && len(u.src) == 0 {
		u.src = nil
		return dst, io.EOF
	}
	block := u.src
	u.pieces++
	if u.framed {
		if len(u.src) < 4 {
			return dst, fmt.Errorf("%w: snappy frame ends inside a length", ErrCorrupt)
		}
		n := binary.BigEndian.Uint32(u.src)
		u.src = u.src[4:]
		if uint64(n) > uint64(len(u.src)) {
			return dst, fmt.Errorf("%w: snappy block of %d bytes, %d left", ErrCorrupt, n, len(u.src))
		}
		block, u.src = u.src[:n], u.src[n:]
	}
	u.done = !u.framed
	n, err := snappy.DecodedLen(block)
	if err != nil || n > snappyExpansion*len(block) {
		return dst, fmt.Errorf("%w: snappy block of %d bytes claims %d", ErrCorrupt, len(block), n)
	}
	if n > more {
		return dst, ErrTooLarge
	}
	dst = slices.Grow(dst, n)
	if _, err = snappy.Decode(dst[len(dst):len(dst)+n], block); err != nil {
		return dst, fmt.Errorf("%w: snappy: %w", ErrCorrupt, err)
	}
	return dst[:len(dst)+n], nil
}

func (u *snappyUnpacker) blocks() int { return u.pieces }

// snappyBlock is how much goes into one block: what the format compresses on its own anyway.
const snappyBlock = 64 << 10

// snappyFrames is a sink that writes Java's framing, in bounded memory, which one block of all would not be.
type snappyFrames struct {
	w       io.Writer
	begun   bool
	pending []byte // less than a block
	out     []byte
}

// Reset implements sink.
func (s *snappyFrames) Reset(w io.Writer) {
	s.w, s.begun, s.pending = w, false, s.pending[:0]
}

// Write implements io.Writer.
func (s *snappyFrames) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if s.pending == nil {
			s.pending = make([]byte, 0, snappyBlock)
		}
		k := min(len(p), snappyBlock-len(s.pending))
		s.pending = append(s.pending, p[:k]...)
		p = p[k:]
		if len(s.pending) < snappyBlock {
			break
		}
		if err := s.flush(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func (s *snappyFrames) flush() error {
	s.out = s.out[:0]
	if !s.begun {
		s.out = append(s.out, xerialHeader...)
		s.begun = true
	}
	if len(s.pending) > 0 {
		at := len(s.out) + 4
		s.out = slices.Grow(s.out, 4+snappy.MaxEncodedLen(len(s.pending)))
		n := len(snappy.Encode(s.out[at:cap(s.out)], s.pending))
		s.out = s.out[:at+n]
		binary.BigEndian.PutUint32(s.out[at-4:], uint32(n))
	}
	s.pending = s.pending[:0]
	_, err := s.w.Write(s.out)
	return err
}

// Close implements io.Closer.
func (s *snappyFrames) Close() error { return s.flush() }
