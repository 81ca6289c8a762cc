package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"
)

// order keeps the keys of the rows that may differ from the database, sorted: all that an ordered read needs beside
// the database's own order. It comes with the first such read and goes with the checkpoint. It may hold more keys than
// there are rows, never less.
//
// Keys come to a tail, which the next read sorts; runs are merged so that each is more than twice as long as the one
// after it. A run never changes, so that an iteration may hold on to it.
type order struct {
	on   bool
	runs []run
	tail run
}

type run struct {
	rows []runRow
	keys []byte
}

type runRow struct {
	prefix uint64 // while sorted: 8 bytes of the key after those that all keys have in common
	off    uint32
	n      uint32
}

func (r *run) key(i int) []byte {
	x := r.rows[i]
	return r.keys[x.off : x.off+x.n : x.off+x.n]
}

func (r *run) compare(a, b runRow) int {
	if a.prefix != b.prefix {
		return cmp.Compare(a.prefix, b.prefix)
	}
	return bytes.Compare(r.keys[a.off:a.off+a.n], r.keys[b.off:b.off+b.n])
}

// sort brings the keys into order.
func (r *run) sort() {
	same := r.key(0)
	for i := range r.rows {
		same = common(same, r.key(i))
	}
	for i := range r.rows {
		r.rows[i].prefix = bytesPrefix(r.key(i)[len(same):])
	}
	slices.SortFunc(r.rows, r.compare)
}

// search returns the place of the first key that is not below k; nil: of the first.
func (r *run) search(k []byte) int {
	return sort.Search(len(r.rows), func(i int) bool { return bytes.Compare(r.key(i), k) >= 0 })
}

func (r *run) push(key []byte) {
	r.rows = append(r.rows, runRow{0, uint32(len(r.keys)), uint32(len(key))})
	r.keys = append(r.keys, key...)
}

// addKey notes the key of a row that has come to differ from the database.
func (t *table[V]) addKey(s *slot[V]) {
	o := &t.order
	if len(o.tail.rows) > 2*t.rows+1<<12 || len(o.tail.keys) > 1<<31 {
		o.drop()
		return
	}
	if o.tail.keys == nil {
		o.tail.keys = make([]byte, 0, 64) // so that the empty key is not nil
	}
	at := len(o.tail.keys)
	o.tail.keys = t.appendKey(o.tail.keys, s)
	o.tail.rows = append(o.tail.rows, runRow{0, uint32(at), uint32(len(o.tail.keys) - at)})
}

// sorted brings the order up to date and returns its runs.
func (t *table[V]) sorted() []run {
	o := &t.order
	if o.on && o.len() > 2*t.rows+1<<12 {
		o.drop()
	}
	if !o.on {
		o.on = true
		for l := listGen0; l < lists; l++ {
			for _, seg := range t.lists[l] {
				for gi := range seg.groups {
					for rest := seg.groups[gi].on(l); rest != 0; rest &= rest - 1 {
						t.addKey(&seg.slots[gi*groupSlots+bits.TrailingZeros64(rest)])
					}
				}
			}
		}
	}
	o.seal()
	return slices.Clone(o.runs)
}

// seal sorts the tail into a run.
func (o *order) seal() {
	if len(o.tail.rows) == 0 {
		return
	}
	last := o.tail
	o.tail = run{}
	last.sort()
	for n := len(o.runs); n > 0 && len(o.runs[n-1].rows) < 2*len(last.rows); n-- {
		last = mergeRuns(&o.runs[n-1], &last)
		o.runs = o.runs[:n-1]
	}
	o.runs = append(o.runs, last)
}

// mergeRuns returns the keys of both, each once.
func mergeRuns(a, b *run) run {
	r := run{rows: make([]runRow, 0, len(a.rows)+len(b.rows)), keys: make([]byte, 0, len(a.keys)+len(b.keys))}
	for i, j := 0, 0; i < len(a.rows) || j < len(b.rows); {
		c := 0
		switch {
		case i == len(a.rows):
			c = 1
		case j == len(b.rows):
			c = -1
		default:
			c = bytes.Compare(a.key(i), b.key(j))
		}
		if c <= 0 {
			r.push(a.key(i))
			i++
		}
		if c >= 0 {
			if c > 0 {
				r.push(b.key(j))
			}
			j++
		}
	}
	return r
}

func (o *order) drop() { *o = order{} }

func (o *order) len() (n int) {
	for i := range o.runs {
		n += len(o.runs[i].rows)
	}
	return n + len(o.tail.rows)
}

func (o *order) bytes() (n int64) {
	for i := range o.runs {
		n += int64(cap(o.runs[i].rows))*16 + int64(cap(o.runs[i].keys))
	}
	return n + int64(cap(o.tail.rows))*16 + int64(cap(o.tail.keys))
}

// bytesPrefix returns the first 8 bytes of b as a big-endian number, zeros after a shorter one.
func bytesPrefix(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var x [8]byte
	copy(x[:], b)
	return binary.BigEndian.Uint64(x[:])
}
