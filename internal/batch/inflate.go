package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// gzipMost is the longest name or comment of a member, with the zero behind it, as in compress/gzip.
const gzipMost = 512

// Flags of a member's header.
const (
	gzipCRC      = 1 << 1
	gzipExtra    = 1 << 2
	gzipName     = 1 << 3
	gzipComment  = 1 << 4
	gzipReserved = 0xe0
)

// inflateHistory is how far back a match can refer to what came before it.
const inflateHistory = 32 << 10

// inflateRoom is the least room worth decompressing into.
const inflateRoom = 1 << 10

// What one turn of the fast loop may read, and write: three literals and a match, which is copied by more than it needs.
const (
	fastSrc  = 16
	fastRoom = 3 + 258 + 15
)

// Where an inflater is.
const (
	atBlock   = iota // a block begins
	atStored         // inside of a block that is not compressed
	atCodes          // inside of a block that is
	atTrailer        // behind the last block of a member
	atEnd            // behind the last member
)

var (
	errGzipShort = fmt.Errorf("%w: gzip ends early", ErrCorrupt)
	errGzipCode  = fmt.Errorf("%w: gzip: not a code", ErrCorrupt)
	errGzipCodes = fmt.Errorf("%w: gzip: lengths that make no codes", ErrCorrupt)
	errGzipFar   = fmt.Errorf("%w: gzip: match of nothing there is", ErrCorrupt)
)

// inflater decompresses members of gzip. The libraries do as well, but say nothing of blocks: a stream of nothing but tables
// costs them a hundred times what its bytes should, inside of a single call.
type inflater struct {
	src  []byte
	pos  int    // bytes taken from src
	bits uint64 // what was taken and not used: the lowest come first. Above n of them is what src has at pos, or zeros.
	n    uint

	state  int
	last   bool // no block comes behind this one
	codes  *codes
	length int // what is left of a match, or of a block that is not compressed
	dist   int // of the match

	crc    uint32
	member int // bytes of the member so far
	out    int // bytes of all members so far
	tables int // blocks that brought tables

	own   codes
	pre   [1 << preBits]uint32
	lens  [maxLits + maxDists]uint8
	build tableBuilder
}

func (u *inflater) start(src []byte) error {
	u.src, u.pos, u.out, u.tables = src, 0, 0, 0
	return u.header()
}

func (u *inflater) blocks() int { return u.tables }

// tooManyBlocks reports whether a stream has more blocks with tables than a compressor makes: one brings tables only where they
// are smaller than what they save. Only who flushes it behind every hundred bytes would come near. taken bytes of the stream
// have become out.
func tooManyBlocks(blocks, taken, out int) bool {
	return blocks > 64+taken/64+out/16384
}

// header begins the next member.
func (u *inflater) header() error {
	b := u.src[u.pos:]
	if len(b) < 10 {
		return errGzipShort
	}
	flags := b[3]
	if b[0] != 0x1f || b[1] != 0x8b || b[2] != 8 {
		return fmt.Errorf("%w: gzip member begins with %x", ErrCorrupt, b[:3])
	}
	if flags&gzipReserved != 0 {
		return fmt.Errorf("%w: gzip member with reserved flags: %02x", ErrCorrupt, flags)
	}
	n := 10
	if flags&gzipExtra != 0 {
		if len(b) < n+2 {
			return errGzipShort
		}
		n += 2 + int(binary.LittleEndian.Uint16(b[n:]))
	}
	for _, flag := range []byte{gzipName, gzipComment} {
		if flags&flag == 0 {
			continue
		}
		if n > len(b) {
			return errGzipShort
		}
		end := bytes.IndexByte(b[n:min(n+gzipMost, len(b))], 0)
		if end < 0 {
			return fmt.Errorf("%w: gzip name without an end", ErrCorrupt)
		}
		n += end + 1
	}
	if flags&gzipCRC != 0 {
		if len(b) < n+2 {
			return errGzipShort
		}
		if binary.LittleEndian.Uint16(b[n:]) != uint16(crc32.ChecksumIEEE(b[:n])) {
			return fmt.Errorf("%w: gzip header's checksum", ErrCorrupt)
		}
		n += 2
	}
	if n > len(b) {
		return errGzipShort
	}
	u.pos += n
	u.bits, u.n, u.state, u.last, u.length = 0, 0, atBlock, false, 0
	u.crc, u.member = 0, 0
	return nil
}

// trailer ends a member, and begins the next if there is one.
func (u *inflater) trailer() error {
	u.align()
	b := u.src[u.pos:]
	if len(b) < 8 {
		return errGzipShort
	}
	if binary.LittleEndian.Uint32(b) != u.crc || binary.LittleEndian.Uint32(b[4:]) != uint32(u.member) {
		return fmt.Errorf("%w: gzip: checksum or size of a member", ErrCorrupt)
	}
	if u.pos += 8; u.pos == len(u.src) {
		u.state = atEnd
		return nil
	}
	return u.header()
}

