package store

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// touch comes before every change of a row: the first of a transaction keeps its octets.
func (r *ring[V]) touch(seg *segment[block], i uint64, s *slot[block], had bool) {
	if r.tab.views != nil || seg.groups[i/groupSlots].dirty>>(i%groupSlots)&1 == 0 {
		r.keep(seg, i, s, had)
	}
}

func (r *ring[V]) keep(seg *segment[block], i uint64, s *slot[block], had bool) {
	t := r.tab
	n := len(t.undo)
	if t.mark(seg, i, s, had); len(t.undo) == n {
		return
	}
	now := r.octets.of(s.v)
	for j := range now {
		now[j].dirty = 0
	}
	r.shadow = append(r.shadow, now...)
}

// flush appends every cell that the transaction has changed to c. told: one of them is of the window that starts at newest.
func (r *ring[V]) flush(c Changelog, newest int64) (told bool, err error) {
	t := r.tab
	for _, seg := range t.lists[listDirty] {
		for gi := range seg.groups {
			dirty := seg.groups[gi].dirty
			if dirty == 0 {
				continue
			}
			at := seg.slots[gi*groupSlots:]
			for rest := dirty; rest != 0; rest &= rest - 1 { // the loads are independent: their misses overlap
				t.sink ^= uint64(r.octets.of(at[bits.TrailingZeros64(rest)].v)[0].dirty)
			}
			for rest := dirty; rest != 0; rest &= rest - 1 {
				said, err := r.flushRow(c, &at[bits.TrailingZeros64(rest)], newest)
				if told = told || said; err != nil {
					return told, err
				}
			}
		}
	}
	return told, nil
}

// flushRow appends the changed cells of one row.
func (r *ring[V]) flushRow(c Changelog, s *slot[block], newest int64) (told bool, err error) {
	t := r.tab
	t.key = t.appendKey(t.key[:0], s)
	size := len(t.key)
	octs := r.octets.of(s.v)
	for j := range octs {
		o := &octs[j]
		for rest := o.dirty; rest != 0; rest &= rest - 1 {
			i := bits.TrailingZeros8(rest)
			n := r.numberAt(s.at, j*octetCells+i)
			start := n * r.advance
			t.key = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(t.key[:size], uint64(start)), 0)
			logged, err := r.log(c, s, o, uint(i), n, size)
			if err != nil {
				return told, err
			}
			told = told || logged && start == newest
		}
	}
	return told, nil
}

// log appends one cell to c, if it must. The key is in the table's scratch, of so many bytes without the window. A cell whose
// serde writes null becomes a tombstone.
func (r *ring[V]) log(c Changelog, s *slot[block], o *octet[V], i uint, n int64, size int) (logged bool, err error) {
	var value []byte
	if o.live>>i&1 != 0 {
		if value, err = r.encode(bytesOf(&r.value), o.cells[i].v); err != nil {
			return false, fmt.Errorf("store: encode the value of key %q: %w", r.tab.key[:size], err)
		}
		if value == nil {
			o.bury(&r.live, i)
		}
	}
	if value == nil && o.below>>i&1 == 0 && !r.wasLive(s, n) {
		return false, nil // it was not there before and is not there now
	}
	return true, c.Append(o.cells[i].at, r.tab.key, value)
}

// encode appends the encoding of v to dst, which is the scratch's; nil: null.
func (r *ring[V]) encode(dst []byte, v V) ([]byte, error) {
	n := len(dst)
	b, err := r.w.serde.Append(dst, v)
	if err == nil && b != nil {
		r.value = b
		r.mean += (float64(len(b)-n) - r.mean) / 256
	}
	return b, err
}

// ended makes the changes since the last commit committed.
func (r *ring[V]) ended() {
	r.tab.ended()
	r.forget()
	r.settlePassed()
	r.sweep()
	r.compact()
	r.tab.relieve()
	r.settle()
}

// abort takes back the changes since the last commit.
func (r *ring[V]) abort() {
	r.tab.abort()
	r.forget()
	r.passed.forget()
	r.settle()
}

