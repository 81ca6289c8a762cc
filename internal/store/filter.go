package store

import "math/bits"

const (
	filterFirst = 4096 // keys of a filter's first part
	bitsPerKey  = 10
)

// filter says of hashes whether they may have been added: a chain of blocked Bloom filters, each four times as large
// as the one before, so that few are asked. A part that is full at 10 bits a key errs in 1-2 % of the cases.
type filter struct {
	parts []bloomPart
	keys  int
}

// bloomPart is one part: a hash has one bit in each of the 8 words of one 64-byte line.
type bloomPart struct {
	lines     [][8]uint64
	keys, max int
}

func newBloomPart(keys int) bloomPart {
	return bloomPart{lines: make([][8]uint64, (keys*bitsPerKey+511)/512), max: keys}
}

// newFilter returns an empty filter with room for keys before it grows.
func newFilter(keys int) *filter {
	return &filter{parts: []bloomPart{newBloomPart(max(keys, filterFirst))}}
}

func (f *filter) add(hash uint64) {
	p := &f.parts[len(f.parts)-1]
	if p.keys == p.max {
		f.parts = append(f.parts, newBloomPart(4*p.max))
		p = &f.parts[len(f.parts)-1]
	}
	p.keys++
	f.keys++
	line, x := p.at(hash)
	for w := range line {
		line[w] |= 1 << (x & 63)
		x >>= 6
	}
}

func (f *filter) may(hash uint64) bool {
	for i := range f.parts {
		if f.parts[i].may(hash) {
			return true
		}
	}
	return false
}

func (p *bloomPart) may(hash uint64) bool {
	line, x := p.at(hash)
	miss := uint64(0)
	for w := range line {
		miss |= ^(line[w] >> (x & 63)) & 1
		x >>= 6
	}
	return miss == 0
}

// at returns the line of a hash, and 48 bits that choose a bit in each of its words.
func (p *bloomPart) at(hash uint64) (line *[8]uint64, x uint64) {
	i, _ := bits.Mul64(hash, uint64(len(p.lines)))
	return &p.lines[i], hash * 0x9e3779b97f4a7c15 >> 16
}

// bytes is the memory held.
func (f *filter) bytes() (n int64) {
	if f == nil {
		return 0
	}
	for i := range f.parts {
		n += int64(len(f.parts[i].lines)) * 64
	}
	return n
}
