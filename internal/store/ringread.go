package store

import (
	"bytes"
	"slices"
)

// belowKey is where the database has the n-th window of a key. It lives until the next call.
func (r *ring[V]) belowKey(key []byte, n int64) []byte {
	r.tab.key = append(append(r.tab.key[:0], r.w.startPrefix(n*r.advance)...), key...)
	return r.tab.key
}

// miss answers for a key that has no row. What is found below gets one, if there is room.
func (r *ring[V]) miss(k *Key, n int64) (v V, at int64, ok bool, err error) {
	t := r.tab
	if t.scan != nil {
		t.adopt(false)
	}
	if !t.mayBelow(k.Hash) || n > r.newestBelow() {
		return v, 0, false, nil
	}
	if v, at, ok, err = r.fromBelow(k, n); !ok || err != nil {
		if err == nil {
			t.fruitless()
		}
		return v, 0, false, err
	}
	if !t.room(k) {
		return v, at, true, nil
	}
	e, i, had := r.add(k, n)
	if s := &e.slots[i]; had && n > s.at-r.cells {
		r.warm(s, n, v, at)
	}
	return v, at, true, nil
}

// load answers for a cell that only the database knows, and makes it known.
func (r *ring[V]) load(k *Key, s *slot[block], n int64) (v V, at int64, ok bool, err error) {
	if v, at, ok, err = r.fromBelow(k, n); err != nil {
		return v, 0, false, err
	}
	if ok {
		r.warm(s, n, v, at)
		return v, at, true, nil
	}
	o, j := r.cell(s.v, n)
	o.cold &^= 1 << j
	o.below &^= 1 << j
	return v, 0, false, nil
}

// warm gives a cold cell the value that it has below.
func (r *ring[V]) warm(s *slot[block], n int64, v V, at int64) {
	o, j := r.cell(s.v, n)
	o.fill(&r.live, 1<<j)
	o.cells[j] = cell[V]{at, v}
}

func (r *ring[V]) fromBelow(k *Key, n int64) (v V, at int64, ok bool, err error) {
	raw, c, err := r.w.env.DB.e.get(r.belowKey(k.Bytes, n))
	if err != nil || raw == nil {
		return v, 0, false, err
	}
	defer c.Close()
	v, at, err = decodeRow(r.w.serde, k.Bytes, raw)
	return v, at, err == nil, err
}

// state returns what a view sees of a row; hot is false if the answer is below.
func (r *ring[V]) state(committed bool, seg *segment[block], i uint64) (octs []octet[V], newest int64, hot bool) {
	s := &seg.slots[i]
	if committed && seg.groups[i/groupSlots].dirty>>(i%groupSlots)&1 != 0 {
		u := &r.tab.undo[s.mark]
		return r.shadowOf(s.mark), u.at, u.had
	}
	return r.octets.of(s.v), s.at, true
}

// within returns the n-th cell of a row; hot is false if the answer is below.
func (r *ring[V]) within(octs []octet[V], newest, n int64) (c *cell[V], hot, live bool) {
	if n > newest {
		return nil, true, false
	}
	i := uint(n) & uint(r.cells-1)
	o, j := &octs[i/octetCells], i%octetCells
	if n <= newest-r.cells || o.cold>>j&1 != 0 {
		return nil, false, false
	}
	return &o.cells[j], true, o.live>>j&1 != 0
}

// committedRow returns the committed n-th window of a key; ok is false if there is none. The value is a copy.
func (r *ring[V]) committedRow(key []byte, n int64) (row Row, ok bool, err error) {
	k := r.w.env.Hasher.Key(key)
	if e, i, found := r.tab.find(&k); found {
		if octs, newest, hot := r.state(true, e.seg, i); hot {
			if c, hot, live := r.within(octs, newest, n); live {
				return rowIn(r.w.serde, new([]byte), key, nil, c.v, c.at)
			} else if hot {
				return row, false, nil
			}
		}
	} else if !r.tab.mayBelow(k.Hash) {
		return row, false, nil
	}
	if r.w.env.DB == nil {
		return row, false, nil
	}
	return r.w.env.DB.rowBelow(r.belowKey(key, n), key)
}

