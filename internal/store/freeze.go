package store

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// freeze turns the current generation into the frozen one, to be encoded into p. Of rows that an open transaction has
// changed, the committed value is encoded at once, and they stay in the current generation.
func (t *table[V]) freeze(p *part) {
	t.part = p
	if t.inner == nil {
		p.rows = make([]partRow, 0, t.pending)
	}
	t.cur = 1 - t.cur
	t.pending = 0
	for _, seg := range t.lists[listDirty] {
		for gi := range seg.groups {
			for rest := seg.groups[gi].dirty; rest != 0; rest &= rest - 1 {
				n := bits.TrailingZeros64(rest)
				i := uint64(gi*groupSlots + n)
				g := &seg.groups[gi]
				if g.gen[1-t.cur]>>n&1 != 0 {
					t.copyOut(seg, i)
				}
				t.advance(seg, g, 1<<n, &seg.slots[i])
			}
		}
	}
}

// encodeFrozen encodes about so many frozen rows and reports whether that was all.
func (t *table[V]) encodeFrozen(rows int) (encoded int, done bool) {
	frozen := &t.lists[listGen0+1-t.cur]
	if t.part.at == len(*frozen) {
		return 0, true
	}
	for t.part.at < len(*frozen) && encoded < rows {
		seg := (*frozen)[t.part.at]
		for gi := range seg.groups {
			for rest := seg.groups[gi].gen[1-t.cur]; rest != 0; rest &= rest - 1 {
				t.copyOut(seg, uint64(gi*groupSlots+bits.TrailingZeros64(rest)))
				encoded++
			}
		}
		t.part.at++
	}
	if done = t.part.at == len(*frozen); done {
		t.checkEncoded(*frozen)
	}
	return encoded, done
}

// checkEncoded panics if a frozen row is left: the checkpoint would stand for a commit of which it lacks a row.
func (t *table[V]) checkEncoded(frozen []*segment[V]) {
	for _, seg := range frozen {
		for gi := range seg.groups {
			if left := seg.groups[gi].gen[1-t.cur]; left != 0 {
				panic(fmt.Sprintf("store: the checkpoint of %x has passed %d rows that it has not encoded", t.prefix, bits.OnesCount64(left)))
			}
		}
	}
}

// copyOut encodes a frozen row, with its committed value, and puts it in flight.
func (t *table[V]) copyOut(seg *segment[V], i uint64) {
	if t.inner != nil {
		t.inner.copyOut(seg, i)
		return
	}
	s := &seg.slots[i]
	g, b := &seg.groups[i/groupSlots], uint64(1)<<(i%groupSlots)
	g.gen[1-t.cur] &^= b
	at, v, live := s.at, s.v, s.flags&flagLive != 0
	if g.dirty&b != 0 {
		u := &t.undo[s.mark]
		if !u.had {
			return
		}
		at, v, live = u.at, u.v, u.live
	}
	if !live && s.flags&flagBelow == 0 {
		return
	}
	g.flight |= b
	t.list(seg, listFlight)
	s.flags |= flagBelow
	t.key = t.appendKey(t.key[:0], s)
	if !live {
		t.part.add(t.key, nil)
		return
	}
	value, err := t.serde.Append(binary.BigEndian.AppendUint64(t.value[:0], uint64(at)), v)
	if err != nil && t.part.err == nil {
		t.part.err = fmt.Errorf("store: encode the value of key %q: %w", t.key, err)
	}
	if value != nil {
		t.value = value
	}
	t.part.add(t.key, value)
}

// thaw ends a checkpoint. If its rows are below they are clean now, else they return to the current generation.
func (t *table[V]) thaw(below bool) {
	frozen := 1 - t.cur
	if t.inner != nil {
		t.inner.thaw(below)
	}
	if below {
		for _, seg := range t.lists[listFlight] {
			if seg.dead {
				seg.dead = t.reapBelow(seg)
			}
			for gi := range seg.groups {
				seg.groups[gi].flight = 0
			}
		}
	} else {
		t.refreeze(frozen)
	}
	t.unlist(listFlight)
	t.unlist(listGen0 + frozen)
	t.part = nil
	t.order.drop()
}

// reapBelow removes the tombstones of seg whose deletion has reached the database, and reports whether others are left.
func (t *table[V]) reapBelow(seg *segment[V]) (left bool) {
	t.reap(seg, listFlight, func(s *slot[V], g *group, b uint64) bool {
		return s.flags&flagLive == 0 && (g.dirty|g.gen[t.cur])&b == 0
	})
	for i := range seg.slots {
		if f := seg.slots[i].flags; f != 0 && f&flagLive == 0 {
			return true
		}
	}
	return false
}

// refreeze returns the frozen rows to the current generation. The list has the segments of those in flight too, until
// the end of the checkpoint.
func (t *table[V]) refreeze(frozen int) {
	for _, seg := range t.lists[listGen0+frozen] {
		for gi := range seg.groups {
			g := &seg.groups[gi]
			more := (g.flight | g.gen[frozen]) &^ g.gen[t.cur]
			g.gen[t.cur] |= more
			g.flight, g.gen[frozen] = 0, 0
			t.pending += bits.OnesCount64(more)
		}
		t.list(seg, listGen0+t.cur)
	}
}
