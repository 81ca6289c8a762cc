package store

import "fmt"

// replay applies a committed changelog record; inside is false if the ring has moved on over it.
func (r *ring[V]) replay(k *Key, n int64, rec Logged) (inside bool, err error) {
	t := r.tab
	var v V
	live := rec.Value != nil
	if live {
		if v, err = r.w.serde.Decode(rec.Value); err != nil {
			return true, fmt.Errorf("store: decode the changelog's value of key %q: %w", rec.Key, err)
		}
	}
	e, i, had := t.find(k)
	switch {
	case had:
	case len(k.Bytes) >= keyMax:
		if live {
			err = errKeyLong(k)
		}
		return true, err
	case live || t.mayBelow(k.Hash):
		e, i, _ = r.add(k, n)
	default:
		return true, nil
	}
	s := &e.slots[i]
	if n <= s.at-r.cells {
		return false, nil
	}
	t.overwrite(e.seg, i, s)
	if n > s.at {
		r.moveOn(k, s, n, true)
	}
	o, j := r.cell(s.v, n)
	bit := uint8(1) << j
	if !live && (o.live|o.cold|o.below)&bit == 0 {
		return true, nil
	}
	r.advanceCell(o, bit)
	if live {
		o.fill(&r.live, bit)
	} else {
		o.bury(&r.live, j)
	}
	o.cells[j] = cell[V]{rec.Time, v}
	return true, nil
}
