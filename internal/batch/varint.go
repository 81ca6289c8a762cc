package batch

import "math/bits"

// maxVarint is the size of the longest varint.
const maxVarint = 10

// appendVarint appends v in zigzag base-128 form.
func appendVarint(dst []byte, v int64) []byte {
	u := uint64(v<<1) ^ uint64(v>>63)
	for u >= 0x80 {
		dst = append(dst, byte(u)|0x80)
		u >>= 7
	}
	return append(dst, byte(u))
}

// putVarint writes v at b[at:], which has room, and returns its end.
func putVarint(b []byte, at int, v int64) int {
	u := uint64(v<<1) ^ uint64(v>>63)
	for u >= 0x80 {
		b[at] = byte(u) | 0x80
		u >>= 7
		at++
	}
	b[at] = byte(u)
	return at + 1
}

// varintSize returns the bytes appendVarint takes for v.
func varintSize(v int64) int {
	u := uint64(v<<1) ^ uint64(v>>63)
	if u < 0x80 {
		return 1
	}
	return (bits.Len64(u) + 6) / 7
}

// varint decodes a zigzag varint at b[at:]. next is its end, or -1 if it is cut off or longer than maxVarint.
func varint(b []byte, at int) (v int64, next int) {
	if at+1 < len(b) { // most are of one byte or two
		u := uint64(b[at])
		if u < 0x80 {
			return int64(u>>1) ^ -int64(u&1), at + 1
		}
		if c := uint64(b[at+1]); c < 0x80 {
			u = u&0x7f | c<<7
			return int64(u>>1) ^ -int64(u&1), at + 2
		}
	}
	return varintSlow(b, at)
}

// varintSlow is varint for any length. It stays out of line, so that varint needs no frame.
//
//go:noinline
func varintSlow(b []byte, at int) (v int64, next int) {
	var u uint64
	for shift := uint(0); shift < 7*maxVarint && at < len(b); shift += 7 {
		c := b[at]
		at++
		u |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return int64(u>>1) ^ -int64(u&1), at
		}
	}
	return 0, -1
}
