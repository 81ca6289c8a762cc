// Package hashed is a record's key as its tables look it up: its bytes, two words that stand for them, and their hash,
// made once for each record and passed by pointer from the source to the slot.
package hashed

import (
	"encoding/binary"
	"math/bits"
)

// Inline is the length in bytes of the longest key that its words and its length stand for.
const Inline = 16

// Hasher turns key bytes into the words and the hash by which every table of the instance finds them.
type Hasher struct{ s0, s1 uint64 }

// NewHasher returns a hasher with the given seeds: random for a process, fixed in tests.
func NewHasher(s0, s1 uint64) Hasher { return Hasher{s0, s1} }

// Key is an encoded key with its words and hash, made once for each record.
//
// Up to [Inline] bytes, Lo and Hi are two overlapping loads: exact together with the length. Of longer keys Lo is the hash
// and Hi is 0.
type Key struct {
	Bytes        []byte
	Lo, Hi, Hash uint64
}

// Key makes the Key of b, which it keeps.
func (h Hasher) Key(b []byte) (k Key) {
	k.Bytes = b
	k.Lo, k.Hi, k.Hash = h.Words(b)
	return k
}

// Set makes k the same as o, field by field: on the record path a copy of the whole struct, in wider loads than its words
// were just stored in, would wait for the stores.
func (k *Key) Set(o *Key) { k.Bytes, k.Lo, k.Hi, k.Hash = o.Bytes, o.Lo, o.Hi, o.Hash }

// Words returns the words and the hash of a Key of b.
func (h Hasher) Words(b []byte) (lo, hi, hash uint64) {
	if len(b) > Inline {
		x := h.long(b)
		return x, 0, x
	}
	lo, hi = words(b)
	return lo, hi, h.OfWords(lo, hi, uint8(len(b)))
}

// words returns the words of b, which is at most 16 bytes long.
func words(b []byte) (lo, hi uint64) {
	n := len(b)
	switch {
	case n >= 8:
		return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<32, 0
	case n > 0:
		return uint64(b[0]) | uint64(b[n/2])<<8 | uint64(b[n-1])<<16, 0
	}
	return 0, 0
}

// AppendWords appends the key of n bytes, at most [Inline], whose words are lo and hi.
func AppendWords(dst []byte, lo, hi uint64, n uint8) []byte {
	switch {
	case n == 8:
		return binary.LittleEndian.AppendUint64(dst, lo)
	case n > 8:
		at := len(dst)
		dst = binary.LittleEndian.AppendUint64(dst, lo)
		dst = binary.LittleEndian.AppendUint64(dst, hi)
		dst = dst[:at+int(n)]
		binary.LittleEndian.PutUint64(dst[at+int(n)-8:], hi)
		return dst
	case n >= 4:
		at := len(dst)
		dst = binary.LittleEndian.AppendUint64(dst, lo)[:at+int(n)]
		binary.LittleEndian.PutUint32(dst[at+int(n)-4:], uint32(lo>>32))
		return dst
	case n == 3:
		return append(dst, byte(lo), byte(lo>>8), byte(lo>>16))
	case n == 2:
		return append(dst, byte(lo), byte(lo>>16))
	case n == 1:
		return append(dst, byte(lo))
	}
	return dst
}

// OfWords returns the hash of a key of n bytes, at most [Inline], whose words are lo and hi.
func (h Hasher) OfWords(lo, hi uint64, n uint8) uint64 {
	a, b := bits.Mul64(lo^h.s0^0x9e3779b97f4a7c15, hi^h.s1^uint64(n)*0xd6e8feb86659fd93^0xa0761d6478bd642f)
	return mix(a^b, h.s1)
}

// long hashes a key of more than 16 bytes.
func (h Hasher) long(b []byte) uint64 {
	x := h.s0 ^ uint64(len(b))*0x9e3779b97f4a7c15
	n := len(b)
	for p := b; len(p) >= 16; p = p[16:] {
		lo, hi := bits.Mul64(binary.LittleEndian.Uint64(p)^x^0xa0761d6478bd642f, binary.LittleEndian.Uint64(p[8:])^h.s1^0xe7037ed1a0b428db)
		x = lo ^ hi
	}
	return mix(x^binary.LittleEndian.Uint64(b[n-16:]), h.s1^binary.LittleEndian.Uint64(b[n-8:]))
}

// mix spreads x over all bits, so that both the top (directory) and the low ones (slot) are good.
func mix(x, s uint64) uint64 {
	lo, hi := bits.Mul64(x^0x8ebc6af09c88c6e3, s^0x589965cc75374cc3)
	return lo ^ hi
}
