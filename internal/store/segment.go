package store

import (
	"math/bits"

	"github.com/thalweg/thalweg/internal/hashed"
)

const (
	segmentSlots = 1024 // of a segment that has grown up; it splits when 7/8 full
	firstSlots   = 16   // the only segment of a table grows from here
	groupSlots   = 64   // slots that share a word of each bitmap

	longKey = 255     // the length in a slot of a key that lives in the arena, where its two words do not do
	keyMax  = 1 << 24 // bytes of a key, exclusive
)

// Flags of a slot. A slot with none is empty.
const (
	flagUsed  = 1 << iota
	flagLive  // the row exists; else it is a tombstone kept for changelog and database
	flagBelow // the database may hold the key
	flagRef   // one of the two bits of the clock, which count
	flagRef2
	flagGone // to be removed by the sweep under way

	refMask = flagRef | flagRef2
)

// slot is one row: 32 bytes and the value.
type slot[V any] struct {
	lo, hi uint64 // see Key; of a long key hi is its place in the arena
	klen   uint8
	flags  uint8
	mark   uint32 // of a dirty row: its place on the undo list
	at     int64
	v      V
}

// group holds the bits of 64 slots beside each other, half a cache line.
type group struct {
	dirty  uint64    // changed since the commit
	gen    [2]uint64 // to be checkpointed: the current generation, and the frozen one
	flight uint64    // encoded by the checkpoint under way
}

// busy is the rows that differ from the database, or may.
func (g *group) busy() uint64 { return g.dirty | g.gen[0] | g.gen[1] | g.flight }

// segment is a part of a table: open addressing with linear probing from the hash's low bits.
type segment[V any] struct {
	slots  []slot[V]
	groups [segmentSlots / groupSlots]group
	count  int
	prefix uint64 // the top depth bits of its rows' hashes
	depth  uint8
	dead   bool    // may hold rows that are not live
	hand   uint16  // of the clock
	listed [4]bool // on the table's lists: dirty, generations, flight
}

// Lists of segments that may have bits.
const (
	listDirty = iota
	listGen0
	listGen1
	listFlight
	lists
)

// entry is one place of the directory: the slots beside the segment save a load on the way to a row.
type entry[V any] struct {
	slots []slot[V]
	seg   *segment[V]
}

// home returns the place of the directory that a hash leads to. In two shifts, each of less than 64 bits, it takes none
// of the instructions that make a longer one zero.
func (t *table[V]) home(hash uint64) *entry[V] { return &t.dir[hash>>1>>(t.shift&63)] }

// depth is how many bits of a hash the directory tells apart.
func (t *table[V]) depth() uint8 { return 63 - t.shift }

func full(slots int) int { return slots / 8 * 7 }

// find returns the place of k, or the empty slot where its probe ended.
func (t *table[V]) find(k *Key) (e *entry[V], i uint64, ok bool) {
	e = t.home(k.Hash)
	if len(k.Bytes) > hashed.Inline {
		i, ok = t.findLong(e, k)
		return e, i, ok
	}
	slots, n := e.slots, uint8(len(k.Bytes))
	mask := uint64(len(slots) - 1)
	// Which of the first two slots it is, if it is one of them, is hard to foretell, so that it is chosen without a branch.
	i = k.Hash & mask
	j := (i + 1) & mask
	a, b := &slots[i], &slots[j]
	x := (a.lo ^ k.Lo) | (a.hi ^ k.Hi) | uint64(a.klen^n)
	y := (b.lo ^ k.Lo) | (b.hi ^ k.Hi) | uint64(b.klen^n)
	if x != 0 {
		i = j
	}
	if x != 0 {
		x = y
	}
	if x == 0 && n != 0 { // an empty slot is like the key of no bytes
		return e, i, true
	}
	for i = k.Hash & mask; ; i = (i + 1) & mask {
		s := &slots[i]
		if s.lo == k.Lo && s.hi == k.Hi && s.klen == n && s.flags != 0 {
			return e, i, true
		}
		if s.flags == 0 {
			return e, i, false
		}
	}
}

func (t *table[V]) findLong(e *entry[V], k *Key) (i uint64, ok bool) {
	mask := uint64(len(e.slots) - 1)
	for i = k.Hash & mask; ; i = (i + 1) & mask {
		s := &e.slots[i]
		if s.flags == 0 {
			return i, false
		}
		if s.klen == longKey && s.lo == k.Lo && string(t.arena.get(s.hi)) == string(k.Bytes) {
			return i, true
		}
	}
}

// hashOf returns the hash of a row.
func (t *table[V]) hashOf(s *slot[V]) uint64 {
	if s.klen == longKey {
		return s.lo
	}
	return t.env.Hasher.OfWords(s.lo, s.hi, s.klen)
}

// appendKey appends the key of a row.
func (t *table[V]) appendKey(dst []byte, s *slot[V]) []byte {
	if s.klen == longKey {
		return append(dst, t.arena.get(s.hi)...)
	}
	return hashed.AppendWords(dst, s.lo, s.hi, s.klen)
}

// insert makes a row for k, which is absent, without value or bits. Every slot may move.
func (t *table[V]) insert(k *Key) (*entry[V], uint64) {
	e := t.home(k.Hash)
	for e.seg.count >= full(len(e.slots)) {
		t.makeRoom(e.seg)
		e = t.home(k.Hash)
	}
	mask := uint64(len(e.slots) - 1)
	i := k.Hash & mask
	for e.slots[i].flags != 0 {
		i = (i + 1) & mask
	}
	s := &e.slots[i]
	if len(k.Bytes) > hashed.Inline {
		s.lo, s.hi, s.klen = k.Lo, t.arena.put(k.Bytes), longKey
	} else {
		s.lo, s.hi, s.klen = k.Lo, k.Hi, uint8(len(k.Bytes))
	}
	s.flags = flagUsed
	e.seg.count++
	t.rows++
	return e, i
}

