package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// checkTable checks the invariants of the package comment on every row.
func checkTable[V any](t *table[V]) (err error) {
	rows, pending, dirty, segs := 0, 0, 0, 0
	t.segments(func(seg *segment[V]) bool {
		segs++
		used := 0
		for i := range seg.slots {
			s := &seg.slots[i]
			g := seg.groups[i/groupSlots]
			busy := g.busy()>>(i%groupSlots)&1 != 0
			if s.flags == 0 {
				if busy {
					err = fmt.Errorf("bits without a row")
				}
				continue
			}
			used++
			if e := checkRow(t, seg, uint64(i), busy); e != nil {
				err = e
			}
		}
		if used != seg.count {
			err = fmt.Errorf("segment of %d rows says %d", used, seg.count)
		}
		rows += used
		for _, g := range seg.groups {
			pending += bits.OnesCount64(g.gen[t.cur])
			dirty += bits.OnesCount64(g.dirty)
			if g.dirty&^g.gen[t.cur] != 0 || g.dirty&g.gen[1-t.cur] != 0 || g.flight&g.gen[1-t.cur] != 0 {
				err = fmt.Errorf("bits: %x", g)
			}
			if g.dirty != 0 && !seg.listed[listDirty] || g.gen[0] != 0 && !seg.listed[listGen0] ||
				g.gen[1] != 0 && !seg.listed[listGen1] || g.flight != 0 && !seg.listed[listFlight] {
				err = fmt.Errorf("bits %x, listed %v", g, seg.listed)
			}
		}
		return err == nil
	})
	if err == nil && (rows != t.rows || pending != t.pending || dirty != len(t.undo) || segs != t.segs) {
		return fmt.Errorf("rows %d says %d, pending %d says %d, dirty %d says %d, segments %d says %d", rows, t.rows, pending, t.pending, dirty, len(t.undo), segs, t.segs)
	}
	if err == nil && t.part != nil {
		err = checkFrozen(t)
	}
	if err == nil && t.env.DB != nil {
		err = checkBelow(t)
	}
	return err
}

// checkFrozen checks that the checkpoint under way will come to every frozen row.
func checkFrozen[V any](t *table[V]) (err error) {
	left := map[*segment[V]]bool{}
	for _, seg := range t.lists[listGen0+1-t.cur][t.part.at:] {
		left[seg] = true
	}
	t.segments(func(seg *segment[V]) bool {
		for _, g := range seg.groups {
			if g.gen[1-t.cur] != 0 && !left[seg] {
				err = fmt.Errorf("frozen rows %x in a segment that the checkpoint has passed", g.gen[1-t.cur])
			}
		}
		return err == nil
	})
	return err
}

// checkRow checks that a row is found, and that one without bits is below with the same value.
func checkRow[V any](t *table[V], seg *segment[V], i uint64, busy bool) error {
	s := &seg.slots[i]
	key := t.appendKey(nil, s)
	k := t.env.Hasher.Key(key)
	e, at, ok := t.find(&k)
	if !ok || e.seg != seg || at != i {
		return fmt.Errorf("row %q is not found in its place", key)
	}
	if s.flags&flagLive == 0 && !seg.dead {
		return fmt.Errorf("tombstone %q in a segment that says it has none", key)
	}
	if busy {
		return nil
	}
	if t.env.DB == nil || s.flags&flagLive == 0 {
		return fmt.Errorf("row %q has no bits, flags %b", key, s.flags)
	}
	raw, c, err := t.env.DB.e.get(append(bytes.Clone(t.prefix), key...))
	if err != nil || raw == nil {
		return fmt.Errorf("clean row %q is not below: %v", key, err)
	}
	defer c.Close()
	want, err := t.serde.Append(binary.BigEndian.AppendUint64([]byte{}, uint64(s.at)), s.v)
	if err != nil || !bytes.Equal(raw, want) {
		return fmt.Errorf("clean row %q is %q, below %q", key, want, raw)
	}
	return nil
}

// checkBelow checks that what is only below can be found there.
func checkBelow[V any](t *table[V]) error {
	it, err := t.env.DB.iter(t.prefix)
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		k := t.env.Hasher.Key(it.Key()[len(t.prefix):])
		e, i, hot := t.find(&k)
		if !hot && !t.mayBelow(k.Hash) {
			return fmt.Errorf("row %q is below and nothing says so", k.Bytes)
		}
		if hot && e.slots[i].flags&flagBelow == 0 {
			return fmt.Errorf("row %q is below and its slot does not say so", k.Bytes)
		}
	}
	return nil
}
