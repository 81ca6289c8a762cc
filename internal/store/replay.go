package store

import "fmt"

// replay applies a committed changelog record: the row is clean of the commit but not yet below.
func (t *table[V]) replay(k Key, r Logged) error {
	if len(r.Value) == 0 && r.Value == nil {
		return t.replayDelete(&k, r.Time)
	}
	v, err := t.serde.Decode(r.Value)
	if err != nil {
		return fmt.Errorf("store: decode the changelog's value of key %q: %w", r.Key, err)
	}
	return t.replayPut(&k, v, r.Time)
}

// replayPut makes v the committed value of k.
func (t *table[V]) replayPut(k *Key, v V, at int64) error {
	e, i, had := t.find(k)
	if !had {
		if len(k.Bytes) >= keyMax {
			return errKeyLong(k)
		}
		e, i = t.insert(k)
		if t.mayBelow(k.Hash) {
			e.slots[i].flags |= flagBelow
			t.live--
		}
	}
	s := &e.slots[i]
	t.overwrite(e.seg, i, s)
	if s.flags&flagLive == 0 {
		s.flags |= flagLive
		t.live++
	}
	s.v, s.at = v, at
	return nil
}

// sweepNext buries the rows of one segment for which expired reports true, outside of transactions: the changelog
// forgets them by itself, the next checkpoint removes what is below. Each call takes the next segment.
func (t *table[V]) sweepNext(expired func(v V) bool) {
	seg := t.dir[t.swept%uint64(len(t.dir))].seg
	t.swept++
	for i := 0; i < len(seg.slots); {
		s := &seg.slots[i]
		if s.flags&flagLive == 0 || !expired(s.v) {
			i++
			continue
		}
		t.overwrite(seg, uint64(i), s)
		t.bury(seg, s)
		if g, b := &seg.groups[i/groupSlots], uint64(1)<<(i%groupSlots); unwanted(s, g, b) {
			t.remove(seg, uint64(i)) // another row may have taken the place
			continue
		}
		i++
	}
	t.settled = max(t.live, 0)
}

func (t *table[V]) replayDelete(k *Key, at int64) error {
	e, i, had := t.find(k)
	if !had {
		if !t.mayBelow(k.Hash) || len(k.Bytes) >= keyMax {
			return nil
		}
		e, i = t.insert(k)
		e.slots[i].flags |= flagBelow
		t.live--
	}
	s := &e.slots[i]
	t.overwrite(e.seg, i, s)
	t.bury(e.seg, s)
	s.at = at
	if g, b := &e.seg.groups[i/groupSlots], uint64(1)<<(i%groupSlots); unwanted(s, g, b) {
		t.remove(e.seg, i)
	}
	return nil
}

// overwrite is touch for rows that are committed as they are written.
func (t *table[V]) overwrite(seg *segment[V], i uint64, s *slot[V]) {
	if t.views != nil {
		t.keep(seg, i, true)
	}
	g, b := &seg.groups[i/groupSlots], uint64(1)<<(i%groupSlots)
	if g.gen[1-t.cur]&b != 0 {
		t.copyOut(seg, i)
	}
	t.advance(seg, g, b, s)
}

// reset makes the table empty, with nothing below.
func (t *table[V]) reset() {
	t.adopt(true)
	t.keepAll()
	t.drop()
	t.start()
	t.complete, t.filter, t.absent = true, nil, 0
	t.live, t.settled = 0, 0
}

// drop gives the table's memory back. Only start makes it usable again.
func (t *table[V]) drop() {
	t.segments(func(seg *segment[V]) bool {
		t.pool.give(seg.slots)
		seg.slots = nil
		return true
	})
	for l := range lists {
		t.lists[l] = nil
	}
	t.undo, t.pending, t.arena, t.dir, t.segs, t.rows = nil, 0, arena{}, nil, 0, 0
	t.filter = nil
	t.order.drop()
	t.pool.tables -= t.held
	t.held = 0
}

// spill writes replayed rows below when memory is short. Of maps and windows what is below then is ahead of the position it
// stands for, which is sound: the rest of the replay, or a second one from that position, ends in the same rows.
func spill[V any](s Store, p *pool[V]) error {
	if p.account.budget == nil || !p.account.budget.short(p.account.held) {
		return nil
	}
	c := s.BeginCheckpoint()
	if c == nil {
		return nil
	}
	for !c.Encode(1 << 20) {
	}
	err := c.Write()
	c.Finish(err)
	return err
}
