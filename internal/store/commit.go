package store

import (
	"fmt"
	"math/bits"
)

// flush appends the last value of each dirty row to w and returns how many records that made.
func (t *table[V]) flush(w Changelog) (records int, err error) {
	for _, seg := range t.lists[listDirty] {
		for gi := range seg.groups {
			dirty := seg.groups[gi].dirty
			if dirty == 0 {
				continue
			}
			at := seg.slots[gi*groupSlots:]
			for rest := dirty; rest != 0; rest &= rest - 1 { // the loads are independent: their misses overlap
				t.sink ^= at[bits.TrailingZeros64(rest)].lo
			}
			for rest := dirty; rest != 0; rest &= rest - 1 {
				logged, err := t.log(w, seg, &at[bits.TrailingZeros64(rest)])
				if err != nil {
					return records, err
				}
				if logged {
					records++
				}
			}
		}
	}
	return records, nil
}

// log appends one row to w, if it must. A live row whose serde writes null becomes a tombstone.
func (t *table[V]) log(w Changelog, seg *segment[V], s *slot[V]) (logged bool, err error) {
	var value []byte
	if s.flags&flagLive != 0 {
		if value, err = t.encode(s.v); err != nil {
			return false, fmt.Errorf("store: encode the value of key %q: %w", t.appendKey(nil, s), err)
		}
		if value == nil {
			t.bury(seg, s)
		} else {
			t.meanValue += (float64(len(value)) - t.meanValue) / 256
		}
	}
	if value == nil && s.flags&flagBelow == 0 {
		if u := &t.undo[s.mark]; !u.live {
			return false, nil // it was not there before and is not there now
		}
	}
	t.key = append(t.appendKey(t.key[:0], s), t.suffix...)
	return true, w.Append(s.at, t.key, value)
}
