package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"
)

// bitWriter writes what gzip is made of.
type bitWriter struct {
	b    []byte
	bits uint64
	n    uint
	data []byte // what a member gives to whoever takes it
}

func newBitWriter() *bitWriter { return &bitWriter{b: []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}} }

func (w *bitWriter) put(v uint64, width uint) {
	w.bits |= v << w.n
	for w.n += width; w.n >= 8; w.n -= 8 {
		w.b = append(w.b, byte(w.bits))
		w.bits >>= 8
	}
}

// trailer ends a member.
func (w *bitWriter) trailer() []byte {
	if w.n > 0 {
		w.put(0, 8-w.n)
	}
	w.b = binary.LittleEndian.AppendUint32(w.b, crc32.ChecksumIEEE(w.data))
	return binary.LittleEndian.AppendUint32(w.b, uint32(len(w.data)))
}

// block begins a block with tables: lens are the lengths of the codes of lengths.
func (w *bitWriter) block(last uint64, lits, dists int, lens [maxPres]uint64) {
	w.put(last|2<<1, 3)
	w.put(uint64(lits-257)|uint64(dists-1)<<5|15<<10, 14)
	for _, i := range preOrder {
		w.put(lens[i], 3)
	}
}

// emptyBlock writes a block with tables and nothing else, in 17 bytes.
func (w *bitWriter) emptyBlock(last uint64) {
	w.block(last, 257, 1, [maxPres]uint64{0: 2, 1: 2, 18: 1})
	w.put(3, 2)               // literal 0 has a code of one bit
	w.put(0|127<<1, 8)        // 138 have none
	w.put(0|(117-11)<<1, 8)   // 117 have none
	w.put(3|3<<2|1<<4, 2+2+1) // the end has one, as the distance, and comes
}

func TestInflateRefusesNothingButTables(t *testing.T) {
	rng := seeded(t)
	var u inflater
	w := newBitWriter()
	for range 64 {
		w.emptyBlock(0)
	}
	w.put(1|1<<1, 3+7) // a last block, of the end
	few := w.trailer()
	if got, err := inflated(&u, few, 0, rng); err != nil || len(got) != 0 || u.blocks() != 64 {
		t.Errorf("64 blocks: %d bytes, %d blocks, %v", len(got), u.blocks(), err)
	}
	for w = newBitWriter(); len(w.b) < 1<<20; {
		w.emptyBlock(0)
	}
	_, err := inflated(&u, w.b, 1<<30, rng)
	if !errors.Is(err, ErrCorrupt) || u.pos > 2000 || u.blocks() > 80 {
		t.Errorf("after %d bytes and %d blocks: %v", u.pos, u.blocks(), err)
	}
	var many []byte // a member each
	for range 1000 {
		w = newBitWriter()
		w.emptyBlock(1)
		many = append(many, w.trailer()...)
	}
	if _, err = inflated(&u, many, 1<<30, rng); !errors.Is(err, ErrCorrupt) || u.pos > 5000 {
		t.Errorf("after %d bytes and %d blocks in members: %v", u.pos, u.blocks(), err)
	}
}

// distances writes a last block of a literal, with codes of lens for distances.
func (w *bitWriter) distances(lens ...uint64) {
	w.data = []byte{0}
	w.block(1, 257, len(lens), [maxPres]uint64{0: 2, 1: 2, 2: 2, 18: 2}) // 00 is 0, 01 is 1, 10 is 2, 11 again zeros
	w.put(2, 2)
	w.put(3|127<<2, 9)
	w.put(3|(117-11)<<2, 9)
	w.put(2, 2)
	for _, n := range lens {
		w.put(reversed(n, 2), 2)
	}
	w.put(0|1<<1, 2)
}

