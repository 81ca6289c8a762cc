package store

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// freeze turns the current generation into the frozen one.
func (r *ring[V]) freeze() {
	r.horizon = r.w.floor(r.w.settled)
	r.w.maxBelow = max(r.w.maxBelow, r.w.settled)
	r.pending = 0
	r.tab.freeze(&part{})
}

// melt ends a checkpoint.
func (r *ring[V]) melt(below bool) {
	r.tab.thaw(below)
	r.parts = nil
	r.tab.relieve()
	r.settle()
}

// copyOut encodes the frozen cells of a row, with their committed values, and puts them in flight.
func (r *ring[V]) copyOut(seg *segment[block], i uint64) {
	t := r.tab
	s := &seg.slots[i]
	g, b := &seg.groups[i/groupSlots], uint64(1)<<(i%groupSlots)
	g.gen[1-t.cur] &^= b
	t.key = t.appendKey(t.key[:0], s)
	now := r.octets.of(s.v)
	out := false
	if g.dirty&b == 0 {
		for j := range now {
			out = r.encodeOctet(&now[j], s.at, j) != 0 || out
		}
	} else {
		u := &t.undo[s.mark]
		was := r.shadowOf(s.mark)
		for j := range was {
			stay := r.encodeOctet(&was[j], u.at, j)
			out = stay != 0 || out
			stay &= r.staying(u.at, s.at, j)
			o := &now[j]
			o.flight |= stay
			o.below |= stay
			o.gen[1-t.cur] = 0
			for rest := o.dirty; rest != 0; rest &= rest - 1 {
				r.advanceCell(o, rest&-rest)
			}
		}
	}
	if out {
		g.flight |= b
		t.list(seg, listFlight)
	}
}

// staying returns the cells of an octet that have the same windows in a row whose newest was was and is now.
func (r *ring[V]) staying(was, now int64, j int) (mask uint8) {
	for i := range octetCells {
		if r.numberAt(was, j*octetCells+i) > now-r.cells {
			mask |= 1 << i
		}
	}
	return mask
}

// encodeOctet encodes the frozen cells of octet j of the row whose key is in the table's scratch, and returns which.
func (r *ring[V]) encodeOctet(o *octet[V], newest int64, j int) (encoded uint8) {
	frozen := &o.gen[1-r.tab.cur]
	for rest := *frozen; rest != 0; rest &= rest - 1 {
		i, bit := bits.TrailingZeros8(rest), rest&-rest
		start := r.numberAt(newest, j*octetCells+i) * r.advance
		if start < r.horizon || (o.live|o.below)&bit == 0 {
			continue
		}
		encoded |= bit
		p := r.w.part(start)
		if o.live&bit == 0 {
			p.add(r.tab.key, nil)
			continue
		}
		c := &o.cells[i]
		value, err := r.encode(binary.BigEndian.AppendUint64(bytesOf(&r.value), uint64(c.at)), c.v)
		if err != nil && p.err == nil {
			p.err = fmt.Errorf("store: encode the value of key %q: %w", r.tab.key, err)
		}
		p.add(r.tab.key, value)
	}
	*frozen = 0
	o.flight |= encoded
	o.below |= encoded
	return encoded
}

// thaw ends a checkpoint for the cells: if they are below they are clean now, else they return to the current generation.
func (r *ring[V]) thaw(below bool) {
	t := r.tab
	list := listFlight
	if !below {
		list = listGen0 + 1 - t.cur // it has the segments of those in flight, too
	}
	for _, seg := range t.lists[list] {
		for gi := range seg.groups {
			g := &seg.groups[gi]
			rows := g.flight
			if !below {
				rows |= g.gen[1-t.cur]
			}
			for rest := rows; rest != 0; rest &= rest - 1 {
				s := &seg.slots[gi*groupSlots+bits.TrailingZeros64(rest)]
				now := r.octets.of(s.v)
				r.count(now, -1)
				thawOctets(now, t.cur, below)
				r.count(now, 1)
				if g.dirty&rest&-rest != 0 {
					thawOctets(r.shadowOf(s.mark), t.cur, below)
				}
			}
		}
	}
}

func thawOctets[V any](octs []octet[V], cur int, below bool) {
	for j := range octs {
		o := &octs[j]
		if below {
			o.below &^= o.flight &^ (o.live | o.gen[cur]) // deleted there
		} else {
			o.gen[cur] |= o.flight | o.gen[1-cur]
			o.gen[1-cur] = 0
		}
		o.flight = 0
	}
}
