package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

const partChunk = 1 << 20

// part is what a checkpoint writes of one table: encoded rows, in the order they came until sorted.
type part struct {
	prefix []byte // of the rows in the database
	chunks [][]byte
	rows   []partRow
	bytes  int64
	err    error // the first of the rows' serde
	at     int   // the segment of the frozen list to be encoded next
}

// partRow finds a row in the chunks: key length, key, value length + 1 (0: deleted), value.
type partRow struct {
	prefix uint64 // 8 bytes of the key after those that all keys have in common; known when sorted
	place  uint64 // chunk << 32 | offset
}

// add takes a row. A nil value deletes the key. key and value are copied.
func (p *part) add(key, value []byte) {
	need := 2*binary.MaxVarintLen64 + len(key) + len(value)
	n := len(p.chunks)
	if n == 0 || len(p.chunks[n-1])+need > cap(p.chunks[n-1]) {
		size := partChunk
		if n == 0 {
			size = partChunk / 64 // most checkpoints of small stores fit into it
		}
		p.chunks = append(p.chunks, make([]byte, 0, max(size, need)))
		n++
	}
	c := p.chunks[n-1]
	p.rows = append(p.rows, partRow{0, uint64(n-1)<<32 | uint64(len(c))})
	was := len(c)
	c = binary.AppendUvarint(c, uint64(len(key)))
	c = append(c, key...)
	if value == nil {
		c = append(c, 0)
	} else {
		c = binary.AppendUvarint(c, uint64(len(value))+1)
		c = append(c, value...)
	}
	p.bytes += int64(len(c) - was)
	p.chunks[n-1] = c
}

// row returns the key and the value of a row; a nil value: deleted.
func (p *part) row(r partRow) (key, value []byte) {
	c := p.chunks[r.place>>32][uint32(r.place):]
	n, w := binary.Uvarint(c)
	key, c = c[w:w+int(n)], c[w+int(n):]
	if n, w = binary.Uvarint(c); n == 0 {
		return key, nil
	}
	return key, c[w : w+int(n)-1]
}

// sort brings the rows into the order of their keys.
func (p *part) sort() {
	if len(p.rows) == 0 {
		return
	}
	same, _ := p.row(p.rows[0])
	for _, r := range p.rows {
		k, _ := p.row(r)
		same = common(same, k)
	}
	for i := range p.rows {
		k, _ := p.row(p.rows[i])
		p.rows[i].prefix = bytesPrefix(k[len(same):])
	}
	slices.SortFunc(p.rows, func(a, b partRow) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		ka, _ := p.row(a)
		kb, _ := p.row(b)
		return bytes.Compare(ka, kb)
	})
}

// common returns the bytes that a and b both begin with.
func common(a, b []byte) []byte {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}
