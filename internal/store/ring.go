package store

import (
	"math/bits"
	"reflect"
	"unsafe"
)

const (
	octetCells  = 8
	mostCells   = 64  // of a ring
	mostSizes   = 4   // that a ring is long: a key that comes once fills the cells of one
	chunkOctets = 128 // allocated at once
)

// ring keeps the windows of a hopping definition that overlap much: a row of its table is a key, which has a block of cells
// for its newest windows. The cell of the window that starts at n times the advance is the one at n modulo their number.
// The slot says in its time which n is the newest. A ring is as long as the retention: what is older than all of its cells cannot
// be seen.
//
// Rows have bits as in any table, which say where to look; what each cell is, the masks of its octet say. Rows of the tables of
// [Window] are windows that start between the multiples, and what the ring has moved on over, as far as changelog or database
// have yet to get it.
type ring[V any] struct {
	w       *Window[V]
	tab     *table[block]
	advance int64
	inverse uint64 // 2^64 / advance rounded up; 0: the advance is 1
	cells   int64  // a power of two
	octets  octets[V]
	// shadow has the octets of the dirty rows as of the last commit, in the order of the undo list.
	shadow  []octet[V]
	passed  passed[V]
	parts   map[int64]*part // of the checkpoint under way, by start
	horizon int64           // what starts before it is not written below any more

	live     int64 // cells with a value in memory
	dirty    int   // cells that the open transaction has changed
	pending  int   // cells of the current generation
	pointers bool
	mean     float64 // encoded bytes of a value, running
	held     int64
	value    []byte // scratch
}

// block is the first octet of a row.
type block uint32

// octet is eight cells beside each other, with a bit for each of them in every mask.
type octet[V any] struct {
	live   uint8    // it has a value; else it has none, or a tombstone
	below  uint8    // the database may hold it
	cold   uint8    // only the database knows it
	dirty  uint8    // the open transaction has changed it; stale unless the row is dirty
	gen    [2]uint8 // to be checkpointed: the current generation, and the frozen one
	flight uint8    // encoded by the checkpoint under way
	cells  [octetCells]cell[V]
}

type cell[V any] struct {
	at int64
	v  V
}

// octets is the memory of blocks.
type octets[V any] struct {
	per    int // octets of a block
	chunks [][]octet[V]
	free   []block
	used   int // octets that were given out once
}

func (o *octets[V]) take() block {
	if n := len(o.free); n > 0 {
		b := o.free[n-1]
		o.free = o.free[:n-1]
		return b
	}
	if o.used == len(o.chunks)*chunkOctets {
		o.chunks = append(o.chunks, make([]octet[V], chunkOctets))
	}
	b := block(o.used)
	o.used += o.per
	return b
}

func (o *octets[V]) give(b block) {
	clear(o.of(b))
	o.free = append(o.free, b)
}

func (o *octets[V]) of(b block) []octet[V] {
	i := int(b) % chunkOctets
	return o.chunks[b/chunkOctets][i : i+o.per : i+o.per]
}

func (o *octets[V]) bytes() int64 {
	return int64(len(o.chunks))*chunkOctets*octetBytes[V]() + int64(cap(o.free))*4
}

func octetBytes[V any]() int64 { return int64(unsafe.Sizeof(octet[V]{})) }

// Hop says that windows start at multiples of advance: if they overlap so much that it pays, the windows of a key are kept
// together. What starts elsewhere is kept, too, so that the advance may change at a restart. It comes before all else.
func (w *Window[V]) Hop(advance int64) {
	if advance < 1 || w.size <= 2*advance || w.retention > mostCells*advance || w.retention/mostSizes > w.size {
		return
	}
	n := int64(octetCells)
	for n*advance < w.retention {
		n *= 2
	}
	r := &ring[V]{w: w, advance: advance, cells: n, mean: 16, pointers: hasPointers(reflect.TypeFor[V]())}
	if advance > 1 {
		r.inverse, _ = bits.Div64(1, 0, uint64(advance))
		r.inverse++
	}
	r.octets.per = int(n / octetCells)
	r.tab = newTable(&w.env, nil, &pool[block]{})
	r.tab.pool.account.budget = w.env.Budget
	r.tab.inner = r
	r.tab.complete = w.allHot
	if w.env.DB != nil {
		r.tab.prefix, r.tab.lead = w.prefix(), 8
	}
	// A restore that did not come to its end has written ahead of what the database says it stands for.
	w.observed = max(w.observed, w.maxBelow)
	w.settled = w.observed
	w.ring = r
	w.env.Logger.Debug("store: the windows of a key lie together", "store", w.name, "cells", n)
}

