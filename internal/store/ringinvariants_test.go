package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// checkRing checks the invariants of the package comment on every row and cell.
func checkRing[V any](r *ring[V]) (err error) {
	t := r.tab
	sums := ringSums{blocks: map[block]bool{}}
	t.segments(func(seg *segment[block]) bool {
		sums.segs++
		used := 0
		for i := range seg.slots {
			if seg.slots[i].flags == 0 {
				if seg.groups[i/groupSlots].busy()>>(i%groupSlots)&1 != 0 {
					err = fmt.Errorf("bits without a row")
				}
				continue
			}
			used++
			if e := checkRingRow(r, seg, uint64(i), &sums); e != nil {
				err = e
			}
		}
		if used != seg.count {
			err = fmt.Errorf("segment of %d rows says %d", used, seg.count)
		}
		sums.rows += used
		for _, g := range seg.groups {
			sums.pendingRows += bits.OnesCount64(g.gen[t.cur])
			if g.dirty&^g.gen[t.cur] != 0 || g.dirty&g.gen[1-t.cur] != 0 {
				err = fmt.Errorf("bits: %x", g)
			}
			if g.dirty != 0 && !seg.listed[listDirty] || g.gen[0] != 0 && !seg.listed[listGen0] ||
				g.gen[1] != 0 && !seg.listed[listGen1] || g.flight != 0 && !seg.listed[listFlight] {
				err = fmt.Errorf("bits %x, listed %v", g, seg.listed)
			}
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	if sums.segs != t.segs || sums.rows != t.rows || sums.pendingRows != t.pending || sums.live != r.live || sums.dirty != r.dirty || sums.pending != r.pending {
		return fmt.Errorf("%+v says %d segments, %d rows, %d pending; cells: %d live, %d dirty, %d pending", sums, t.segs, t.rows, t.pending, r.live, r.dirty, r.pending)
	}
	if len(r.shadow) != len(t.undo)*r.octets.per || (sums.rows+len(r.octets.free))*r.octets.per != r.octets.used {
		return fmt.Errorf("%d octets in the shadow of %d rows; %d rows, %d free blocks, %d octets used", len(r.shadow), len(t.undo), sums.rows, len(r.octets.free), r.octets.used)
	}
	if r.w.env.DB == nil {
		return nil
	}
	return checkBelowRing(r)
}

type ringSums struct {
	segs, rows, pendingRows, dirty, pending int
	live                                    int64
	blocks                                  map[block]bool
}

func checkRingRow[V any](r *ring[V], seg *segment[block], i uint64, sums *ringSums) error {
	t, s, g := r.tab, &seg.slots[i], seg.groups[i/groupSlots]
	bit := uint64(1) << (i % groupSlots)
	key := t.appendKey(nil, s)
	k := t.env.Hasher.Key(key)
	e, at, ok := t.find(&k)
	if !ok || e.seg != seg || at != i {
		return fmt.Errorf("row %q is not found in its place", key)
	}
	if sums.blocks[s.v] {
		return fmt.Errorf("row %q shares its block", key)
	}
	sums.blocks[s.v] = true
	if s.at >= 0 && (r.w.observed == noTime || s.at*r.advance > r.w.observed) {
		return fmt.Errorf("row %q has window %d, observed is %d", key, s.at, r.w.observed)
	}
	for j, o := range r.octets.of(s.v) {
		sums.live += int64(bits.OnesCount8(o.live))
		sums.pending += bits.OnesCount8(o.gen[t.cur])
		if g.dirty&bit != 0 {
			sums.dirty += bits.OnesCount8(o.dirty)
			if o.dirty&^o.gen[t.cur] != 0 {
				return fmt.Errorf("row %q: cells %b are dirty, %b of the generation", key, o.dirty, o.gen[t.cur])
			}
		}
		for l, mask := range []uint8{o.gen[0], o.gen[1], o.flight} {
			if row := []uint64{g.gen[0], g.gen[1], g.flight}[l]; mask != 0 && row&bit == 0 {
				return fmt.Errorf("row %q: cells %b have bit %d, the row has not", key, mask, l)
			}
		}
		if o.cold&(o.live|o.gen[0]|o.gen[1]|o.flight) != 0 || o.cold&^o.below != 0 {
			return fmt.Errorf("row %q: %+v", key, o)
		}
		for c := range octetCells {
			if err := checkCell(r, key, &o, c, r.numberAt(s.at, j*octetCells+c)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkCell checks that a cell without bits is as it is below.
func checkCell[V any](r *ring[V], key []byte, o *octet[V], c int, n int64) error {
	bit := uint8(1) << c
	if n < 0 || n*r.advance < r.w.floor(r.w.settled) {
		return nil
	}
	if (o.gen[0]|o.gen[1]|o.flight|o.cold)&bit != 0 {
		return nil
	}
	if r.w.env.DB == nil {
		if o.live&bit != 0 {
			return fmt.Errorf("window %d of %q has no bits: %+v", n, key, o)
		}
		return nil
	}
	raw, closer, err := r.w.env.DB.e.get(bytes.Clone(r.belowKey(key, n)))
	if err != nil {
		return err
	}
	if raw == nil {
		if o.live&bit != 0 {
			return fmt.Errorf("window %d of %q is clean and not below", n, key)
		}
		return nil
	}
	defer closer.Close()
	if o.below&bit == 0 && r.w.visible(n*r.advance, r.w.settled) {
		return fmt.Errorf("window %d of %q is below and its cell does not say so", n, key)
	}
	if o.live&bit == 0 {
		if r.w.visible(n*r.advance, r.w.settled) {
			return fmt.Errorf("window %d of %q is gone, and below", n, key)
		}
		return nil
	}
	want, err := r.w.serde.Append(binary.BigEndian.AppendUint64([]byte{}, uint64(o.cells[c].at)), o.cells[c].v)
	if err != nil || !bytes.Equal(raw, want) {
		return fmt.Errorf("window %d of %q is %q, below %q", n, key, want, raw)
	}
	return nil
}

// checkBelowRing checks that what is only below can be found there.
func checkBelowRing[V any](r *ring[V]) error {
	it, err := r.w.env.DB.iter(r.w.prefix())
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		start := startOf(it.Key())
		n, mine := r.number(start)
		if !mine || !r.w.visible(start, r.w.settled) {
			continue
		}
		if n > r.newestBelow() {
			return fmt.Errorf("window %d is below, said to be the newest is %d", n, r.newestBelow())
		}
		k := r.w.env.Hasher.Key(it.Key()[len(r.tab.prefix)+r.tab.lead:])
		e, i, hot := r.tab.find(&k)
		if !hot && !r.tab.mayBelow(k.Hash) {
			return fmt.Errorf("window %d of %q is below and nothing says so", n, k.Bytes)
		}
		if hot && n > e.slots[i].at {
			return fmt.Errorf("window %d of %q is below, its row ends at %d", n, k.Bytes, e.slots[i].at)
		}
	}
	return nil
}
