package store

// short reports whether the table should evict rather than grow.
func (t *table[V]) short() bool {
	return t.env.DB != nil && t.segs >= t.env.DB.lim.floor && t.env.Budget.short(t.pool.account.held)
}

// evict sends the clock's hand through seg until an eighth of its rows have gone, and reports whether there is room
// for a row now. Rows with bits stay. What goes enters the filter of what is only below.
func (t *table[V]) evict(seg *segment[V]) bool {
	want := max(1, len(seg.slots)/8)
	mask := len(seg.slots) - 1
	for step := 0; step < 4*len(seg.slots) && want > 0; step++ {
		i := int(seg.hand) & mask
		s := &seg.slots[i]
		if s.flags == 0 || seg.groups[i/groupSlots].busy()>>(i%groupSlots)&1 != 0 {
			seg.hand++
			continue
		}
		if s.flags&refMask != 0 {
			s.flags -= flagRef
			seg.hand++
			continue
		}
		t.leave(s)
		if t.views != nil {
			t.keep(seg, uint64(i), true)
		}
		t.remove(seg, uint64(i)) // another row may have taken the place: the hand looks again
		want--
	}
	return seg.count < full(len(seg.slots))
}

// leave notes that a row is only below from now on.
func (t *table[V]) leave(s *slot[V]) {
	if t.complete {
		t.complete = false
		t.filter = newFilter(2 * t.rows)
	}
	if t.filter != nil {
		t.filter.add(t.hashOf(s))
	}
	if t.scan != nil {
		t.scan.since.add(t.hashOf(s))
	}
}

// mayBelow reports whether the database may hold a key that is not here.
func (t *table[V]) mayBelow(hash uint64) bool {
	return !t.complete && (t.filter == nil || t.filter.may(hash))
}