// number returns which multiple of the advance a start is; false: it is none.
func (r *ring[V]) number(start int64) (n int64, ok bool) {
	if start < 0 {
		return 0, false
	}
	if r.inverse == 0 {
		return start, true
	}
	q, _ := bits.Mul64(uint64(start), r.inverse)
	return int64(q), int64(q)*r.advance == start
}

// cell returns the octet of a cell, and which one of it.
func (r *ring[V]) cell(b block, n int64) (o *octet[V], i uint) {
	i = uint(n) & uint(r.cells-1)
	return &r.octets.chunks[b/chunkOctets][uint(b)%chunkOctets+i/octetCells], i % octetCells
}

// numberAt returns the number that cell i of a row has.
func (r *ring[V]) numberAt(newest int64, i int) int64 {
	return newest - (newest-int64(i))&(r.cells-1)
}

// get returns the value of k in the n-th window, which can be seen.
func (r *ring[V]) get(k *Key, n int64) (v V, at int64, ok bool, err error) {
	e, i, found := r.tab.find(k)
	if !found {
		if r.tab.complete {
			return v, 0, false, nil
		}
		return r.miss(k, n)
	}
	s := &e.slots[i]
	if s.flags&refMask != refMask {
		s.flags += flagRef
	}
	if n > s.at || n <= s.at-r.cells {
		return v, 0, false, nil
	}
	o, j := r.cell(s.v, n)
	if o.live>>j&1 == 0 {
		if o.cold>>j&1 == 0 {
			return v, 0, false, nil
		}
		return r.load(k, s, n)
	}
	c := &o.cells[j]
	return c.v, c.at, true, nil
}

// put makes v the value of k in the n-th window; inside is false if the ring has moved on over it.
func (r *ring[V]) put(k *Key, n int64, v V, at int64) (inside bool, err error) {
	t := r.tab
	e, i, had := t.find(k)
	if !had {
		if len(k.Bytes) >= keyMax {
			return true, errKeyLong(k)
		}
		e, i, had = r.add(k, n)
	}
	s := &e.slots[i]
	if n <= s.at-r.cells {
		return false, nil
	}
	r.touch(e.seg, i, s, had)
	if n > s.at {
		r.moveOn(k, s, n, false)
	}
	o, j := r.cell(s.v, n)
	bit := uint8(1) << j
	if o.dirty&bit == 0 {
		r.mark(o, bit)
	}
	o.fill(&r.live, bit)
	c := &o.cells[j]
	c.v, c.at = v, at
	return true, nil
}

// delete makes k absent in the n-th window.
func (r *ring[V]) delete(k *Key, n int64, at int64) (inside bool) {
	t := r.tab
	e, i, had := t.find(k)
	if !had {
		if !t.mayBelow(k.Hash) || len(k.Bytes) >= keyMax {
			return true
		}
		e, i, _ = r.add(k, n)
	}
	s := &e.slots[i]
	if n > s.at {
		return true
	}
	if n <= s.at-r.cells {
		return false
	}
	o, j := r.cell(s.v, n)
	bit := uint8(1) << j
	if (o.live|o.cold)&bit == 0 {
		return true
	}
	r.touch(e.seg, i, s, true)
	r.mark(o, bit)
	o.bury(&r.live, j)
	o.cells[j].at = at
	return true
}

// fill notes that a cell has a value.
func (o *octet[V]) fill(live *int64, bit uint8) {
	if o.live&bit == 0 {
		*live++
		o.live |= bit
		o.cold &^= bit
	}
}

// bury makes cell j a tombstone.
func (o *octet[V]) bury(live *int64, j uint) {
	bit := uint8(1) << j
	if o.live&bit != 0 {
		*live--
	}
	o.live &^= bit
	o.cold &^= bit
	var zero V
	o.cells[j].v = zero
}