// restore gives a dirty row the octets that it had as of the last commit. Its table gives it the rest.
func (r *ring[V]) restore(s *slot[block]) {
	now := r.octets.of(s.v)
	r.count(now, -1)
	copy(now, r.shadowOf(s.mark))
	r.count(now, 1)
}

// count adds the cells of a row to the accounts, or takes them off.
func (r *ring[V]) count(octs []octet[V], sign int) {
	for j := range octs {
		r.live += int64(sign * bits.OnesCount8(octs[j].live))
		r.pending += sign * bits.OnesCount8(octs[j].gen[r.tab.cur])
	}
}

// left gives up the block of a row that has left the table.
func (r *ring[V]) left(b block) {
	r.count(r.octets.of(b), -1)
	r.octets.give(b)
}

// forget empties the shadow. One that was unusually long is let go.
func (r *ring[V]) forget() {
	r.dirty = 0
	if n := len(r.shadow); cap(r.shadow) > 1<<12 && n < cap(r.shadow)/16 {
		r.shadow = nil
	} else {
		if r.pointers {
			clear(r.shadow)
		}
		r.shadow = r.shadow[:0]
	}
}

// sweep removes the rows of one segment whose newest window nobody can see any more: of keys that do not come again.
func (r *ring[V]) sweep() {
	t := r.tab
	seg := t.dir[t.swept%uint64(len(t.dir))].seg
	t.swept++
	for i := uint64(0); i < uint64(len(seg.slots)); {
		s := &seg.slots[i]
		if s.flags == 0 || r.w.visible(s.at*r.advance, r.w.settled) || !r.idle(seg, i) {
			i++
			continue
		}
		if t.views != nil {
			t.keep(seg, i, true)
		}
		t.remove(seg, i) // another row may have taken the place
	}
}

// idle reports whether a row is below as it is, or needs not be.
func (r *ring[V]) idle(seg *segment[block], i uint64) bool {
	g, b := &seg.groups[i/groupSlots], uint64(1)<<(i%groupSlots)
	if r.w.env.DB == nil {
		return g.dirty&b == 0
	}
	return g.busy()&b == 0
}

// compact moves all blocks together once half of them are free. No row is dirty then: what undo has of a row is its block.
func (r *ring[V]) compact() {
	o := &r.octets
	if len(o.free)*o.per*2 < o.used || o.used <= chunkOctets {
		return
	}
	to := octets[V]{per: o.per}
	r.tab.segments(func(seg *segment[block]) bool {
		for i := range seg.slots {
			if s := &seg.slots[i]; s.flags != 0 {
				b := to.take()
				copy(to.of(b), o.of(s.v))
				s.v = b
			}
		}
		return true
	})
	*o = to
}

// settle brings the account up to date.
func (r *ring[V]) settle() {
	held := r.octets.bytes() + int64(cap(r.shadow))*octetBytes[V]() + r.passed.bytes()
	for _, p := range r.parts {
		held += p.bytes + int64(cap(p.rows))*16
	}
	if r.pointers {
		held += int64(float64(r.live) * r.mean * 1.5)
	}
	r.tab.pool.tables += held - r.held
	r.held = held
	r.tab.settle()
}

// changed returns the cells that the open transaction has changed, and the bytes that hang on them.
func (r *ring[V]) changed() (cells int, bytes int64) {
	rows, b := r.tab.dirty()
	return r.dirty, b + int64(rows*r.octets.per)*octetBytes[V]() + int64(float64(r.dirty)*r.mean)
}

// unwritten returns the cells of the current generation, and about what they will be in a checkpoint.
func (r *ring[V]) unwritten() (cells int, bytes int64) {
	return r.pending, int64(float64(r.pending) * (32 + r.tab.meanRow() + r.mean))
}

// reset forgets everything.
func (r *ring[V]) reset() {
	r.tab.reset()
	r.octets = octets[V]{per: r.octets.per}
	r.live, r.dirty, r.pending = 0, 0, 0
	r.shadow = nil
	r.passed.forget()
	r.settle()
}

// close ends its views and scans.
func (r *ring[V]) close() error {
	r.tab.adopt(true)
	err := r.tab.closeViews()
	r.tab.pool.account.set(0)
	return err
}