// oddBlocks are blocks at the limits of what the format allows, and beyond them.
func oddBlocks() map[string]*bitWriter {
	out := map[string]*bitWriter{}
	with := func(name string, f func(w *bitWriter)) {
		w := newBitWriter()
		f(w)
		out[name] = w
	}
	with("block of no kind", func(w *bitWriter) { w.put(1|3<<1, 3) })
	for lits := 285; lits <= 288; lits++ {
		with(fmt.Sprint(lits, " literals"), func(w *bitWriter) {
			w.block(1, lits, 1, [maxPres]uint64{0: 2, 1: 2, 18: 1})
			w.put(3, 2)
			w.put(0|127<<1, 8)
			w.put(0|(117-11)<<1, 8)
			w.put(3, 2)
			w.put(0|uint64(lits-257-11)<<1, 8)
			w.put(3|1<<2, 2+1)
		})
	}
	for dists := 29; dists <= 32; dists++ {
		with(fmt.Sprint(dists, " distances"), func(w *bitWriter) {
			w.block(1, 257, dists, [maxPres]uint64{0: 2, 1: 2, 18: 1})
			w.put(3, 2)
			w.put(0|127<<1, 8)
			w.put(0|(117-11)<<1, 8)
			w.put(3, 2)
			w.put(0|uint64(dists-11)<<1, 8) // no distance at all
			w.put(1, 1)
		})
	}
	with("no codes of lengths", func(w *bitWriter) { w.block(1, 257, 1, [maxPres]uint64{}); w.put(0, 60) })
	with("one code of lengths", func(w *bitWriter) { w.block(1, 257, 1, [maxPres]uint64{18: 1}); w.put(127<<1, 60) })
	with("one code of lengths, of two bits", func(w *bitWriter) { w.block(1, 257, 1, [maxPres]uint64{18: 2}); w.put(0, 60) })
	with("too many codes of lengths", func(w *bitWriter) { w.block(1, 257, 1, [maxPres]uint64{1, 1, 1}); w.put(0, 60) })
	with("again without a length", func(w *bitWriter) { w.block(1, 257, 1, [maxPres]uint64{0: 1, 16: 1}); w.put(1, 60) })
	with("lengths beyond the last", func(w *bitWriter) {
		w.block(1, 257, 1, [maxPres]uint64{1: 1, 18: 1})
		w.put(1|127<<1|1<<8|127<<9, 16)
	})
	for _, lens := range [][]uint64{
		{0}, {1}, {0, 1}, {2}, {1, 2}, {2, 2}, {1, 1}, {1, 1, 1}, {1, 2, 2}, {2, 2, 2}, {2, 2, 2, 2, 2},
	} {
		with(fmt.Sprint("distances of lengths ", lens), func(w *bitWriter) { w.distances(lens...) })
	}
	for symbol := uint64(0); symbol < 8; symbol++ { // 280 and more
		with(fmt.Sprint("fixed length ", 280+symbol), func(w *bitWriter) {
			w.put(1|1<<1, 3)
			w.put(0x0c, 8) // literal 0
			w.put(reversed(0xc0+symbol, 8), 8)
			w.put(0, 5+5+7)
		})
	}
	addMatches(with)
	return out
}

// addMatches adds blocks with matches of all kinds of distances.
func addMatches(with func(string, func(w *bitWriter))) {
	for symbol := uint64(24); symbol < 32; symbol++ {
		with(fmt.Sprint("fixed distance ", symbol), func(w *bitWriter) {
			w.put(1|1<<1, 3)
			for range 40_000 {
				w.put(0x0c, 8)
			}
			w.put(reversed(1, 7), 7)
			w.put(reversed(symbol, 5), 5)
			w.put(0, (uint(symbol)-2)/2+7)
		})
	}
	for back := uint64(1); back <= 4; back++ {
		with(fmt.Sprint("match ", back, " back of 2"), func(w *bitWriter) {
			w.put(1|1<<1, 3)
			w.put(0x0c|0x0c<<8, 16)
			w.put(reversed(1, 7), 7)
			w.put(reversed(back-1, 5), 5)
			w.put(0, 7)
		})
	}
}

// TestInflateMatchesNothingOfTheMemberBefore has a match that goes back before the beginning of the second member.
func TestInflateMatchesNothingOfTheMemberBefore(t *testing.T) {
	rng := seeded(t)
	var u inflater
	for back := uint64(1); back <= 3; back++ {
		for _, behind := range []int{0, 2 * fastRoom} { // careful, and fast
			w := newBitWriter()
			w.data = make([]byte, 2+3+behind)
			w.put(1|1<<1, 3)
			w.put(0x0c|0x0c<<8, 16)
			w.put(reversed(1, 7), 7)
			w.put(reversed(back-1, 5), 5)
			for range behind {
				w.put(0x0c, 8)
			}
			w.put(0, 7)
			src := append(gzipped(t, make([]byte, 3000), 6, true, 0), w.trailer()...)
			alike(t, &u, src, rng)
			if _, err := inflated(&u, src, 1<<20, rng); (err == nil) != (back <= 2) {
				t.Errorf("%d back of 2: %v", back, err)
			}
		}
	}
}

func reversed(v uint64, n uint) (r uint64) {
	for range n {
		r = r<<1 | v&1
		v >>= 1
	}
	return r
}

func TestInflateAtTheLimitsOfTheFormat(t *testing.T) {
	rng := seeded(t)
	var u inflater
	for name, w := range oddBlocks() {
		t.Run(name, func(t *testing.T) {
			src := mended(append(w.trailer(), make([]byte, 8)...))
			if n := len(src); n > 18 {
				alike(t, &u, src[:n-8], rng)
			}
			alike(t, &u, src, rng)
			whole := append(bytes.Clone(src), gzipped(t, make([]byte, 9000), 6, true, 0)...) // for the fast loop
			alike(t, &u, whole, rng)
		})
	}
}
