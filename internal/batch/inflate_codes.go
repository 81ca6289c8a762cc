package batch

import (
	"math/bits"
	"sync"
)

// An entry of a table says what a code stands for, and how long it is:
//
//	bits 0-7    bits to drop: those of the code, and the extra bits behind it
//	bits 8-11   bits of the code; of a subtable: bits that index it
//	bit 13      the code ends the block
//	bit 14      the code goes on: the value is where its subtable begins
//	bit 15      one of these two, or no code at all
//	bits 16-30  value: a literal, or what the extra bits are added to
//	bit 31      the code is a literal's
const (
	entryEnd     = 1 << 13
	entrySub     = 1 << 14
	entryOdd     = 1 << 15
	entryLiteral = 1 << 31
)

// Bits that index a table, without its subtables.
const (
	litBits  = 10
	distBits = 8
	preBits  = 7 // the longest of its codes
)

// Codes that there can be at most, and how long they can be.
const (
	maxLits    = 286
	maxDists   = 30
	maxPres    = 19
	maxCodeLen = 15
)

// codes are the tables of a block. With their subtables 288 codes fill 1334 entries at most, and 32 distances 402 (zlib's
// "enough" counts them): the rest of a power of two lets a mask stand for the check of bounds.
type codes struct {
	lit  [1 << 11]uint32
	dist [1 << 9]uint32
}

const (
	litMask  = 1<<litBits - 1
	distMask = 1<<distBits - 1
)

// litValues, distValues and preValues are the entries of symbols, without the length of their codes.
var litValues, distValues, preValues = symbolValues()

func symbolValues() (lit [288]uint32, dist [32]uint32, pre [maxPres]uint32) {
	for i := range 256 {
		lit[i] = entryLiteral | uint32(i)<<16
	}
	lit[256] = entryOdd | entryEnd
	base := uint32(3)
	for i := range uint32(28) {
		extra := max(i/4, 1) - 1
		lit[257+i] = base<<16 | extra
		base += 1 << extra
	}
	lit[285] = 258 << 16
	lit[286], lit[287] = entryOdd, entryOdd
	base = 1
	for i := range uint32(maxDists) {
		extra := max(i/2, 1) - 1
		dist[i] = base<<16 | extra
		base += 1 << extra
	}
	dist[30], dist[31] = entryOdd, entryOdd
	for i := range pre {
		pre[i] = uint32(i) << 16
	}
	return lit, dist, pre
}

// fixedCodes returns the tables of the blocks that bring none.
var fixedCodes = sync.OnceValue(func() *codes {
	var lens [288]uint8
	for i := range lens {
		switch {
		case i < 144:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		case i < 280:
			lens[i] = 7
		default:
			lens[i] = 8
		}
	}
	var c codes
	var b tableBuilder
	b.build(c.lit[:], litBits, lens[:], litValues[:])
	for i := range 32 {
		lens[i] = 5
	}
	b.build(c.dist[:], distBits, lens[:32], distValues[:])
	return &c
})

// tableBuilder builds tables from the lengths of the codes of symbols.
type tableBuilder struct {
	count  [maxCodeLen + 1]int // codes of each length
	sorted [288]uint16         // symbols, by the length of their codes
}

// build fills a table that width bits index; false if the lengths make no complete code. A single code of one bit, or none
// at all, is taken as well: what is missing is refused when it is met.
func (t *tableBuilder) build(table []uint32, width int, lens []uint8, values []uint32) bool {
	t.count = [maxCodeLen + 1]int{}
	for _, n := range lens {
		t.count[n&maxCodeLen]++
	}
	t.count[0] = 0
	var at [maxCodeLen + 1]int
	sum, space := 0, 0
	for n := 1; n <= maxCodeLen; n++ {
		at[n] = sum
		sum += t.count[n]
		space = 2*space + t.count[n]
	}
	for i, n := range lens {
		if n != 0 {
			t.sorted[at[n&maxCodeLen]] = uint16(i)
			at[n&maxCodeLen]++
		}
	}
	switch {
	case space == 1<<maxCodeLen:
		t.fill(table, width, values)
		return true
	case sum == 0, sum == 1 && t.count[1] == 1:
		for i := range table[:1<<width] {
			table[i] = entryOdd
			if sum == 1 && i&1 == 0 {
				table[i] = values[t.sorted[0]] + 1<<8 + 1
			}
		}
		return true
	}
	return false
}

// following returns what comes behind a code of n bits, in the order that streams have them in: the first bit is the lowest.
// The last of them has none: that is all ones.
func following(code, n int) int {
	bit := 1 << (bits.Len(uint(code^(1<<n-1))) - 1)
	return code&(bit-1) | bit
}

// fill fills a table with a complete code. Each code is written once: the table doubles as codes get longer.
func (t *tableBuilder) fill(table []uint32, width int, values []uint32) {
	n := 1
	for t.count[n] == 0 {
		n++
	}
	code, left, sorted := 0, t.count[n], t.sorted[:]
	for n <= width {
		for ; left > 0; left-- {
			table[code] = values[sorted[0]] + uint32(n)<<8 + uint32(n)
			sorted = sorted[1:]
			if code == 1<<n-1 {
				for ; n < width; n++ {
					copy(table[1<<n:], table[:1<<n])
				}
				return
			}
			code = following(code, n)
		}
		for left == 0 {
			if n < width {
				copy(table[1<<n:], table[:1<<n])
			}
			n++
			left = t.count[n]
		}
	}
	t.fillSubs(table, width, values, sorted, code, n)
}

// fillSubs adds the subtables: code is the first that is longer than width, and has n bits.
func (t *tableBuilder) fillSubs(table []uint32, width int, values []uint32, sorted []uint16, code, n int) {
	mask := 1<<width - 1
	prefix, start, end, left := -1, 0, 1<<width, t.count[n]
	for {
		if code&mask != prefix {
			sub, space := n-width, left
			for space < 1<<sub {
				sub++
				space = 2*space + t.count[width+sub]
			}
			prefix, start = code&mask, end
			end += 1 << sub
			table[prefix] = entryOdd | entrySub | uint32(start)<<16 | uint32(sub)<<8 | uint32(width)
		}
		entry := values[sorted[0]] + uint32(n-width)<<8 + uint32(n-width)
		sorted = sorted[1:]
		for i := start + code>>width; i < end; i += 1 << (n - width) {
			table[i] = entry
		}
		if code == 1<<n-1 {
			return
		}
		code = following(code, n)
		for left--; left == 0; left = t.count[n] {
			n++
		}
	}
}
