package wire

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"testing"

	"github.com/thalweg/thalweg/internal/batch"
)

// bitWriter writes as deflate and zstd's tables do, the lowest bit first.
type bitWriter struct {
	b    []byte
	bits uint64
	n    uint
}

func (w *bitWriter) put(v uint64, width uint) {
	w.bits |= v << w.n
	for w.n += width; w.n >= 8; w.n -= 8 {
		w.b = append(w.b, byte(w.bits))
		w.bits >>= 8
	}
}

func (w *bitWriter) align() {
	if w.n > 0 {
		w.put(0, 8-w.n)
	}
}

// codedBlock writes a block of deflate that builds a code for 286 literals and lengths and one distance, for some zeros and as
// many matches of 258 more. It is not the last.
func (w *bitWriter) codedBlock(zeros, matches int) {
	w.put(0|2<<1|29<<3|0<<8|14<<13, 17)
	for _, symbol := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1} {
		switch symbol {
		case 18:
			w.put(1, 3) // the code 0 repeats zeros
		case 1:
			w.put(2, 3) // 10 is a one
		case 0, 2:
			w.put(3, 3) // 111 is a two
		default:
			w.put(0, 3)
		}
	}
	const one, two = 1, 7
	w.put(two, 3)                // literal 0
	w.put(0|(138-11)<<1|0<<8, 8) // 138 have none
	w.put(0|(117-11)<<1, 8)      // 117 have none
	w.put(two, 3)                // the end
	w.put(0|(28-11)<<1, 8)       // all lengths but
	w.put(one, 2)                // 258
	w.put(one, 2)                // the distance
	for range zeros {
		w.put(1, 2) // as long as the codes are short
	}
	w.put(0, uint(2*min(matches, 16))) // as it was one back
	w.put(3, 2)                        // the end
}

// emptyBlocks returns size bytes of gzip with nothing in it but blocks that build a code each.
func emptyBlocks(size int) []byte {
	w := bitWriter{b: []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}}
	for len(w.b) < size {
		w.put(0|2<<1|0<<3|0<<8|14<<13, 17) // a block with a code of its own, for 257 literals and one distance
		for _, symbol := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1} {
			switch symbol {
			case 18:
				w.put(1, 3) // the code 0 repeats zeros
			case 0, 1:
				w.put(2, 3) // 01 is a zero, 11 a one
			default:
				w.put(0, 3)
			}
		}
		w.put(3, 2)               // literal 0 has a code of one bit
		w.put(0|(138-11)<<1, 8)   // 138 have none
		w.put(0|(117-11)<<1, 8)   // 117 have none
		w.put(3|3<<2|1<<4, 2+2+1) // the end has one, as the distance, and comes
	}
	w.put(1|1<<1|0<<3, 10)
	w.align()
	return append(w.b, make([]byte, 8)...)
}

// fixedBlocks returns size bytes of gzip with nothing in it but blocks of the fixed code.
func fixedBlocks(size int) []byte {
	w := bitWriter{b: []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}}
	for len(w.b) < size {
		w.put(0|1<<1|0<<3, 10)
	}
	w.put(1|1<<1|0<<3, 10)
	w.align()
	return append(w.b, make([]byte, 8)...)
}

// recordOf returns what a record of n zeros begins with, which a stream then has to give.
func recordOf(n int) []byte {
	r := long(make([]byte, n))
	return r[:len(r)-n-1]
}

// codedBlocks returns size bytes of gzip: a record of zeros, in blocks that build a code each for a few of them.
func codedBlocks(size, zeros, matches int) []byte {
	var w bitWriter
	out := 0
	for len(w.b) < size {
		w.codedBlock(zeros, matches)
		out += zeros + 258*matches
	}
	w.put(1|1<<1|0<<3, 10) // the last has nothing
	w.align()
	head := recordOf(out)
	b := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 0}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(head)))
	b = binary.LittleEndian.AppendUint16(b, ^uint16(len(head)))
	b = append(append(b, head...), w.b...)
	return append(b, make([]byte, 8)...)
}

// zstdHeader begins a frame of zstd with a window of 8 MiB.
var zstdHeader = []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0x68}

// zstdBlock appends a block; kind is 0 for bytes as they are, 1 for one that is repeated, 2 for what is compressed.
func zstdBlock(b []byte, kind, size int, content ...byte) []byte {
	h := kind<<1 | size<<3
	return append(append(b, byte(h), byte(h>>8), byte(h>>16)), content...)
}

// zstdTables is the content of a block that builds tables for 512 states of literals' lengths, 256 of offsets and 512 of
// matches' lengths, for one match of three bytes, with zeros before it. With a tree it builds a table for codes of 11 bits too, and
// there are as many zeros as make whole bytes with the bit that ends them.
func zstdTables(tree bool, zeros int) (content []byte, out int) {
	b := append([]byte{byte(1<<2 | zeros&0xf<<4), byte(zeros >> 4)}, make([]byte, zeros)...)
	if tree {
		codes := bytes.Repeat([]byte{0xff}, zeros/8+1)
		zeros = 8*len(codes) - 1
		weights := append([]byte{127 + 11, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10}, codes...)
		h := 2 | zeros<<4 | len(weights)<<14
		b = append([]byte{byte(h), byte(h >> 8), byte(h >> 16)}, weights...)
	}
	b = append(b, 1, 2<<6|2<<4|2<<2)
	for _, log := range []uint{9, 8, 9} { // one symbol has all states but one
		w := bitWriter{}
		w.put(uint64(log-5), 4)
		w.put(1<<(log+1)-2, log+1)
		w.put(3, 2)
		w.align()
		b = append(b, w.b...)
	}
	return binary.LittleEndian.AppendUint32(b, 1<<26), zeros + 3 // the first state of each
}

