package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/pierrec/lz4/v4"
)

// lz4Block is how long a block can be.
const lz4Block = 4 << 20

// lz4Magic begins a frame.
const lz4Magic = 0x184d2204

// Bits of the first byte of a frame's descriptor.
const (
	lz4Version         = 0x40 // of the two highest bits
	lz4Independent     = 0x20 // blocks do not refer to what came before them
	lz4BlockChecksum   = 0x10
	lz4ContentSize     = 0x08
	lz4ContentChecksum = 0x04
	lz4DictID          = 0x01
)

// lz4Stored is the bit of a block's length that says that it is not compressed.
const lz4Stored = 1 << 31

// lz4Expansion is the most by which a block can grow: a byte adds 255 to the length of a match.
const lz4Expansion = 255

// lz4Unpacker decompresses frames. A piece is a block. The library's own reader takes several megabytes for each frame that
// says it has large blocks, however few bytes it is.
//
// It checks no checksum, as the batch has one of its own: not the descriptor's either, which is another in the message sets
// of format 0, where everybody takes it over the frame's magic, too, as Kafka's first implementation did (KAFKA-3160).
type lz4Unpacker struct {
	src   []byte
	flags byte
	block int  // bytes of a decompressed block at most
	open  bool // inside of a frame
	out   int  // bytes of the frame so far
	count int  // of blocks
}

func (u *lz4Unpacker) start(src []byte) error {
	*u = lz4Unpacker{src: src}
	return u.header()
}

// take returns the next n bytes, nil if there are fewer.
func (u *lz4Unpacker) take(n int) []byte {
	if n > len(u.src) {
		return nil
	}
	b := u.src[:n:n]
	u.src = u.src[n:]
	return b
}

var errLZ4Short = fmt.Errorf("%w: lz4 frame ends early", ErrCorrupt)

// header begins the next frame.
func (u *lz4Unpacker) header() error {
	b := u.take(6)
	if b == nil {
		return errLZ4Short
	}
	if magic := binary.LittleEndian.Uint32(b); magic != lz4Magic {
		return fmt.Errorf("%w: lz4 frame begins with %08x", ErrCorrupt, magic)
	}
	u.flags = b[4]
	size := b[5] >> 4 & 7
	if u.flags&0xc0 != lz4Version || u.flags&lz4DictID != 0 || size < 4 {
		return fmt.Errorf("%w: lz4 frame with flags %02x and block size %d", ErrCorrupt, u.flags, size)
	}
	u.block, u.open, u.out = 1<<(8+2*size), true, 0
	rest := 1 // the descriptor's checksum
	if u.flags&lz4ContentSize != 0 {
		rest += 8
	}
	if u.take(rest) == nil {
		return errLZ4Short
	}
	return nil
}

func (u *lz4Unpacker) next(dst []byte, more int) ([]byte, error) {
	if !u.open {
		if len(u.src) == 0 {
			return dst, io.EOF
		}
		if err := u.header(); err != nil {
			return dst, err
		}
	}
	u.count++
	b := u.take(4)
	if b == nil {
		return dst, errLZ4Short
	}
	size := binary.LittleEndian.Uint32(b)
	if size == 0 {
		u.open = false
		if u.flags&lz4ContentChecksum != 0 && u.take(4) == nil {
			return dst, errLZ4Short
		}
		return dst, nil
	}
	n := int(size &^ lz4Stored)
	if n > u.block {
		return dst, fmt.Errorf("%w: lz4 block of %d bytes, the most is %d", ErrCorrupt, n, u.block)
	}
	block := u.take(n)
	if block == nil || u.flags&lz4BlockChecksum != 0 && u.take(4) == nil {
		return dst, errLZ4Short
	}
	if size&lz4Stored == 0 {
		return u.unpack(dst, block, more)
	}
	if n > more {
		return dst, ErrTooLarge
	}
	u.out += n
	return append(dst, block...), nil
}

func (u *lz4Unpacker) blocks() int { return u.count }

// unpack appends a block. How long it becomes is not known before: it is tried with the room that there is, then with more.
func (u *lz4Unpacker) unpack(dst, block []byte, more int) ([]byte, error) {
	most := min(u.block, lz4Expansion*len(block)+16)
	at := len(dst)
	var before []byte
	if u.flags&lz4Independent == 0 {
		before = dst[at-min(u.out, history):]
	}
	for room := min(max(cap(dst)-at, 4*len(block)), most); ; room = min(2*room, most) {
		dst = slices.Grow(dst, room)
		n, err := lz4.UncompressBlockWithDict(block, dst[at:at+room], before)
		switch {
		case err == nil && n > more:
			return dst, ErrTooLarge
		case err == nil:
			u.out += n
			return dst[:at+n], nil
		case room == most || !errors.Is(err, lz4.ErrInvalidSourceShortBuffer): // which it says of any broken block
			return dst, fmt.Errorf("%w: lz4: %w", ErrCorrupt, err)
		}
	}
}