// makeRoom lets seg take one row more: by eviction where memory is short, else by growing or splitting it.
func (t *table[V]) makeRoom(seg *segment[V]) {
	if len(seg.slots) < t.pool.slots {
		t.grow(seg)
		return
	}
	if t.short() && t.evict(seg) {
		return
	}
	t.split(seg)
}

// grow moves the rows of the table's only segment to more slots.
func (t *table[V]) grow(seg *segment[V]) {
	was, bits := seg.slots, seg.groups
	seg.slots = t.pool.take(len(was) * 4)
	seg.groups = [len(seg.groups)]group{}
	seg.count = 0
	for i := range was {
		if was[i].flags != 0 {
			t.place(seg, &was[i], bits[i/groupSlots], uint(i%groupSlots))
		}
	}
	t.pool.give(was)
	t.enter(seg)
}

// split moves half of the rows of a grown segment to a new one.
func (t *table[V]) split(seg *segment[V]) {
	if int(seg.depth) == bits.Len(uint(len(t.dir)))-1 {
		t.double()
	}
	was, bits := seg.slots, seg.groups
	seg.slots, seg.groups = t.pool.take(t.pool.slots), [len(seg.groups)]group{}
	seg.depth++
	seg.prefix <<= 1
	other := &segment[V]{slots: t.pool.take(t.pool.slots), depth: seg.depth, prefix: seg.prefix | 1, dead: seg.dead}
	seg.count = 0
	for i := range was {
		s := &was[i]
		if s.flags == 0 {
			continue
		}
		to := seg
		if t.hashOf(s)>>(64-seg.depth)&1 == 1 {
			to = other
		}
		t.place(to, s, bits[i/groupSlots], uint(i%groupSlots))
	}
	t.pool.give(was)
	for l := range lists {
		if seg.listed[l] {
			t.list(other, l)
		}
	}
	t.segs++
	t.enter(seg)
	t.enter(other)
	t.settle()
}

// place puts a row with its bits into seg, which has room.
func (t *table[V]) place(seg *segment[V], s *slot[V], from group, bit uint) {
	mask := uint64(len(seg.slots) - 1)
	i := t.hashOf(s) & mask
	for seg.slots[i].flags != 0 {
		i = (i + 1) & mask
	}
	seg.slots[i] = *s
	seg.count++
	setBits(seg, i, from, bit)
}

// setBits gives slot i the bits that slot bit of from has.
func setBits[V any](seg *segment[V], i uint64, from group, bit uint) {
	g, b := &seg.groups[i/groupSlots], uint64(1)<<(i%groupSlots)
	g.dirty = g.dirty&^b | b*(from.dirty>>bit&1)
	g.gen[0] = g.gen[0]&^b | b*(from.gen[0]>>bit&1)
	g.gen[1] = g.gen[1]&^b | b*(from.gen[1]>>bit&1)
	g.flight = g.flight&^b | b*(from.flight>>bit&1)
}

// double makes the directory twice as large.
func (t *table[V]) double() {
	dir := make([]entry[V], 2*len(t.dir))
	for i := range dir {
		dir[i] = t.dir[i/2]
	}
	t.dir = dir
	t.shift--
}

// enter writes seg into its places of the directory.
func (t *table[V]) enter(seg *segment[V]) {
	depth := t.depth()
	first := seg.prefix << (depth - seg.depth)
	for i := first; i < first+1<<(depth-seg.depth); i++ {
		t.dir[i] = entry[V]{seg.slots, seg}
	}
}

// remove takes the row at i out of seg and closes the gap, so that other rows of the segment may move to lower places.
func (t *table[V]) remove(seg *segment[V], i uint64) {
	s := &seg.slots[i]
	if s.klen == longKey {
		t.arena.drop(s.hi)
	}
	if t.inner != nil {
		t.inner.left(s.v)
	}
	g, b := &seg.groups[i/groupSlots], uint64(1)<<(i%groupSlots)
	if g.gen[t.cur]&b != 0 {
		t.pending--
	}
	mask := uint64(len(seg.slots) - 1)
	for j := (i + 1) & mask; seg.slots[j].flags != 0; j = (j + 1) & mask {
		home := t.hashOf(&seg.slots[j]) & mask
		if (j-home)&mask >= (j-i)&mask {
			seg.slots[i] = seg.slots[j]
			setBits(seg, i, seg.groups[j/groupSlots], uint(j%groupSlots))
			i = j
		}
	}
	seg.slots[i] = slot[V]{}
	setBits(seg, i, group{}, 0)
	seg.count--
	t.rows--
}

// list puts seg on a list, once.
func (t *table[V]) list(seg *segment[V], l int) {
	if !seg.listed[l] {
		seg.listed[l] = true
		t.lists[l] = append(t.lists[l], seg)
	}
}

// unlist empties a list.
func (t *table[V]) unlist(l int) {
	for _, seg := range t.lists[l] {
		seg.listed[l] = false
	}
	clear(t.lists[l])
	t.lists[l] = t.lists[l][:0]
}

// segments visits each segment once.
func (t *table[V]) segments(visit func(*segment[V]) bool) {
	depth := t.depth()
	for i := uint64(0); i < uint64(len(t.dir)); {
		seg := t.dir[i].seg
		step := uint64(1) << (depth - seg.depth)
		i += step
		if !visit(seg) {
			return
		}
	}
}
