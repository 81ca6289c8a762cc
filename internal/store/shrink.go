package store

const relieveSegments = 32 // segments looked at between two commits while memory is short

// relieve gives memory back while the budget is exceeded and the store has more than its share: it evicts clean rows
// and joins segments that have become small.
func (t *table[V]) relieve() {
	b := t.env.Budget
	if !t.short() || b.Used() <= b.Limit() {
		return
	}
	for range min(relieveSegments, t.segs) {
		t.sweep = (t.sweep + 1) % uint64(len(t.dir))
		seg := t.dir[t.sweep].seg
		if seg.count > t.pool.slots/4 {
			t.evict(seg)
		}
		t.join(seg)
		t.pool.settle()
		if b.Used() <= b.Limit() {
			return
		}
	}
}

// join makes one segment of seg and the one it was split from, if both fit into it with room to spare.
func (t *table[V]) join(seg *segment[V]) {
	if seg.depth == 0 {
		return
	}
	buddy := t.dir[(seg.prefix^1)<<(t.depth()-seg.depth)].seg
	if buddy.depth != seg.depth || seg.count+buddy.count > t.pool.slots/8*5 {
		return
	}
	one, two := *seg, *buddy
	*seg = segment[V]{slots: t.pool.take(t.pool.slots), prefix: one.prefix >> 1, depth: one.depth - 1,
		dead: one.dead || two.dead, listed: one.listed}
	buddy.groups, buddy.slots, buddy.dead = [len(buddy.groups)]group{}, nil, false // the lists may hold it
	for _, from := range []*segment[V]{&one, &two} {
		for i := range from.slots {
			if from.slots[i].flags != 0 {
				t.place(seg, &from.slots[i], from.groups[i/groupSlots], uint(i%groupSlots))
			}
		}
		t.pool.give(from.slots)
	}
	if frozen := listGen0 + 1 - t.cur; two.listed[frozen] {
		seg.listed[frozen] = false // the checkpoint may have passed seg and not its buddy: it is to come to it once more
	}
	for l := range lists {
		if two.listed[l] {
			t.list(seg, l)
		}
	}
	t.segs--
	t.enter(seg)
}