// zstdBlocks returns size bytes of zstd: a record of zeros, in blocks that build tables for a few of them, as zstdTables, with
// blocks of more zeros between them.
func zstdBlocks(size int, tree bool, zeros, between int) []byte {
	var body []byte
	out := 0
	tables, n := zstdTables(tree, zeros)
	for len(body) < size-100 {
		body = zstdBlock(body, 2, len(tables), tables...)
		out += n
		if between > 0 {
			body = zstdBlock(body, 1, between, 0)
			out += between
		}
	}
	head := append(recordOf(out+20), make([]byte, 20)...) // matches go up to 8 back
	return append(append(zstdBlock(bytes.Clone(zstdHeader), 0, len(head), head...), body...), 1|1<<3, 0, 0, 0)
}

// lz4Bytes returns size bytes of LZ4: a record, in a block of 64 KiB that all others could refer to, and in blocks of a byte.
func lz4Bytes(size int) []byte {
	b := []byte{0x04, 0x22, 0x4d, 0x18, lz4Linked, 0x40, 0}
	block := func(content []byte) {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(content))|1<<31)
		b = append(b, content...)
	}
	n := (size - 130<<10) / 5
	head := recordOf(n + 65000)
	block(head)
	block(make([]byte, 65000))
	for range n + 1 {
		block([]byte{0})
	}
	return append(b, 0, 0, 0, 0)
}

// lz4Linked are the flags of a frame whose blocks may refer to those before.
const lz4Linked = 0x40

// hostileStreams are those of at most size bytes whose cost is in what holds them together, and not in what they hold.
func hostileStreams(t testing.TB, size int) map[string][]byte {
	all := map[string][]byte{}
	add := func(name string, c batch.Codec, stream []byte) { all[name] = as(c, packed(t, batch.None, stream, 1)) }
	repeat := func(name string, c batch.Codec, header []byte, one ...byte) {
		add(name, c, append(bytes.Clone(header), bytes.Repeat(one, (size-100-len(header))/len(one))...))
	}
	add("gzip of empty blocks", batch.Gzip, emptyBlocks(size-100))
	add("gzip of blocks without tables", batch.Gzip, fixedBlocks(size-100))
	add("gzip of blocks of a byte", batch.Gzip, codedBlocks(size-200, 1, 0))
	add("gzip of blocks of a match", batch.Gzip, codedBlocks(size-200, 1, 1))
	add("gzip of blocks of matches", batch.Gzip, codedBlocks(size-200, 1, 8))
	add("gzip of blocks as many as may be", batch.Gzip, codedBlocks(size-200, 210, 0))
	add("gzip of matches in blocks as many as may be", batch.Gzip, codedBlocks(size-200, 210, 1))
	add("zstd of tables", batch.Zstd, zstdBlocks(size-100, false, 0, 0))
	add("zstd of tables and trees", batch.Zstd, zstdBlocks(size-100, true, 0, 0))
	add("zstd of tables and zeros", batch.Zstd, zstdBlocks(size-100, true, 0, 1000))
	add("zstd of tables as many as may be", batch.Zstd, zstdBlocks(size-100, false, 113, 0))
	add("zstd of tables and trees as many as may be", batch.Zstd, zstdBlocks(size-100, true, 8*102, 0))
	add("lz4 of bytes", batch.LZ4, lz4Bytes(size-100))

	var member bytes.Buffer
	if err := gzip.NewWriter(&member).Close(); err != nil {
		t.Fatal(err)
	}
	repeat("gzip of members", batch.Gzip, nil, member.Bytes()...)
	repeat("zstd of frames", batch.Zstd, nil, append(bytes.Clone(zstdHeader), 1, 0, 0)...)
	repeat("zstd of skipped frames", batch.Zstd, nil, 0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0)
	repeat("zstd of blocks of nothing", batch.Zstd, zstdHeader, 0, 0, 0)
	repeat("zstd of nothing repeated", batch.Zstd, zstdHeader, 2, 0, 0, 0)
	repeat("lz4 of frames", batch.LZ4, nil, 0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0, 0, 0, 0, 0)
	repeat("lz4 of blocks of nothing", batch.LZ4, []byte{0x04, 0x22, 0x4d, 0x18, lz4Linked, 0x40, 0}, 0, 0, 0, 0x80)
	snappy := []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1}
	repeat("snappy of blocks of nothing", batch.Snappy, snappy, 0, 0, 0, 1, 0)
	repeat("snappy of bytes", batch.Snappy, snappy, 0, 0, 0, 3, 1, 0, 0)
	return all
}