func (u *inflater) next(dst []byte, more int) ([]byte, error) {
	if u.state == atEnd {
		u.src = nil
		return dst, io.EOF
	}
	if cap(dst)-len(dst) < inflateRoom {
		dst = slices.Grow(dst, min(more, pieceSize-1)+1)
	}
	from := len(dst)
	room := cap(dst) - from
	if more < room {
		room = more + 1
	}
	end, err := u.inflate(dst[:from+room], from)
	if end-from > more {
		return dst[:from+more], ErrTooLarge
	}
	dst = dst[:end]
	u.crc = crc32.Update(u.crc, crc32.IEEETable, dst[from:])
	u.member += end - from
	u.out += end - from
	if err == nil && u.state == atTrailer {
		err = u.trailer()
	}
	return dst, err
}

// inflate writes to out, from at on, until it is full or the member ends. It returns where it came to.
func (u *inflater) inflate(out []byte, at int) (int, error) {
	from := at
	low := from - min(u.member, from, inflateHistory) // the earliest byte there is
	var err error
	for err == nil && u.state != atTrailer && at < len(out) {
		switch u.state {
		case atBlock:
			err = u.block(u.out + at - from)
		case atStored:
			n := copy(out[at:], u.src[u.pos:min(u.pos+u.length, len(u.src))])
			u.pos, u.length, at = u.pos+n, u.length-n, at+n
			if u.length == 0 {
				u.endBlock()
			} else if at < len(out) {
				err = errGzipShort
			}
		case atCodes:
			if u.length == 0 {
				at, err = u.fast(out, at, low)
			}
			if err == nil && u.state == atCodes {
				at, err = u.careful(out, at, low)
			}
		}
	}
	return at, err
}

func (u *inflater) endBlock() {
	if u.state = atBlock; u.last {
		u.state = atTrailer
	}
}

// block begins a block. out bytes have come so far.
func (u *inflater) block(out int) error {
	u.refill()
	if u.n < 3 {
		return errGzipShort
	}
	u.last = u.bits&1 != 0
	kind := u.bits >> 1 & 3
	u.drop(3)
	u.length = 0
	switch kind {
	case 0:
		u.align()
		b := u.src[u.pos:]
		if len(b) < 4 {
			return errGzipShort
		}
		n := binary.LittleEndian.Uint16(b)
		if n != ^binary.LittleEndian.Uint16(b[2:]) {
			return fmt.Errorf("%w: gzip: length of a block", ErrCorrupt)
		}
		u.pos += 4
		if u.length, u.state = int(n), atStored; n == 0 {
			u.endBlock()
		}
		return nil
	case 1:
		u.codes, u.state = fixedCodes(), atCodes
		return nil
	case 2:
		u.tables++
		if taken := u.pos - int(u.n/8); tooManyBlocks(u.tables, taken, out) {
			return fmt.Errorf("%w: gzip: %d blocks in %d bytes", ErrCorrupt, u.tables, taken)
		}
		u.codes, u.state = &u.own, atCodes
		return u.readCodes()
	}
	return fmt.Errorf("%w: gzip block of no kind", ErrCorrupt)
}

// preOrder is how the lengths of the codes of lengths are ordered.
var preOrder = [maxPres]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// readCodes reads the lengths of a block's codes, and builds its tables.
func (u *inflater) readCodes() error {
	u.refill()
	lits, dists, pres := int(u.bits&31)+257, int(u.bits>>5&31)+1, int(u.bits>>10&15)+4
	if u.n < 14 || lits > maxLits || dists > maxDists {
		return errGzipCodes
	}
	u.drop(14)
	var lens [maxPres]uint8
	for _, i := range preOrder[:pres] {
		if u.n < 3 {
			if u.refill(); u.n < 3 {
				return errGzipShort
			}
		}
		lens[i] = uint8(u.bits & 7)
		u.drop(3)
	}
	if !u.build.build(u.pre[:], preBits, lens[:], preValues[:]) {
		return errGzipCodes
	}
	if err := u.readLens(u.lens[:lits+dists]); err != nil {
		return err
	}
	if !u.build.build(u.own.lit[:], litBits, u.lens[:lits], litValues[:]) ||
		!u.build.build(u.own.dist[:], distBits, u.lens[lits:lits+dists], distValues[:]) {
		return errGzipCodes
	}
	return nil
}

// readLens reads the lengths of codes, which are coded themselves.
func (u *inflater) readLens(lens []uint8) error {
	for i := 0; i < len(lens); {
		if u.n < preBits+7 {
			u.refill()
		}
		e := u.pre[u.bits&(1<<preBits-1)]
		if e&entryOdd != 0 {
			return errGzipCode
		}
		used, symbol := uint(e&0xff), uint8(e>>16)
		more := uint(0) // bits
		switch symbol {
		case 16:
			more = 2
		case 17:
			more = 3
		case 18:
			more = 7
		}
		if u.n < used+more {
			return errGzipShort
		}
		n := int(u.bits >> used & (1<<more - 1))
		u.drop(used + more)
		if symbol < 16 {
			lens[i] = symbol
			i++
			continue
		}
		again := uint8(0)
		switch n += 3; symbol {
		case 16:
			if i == 0 {
				return errGzipCodes
			}
			again = lens[i-1]
		case 18:
			n += 8
		}
		if i+n > len(lens) {
			return errGzipCodes
		}
		for end := i + n; i < end; i++ {
			lens[i] = again
		}
	}
	return nil
}