// add makes a row for a key that has none. If the key may be below it is a clean one that knows nothing; else its newest
// window is the n-th, and had is false.
func (r *ring[V]) add(k *Key, n int64) (e *entry[block], i uint64, had bool) {
	t := r.tab
	had = t.mayBelow(k.Hash)
	e, i = t.insert(k)
	s := &e.slots[i]
	s.flags |= flagLive
	chunks := len(r.octets.chunks)
	s.at, s.v = n, r.octets.take()
	if len(r.octets.chunks) > chunks {
		r.settle()
	}
	if had {
		s.flags |= flagBelow
		s.at = r.newestBelow()
		for m := max(0, s.at-r.cells+1); m <= s.at; m++ {
			o, j := r.cell(s.v, m)
			o.cold |= 1 << j
			o.below |= 1 << j
		}
	}
	return e, i, had
}

// newestBelow is the newest window that can be below. It is not newer than what the store has seen: so the windows before
// the ring of a row that comes from below cannot be seen either.
func (r *ring[V]) newestBelow() int64 {
	if r.w.maxBelow < 0 {
		return -1
	}
	return r.w.maxBelow / r.advance
}

// mark notes that the open transaction changes a cell, whose row has been touched.
func (r *ring[V]) mark(o *octet[V], bit uint8) {
	if o.dirty&bit == 0 {
		o.dirty |= bit
		r.dirty++
	}
	r.advanceCell(o, bit)
}

// advanceCell puts a cell into the current generation.
func (r *ring[V]) advanceCell(o *octet[V], bit uint8) {
	if g := &o.gen[r.tab.cur]; *g&bit == 0 {
		*g |= bit
		r.pending++
	}
}

// moveOn makes room for the n-th window, which is newer than all that the row has. replaying: what is left behind is
// committed.
func (r *ring[V]) moveOn(k *Key, s *slot[block], n int64, replaying bool) {
	for m := max(s.at+1, n-r.cells+1); m <= n; m++ {
		o, j := r.cell(s.v, m)
		r.pass(k, s, s.at-(s.at-m)&(r.cells-1), o, j, replaying)
		o.clear(j)
	}
	s.at = n
}

// clear makes cell j one that was never used.
func (o *octet[V]) clear(j uint) {
	keep := ^(uint8(1) << j)
	o.live &= keep
	o.below &= keep
	o.cold &= keep
	o.dirty &= keep
	o.gen[0] &= keep
	o.gen[1] &= keep
	o.flight &= keep
	o.cells[j] = cell[V]{}
}

// pass leaves cell j, the n-th window of k, behind: what the changelog or the database has yet to get goes to the table of
// its start.
func (r *ring[V]) pass(k *Key, s *slot[block], n int64, o *octet[V], j uint, replaying bool) {
	bit, c := uint8(1)<<j, &o.cells[j]
	if o.live&bit != 0 {
		r.live--
	}
	if o.gen[r.tab.cur]&bit != 0 {
		r.pending--
	}
	left := passedRow[V]{n: n, cell: *c, live: o.live&bit != 0, below: o.below&bit != 0}
	waiting := r.w.env.DB != nil && (o.gen[0]|o.gen[1]|o.flight)&bit != 0
	switch {
	case replaying && waiting:
		r.settleRow(k, &left)
	case replaying:
	case o.dirty&bit != 0:
		r.dirty--
		r.moveAside(k, &left, r.wasLive(s, n))
	case waiting:
		r.passed.add(k.Bytes, left)
	}
}

// wasLive reports whether a window of a dirty row had a value as of the last commit.
func (r *ring[V]) wasLive(s *slot[block], n int64) bool {
	if u := &r.tab.undo[s.mark]; !u.had || n > u.at || n <= u.at-r.cells {
		return false
	}
	i := uint(n) & uint(r.cells-1)
	return r.shadowOf(s.mark)[i/octetCells].live>>(i%octetCells)&1 != 0
}

// shadowOf returns the octets of a dirty row as of the last commit.
func (r *ring[V]) shadowOf(mark uint32) []octet[V] {
	i := int(mark) * r.octets.per
	return r.shadow[i : i+r.octets.per]
}
