package store

import "math/bits"

// undoRow is the committed state of a dirty row.
type undoRow[V any] struct {
	at   int64
	v    V
	had  bool // the table had a row; else the committed one, if any, is below
	live bool
}

// touch comes before every change of a row: the first of a transaction keeps the committed value, and a row that the
// checkpoint under way has yet to encode is encoded as it is.
func (t *table[V]) touch(seg *segment[V], i uint64, s *slot[V], had bool) {
	if t.views != nil || seg.groups[i/groupSlots].dirty>>(i%groupSlots)&1 == 0 {
		t.mark(seg, i, s, had) // apart, so that a row's further changes take no call
	}
}

func (t *table[V]) mark(seg *segment[V], i uint64, s *slot[V], had bool) {
	g, b := &seg.groups[i/groupSlots], uint64(1)<<(i%groupSlots)
	if t.views != nil {
		t.keep(seg, i, had)
	}
	if g.dirty&b != 0 {
		return
	}
	if g.gen[1-t.cur]&b != 0 {
		t.copyOut(seg, i)
	}
	s.mark = uint32(len(t.undo))
	t.undo = append(t.undo, undoRow[V]{at: s.at, v: s.v, had: had, live: s.flags&flagLive != 0})
	g.dirty |= b
	t.list(seg, listDirty)
	t.advance(seg, g, b, s)
}

// advance puts a row into the current generation.
func (t *table[V]) advance(seg *segment[V], g *group, b uint64, s *slot[V]) {
	if g.gen[t.cur]&b != 0 {
		return
	}
	g.gen[t.cur] |= b
	t.pending++
	t.list(seg, listGen0+t.cur)
	if t.order.on {
		t.addKey(s)
	}
}

// ended makes the changes since the last commit committed.
func (t *table[V]) ended() {
	if len(t.undo) == 0 {
		return
	}
	if t.views != nil {
		t.keepDirty()
	}
	for _, seg := range t.lists[listDirty] {
		if seg.dead {
			t.reap(seg, listDirty, unwanted[V])
		}
		for i := range seg.groups {
			seg.groups[i].dirty = 0
		}
	}
	t.settled = max(t.live, 0)
	t.live = t.settled
	t.forget()
}

// unwanted reports a tombstone that no tier needs.
func unwanted[V any](s *slot[V], g *group, b uint64) bool {
	return s.flags&(flagLive|flagBelow) == 0 && (g.gen[0]&g.gen[1]|g.flight)&b == 0
}

// abort takes back the changes since the last commit.
func (t *table[V]) abort() {
	if len(t.undo) == 0 {
		return
	}
	for _, seg := range t.lists[listDirty] {
		left := false
		for gi := range seg.groups {
			for rest := seg.groups[gi].dirty; rest != 0; rest &= rest - 1 {
				i := uint64(gi*groupSlots + bits.TrailingZeros64(rest))
				if t.views != nil {
					t.keep(seg, i, true)
				}
				left = !t.restore(seg, &seg.slots[i]) || left
			}
		}
		if left {
			t.reap(seg, listDirty, func(s *slot[V], _ *group, _ uint64) bool { return s.flags&flagGone != 0 })
		}
		for i := range seg.groups {
			seg.groups[i].dirty = 0
		}
	}
	t.live = t.settled
	t.forget()
}

// restore gives a row its committed state; false: it had none here.
func (t *table[V]) restore(seg *segment[V], s *slot[V]) bool {
	u := &t.undo[s.mark]
	if !u.had {
		s.flags |= flagGone
		return false
	}
	if t.inner != nil {
		t.inner.restore(s)
	}
	s.at, s.v = u.at, u.v
	if s.flags &^= flagLive; u.live {
		s.flags |= flagLive
	} else {
		seg.dead = true
	}
	return true
}

// forget empties the undo list. One that was unusually long is let go.
func (t *table[V]) forget() {
	t.unlist(listDirty)
	if n := len(t.undo); cap(t.undo) > 1<<12 && n < cap(t.undo)/16 {
		t.undo = nil
	} else {
		clear(t.undo)
		t.undo = t.undo[:0]
	}
}

// reap removes the rows of seg on a list (by the bits that list stands for) that gone reports.
//
// A removal moves rows from higher places to lower ones, but never below the gap, and wrapped rows only to places
// above it: so one walk in ascending order, which looks again at a place it has emptied, sees them all.
func (t *table[V]) reap(seg *segment[V], l int, gone func(*slot[V], *group, uint64) bool) {
	for gi := range seg.groups {
		for seen := uint64(0); ; {
			g := &seg.groups[gi]
			rest := g.on(l) &^ seen
			if rest == 0 {
				break
			}
			n := bits.TrailingZeros64(rest)
			b := uint64(1) << n
			i := uint64(gi*groupSlots + n)
			if gone(&seg.slots[i], g, b) {
				if t.views != nil {
					t.keep(seg, i, true)
				}
				t.remove(seg, i)
				continue
			}
			seen |= b | (b - 1)
		}
	}
}

// on returns the bits that a list stands for.
func (g *group) on(l int) uint64 {
	switch l {
	case listDirty:
		return g.dirty
	case listFlight:
		return g.flight
	}
	return g.gen[l-listGen0]
}