// starts appends the starts in from..to of windows that the ring may have to dst.
func (r *ring[V]) starts(dst []int64, from, to int64) []int64 {
	if r.tab.rows == 0 && r.tab.complete {
		return dst
	}
	for n := (max(from, 0) + r.advance - 1) / r.advance; n*r.advance <= to; n++ {
		dst = append(dst, n*r.advance)
	}
	return dst
}

// ringView reads the windows of one start after the other, in the order of keys. It sees the ring as it was when it began.
type ringView[V any] struct {
	r     *ring[V]
	rows  *view[block]
	runs  []runCursor // as they were at the beginning
	below reader      // nil: nothing
	first []byte
	upper []byte
	saved map[string]savedRow[V]
	n     int64 // the window at hand
	found *cell[V]
}

// savedRow is a row before it changed or left.
type savedRow[V any] struct {
	octets []octet[V]
	newest int64
	hot    bool // else the answer is below
}

// open begins a view of the keys first ≤ key < upper, nil: open. below must stay as it is until its rows are closed, which
// must follow.
func (r *ring[V]) open(below reader, first, upper []byte, committed bool) *ringView[V] {
	w := &ringView[V]{r: r, below: below, first: first, upper: upper, saved: map[string]savedRow[V]{}}
	w.rows = r.tab.open(nil, first, upper, false, committed)
	w.rows.inside = w
	w.rows.lead += r.tab.lead
	w.runs = w.rows.runs
	return w
}

// aim makes it read the n-th windows.
func (w *ringView[V]) aim(n int64) error {
	v := w.rows
	if v.it != nil {
		if err := v.it.Close(); err != nil {
			return err
		}
		v.it = nil
	}
	w.n = n
	v.runs, v.from = slices.Clone(w.runs), w.below
	prefix := w.r.w.startPrefix(n * w.r.advance)
	v.lower = append(bytes.Clone(prefix), w.first...)
	if v.upper = successor(prefix); w.upper != nil {
		v.upper = append(prefix, w.upper...)
	}
	return nil
}

func (w *ringView[V]) save(key []byte, seg *segment[block], i uint64, had bool) {
	if _, ok := w.saved[string(key)]; ok {
		return
	}
	var s savedRow[V]
	if had {
		var octs []octet[V]
		octs, s.newest, s.hot = w.r.state(w.rows.committed, seg, i)
		s.octets = slices.Clone(octs)
	}
	w.saved[string(key)] = s
}

func (w *ringView[V]) look(key []byte) (hot, live bool) {
	s, ok := w.saved[string(key)]
	if !ok {
		k := w.r.w.env.Hasher.Key(key)
		e, i, found := w.r.tab.find(&k)
		if !found {
			return false, false
		}
		s.octets, s.newest, s.hot = w.r.state(w.rows.committed, e.seg, i)
	}
	if !s.hot {
		return false, false
	}
	w.found, hot, live = w.r.within(s.octets, s.newest, w.n)
	return hot, live
}

// ringStart is the part of a view that has one start's windows. The parts are read one after the other.
type ringStart[V any] struct {
	view  *ringView[V]
	n     int64
	aimed bool
}

func (w *ringStart[V]) next() (key, raw []byte, s rowState[V], err error) {
	if !w.aimed {
		if err := w.view.aim(w.n); err != nil {
			return nil, nil, s, err
		}
		w.aimed = true
	}
	key, raw, inside, err := w.view.rows.next()
	if key == nil || raw != nil || err != nil {
		return key, raw, s, err
	}
	return key, nil, rowState[V]{inside.hot, inside.live, w.view.found.at, w.view.found.v}, nil
}

// close does nothing: the next part goes on with the view.
func (w *ringStart[V]) close() error { return nil }
