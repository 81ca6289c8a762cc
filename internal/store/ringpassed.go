package store

import "unsafe"

// passed are windows that a ring has moved on over in the open transaction, and that the database has yet to get: they are
// the rows of their starts' tables once it is committed, and the ring's own again if it is not.
type passed[V any] struct {
	rows []passedRow[V]
	keys []byte
}

type passedRow[V any] struct {
	n        int64
	off, len uint32 // of the key
	cell     cell[V]
	live     bool
	below    bool
}

func (p *passed[V]) add(key []byte, row passedRow[V]) {
	row.off, row.len = uint32(len(p.keys)), uint32(len(key))
	p.keys = append(p.keys, key...)
	p.rows = append(p.rows, row)
}

func (p *passed[V]) bytes() int64 {
	return int64(cap(p.keys)) + int64(cap(p.rows))*int64(unsafe.Sizeof(passedRow[V]{}))
}

func (p *passed[V]) forget() {
	clear(p.rows)
	p.rows, p.keys = p.rows[:0], p.keys[:0]
}

// settlePassed makes what was passed committed rows of their starts' tables.
func (r *ring[V]) settlePassed() {
	for i := range r.passed.rows {
		p := &r.passed.rows[i]
		k := r.w.env.Hasher.Key(r.passed.keys[p.off : p.off+p.len])
		r.settleRow(&k, p)
	}
	r.passed.forget()
}

// settleRow makes a window of k a committed row of its start's table, unless that has a newer one.
func (r *ring[V]) settleRow(k *Key, p *passedRow[V]) {
	start := p.n * r.advance
	if start < r.w.floor(r.w.observed) {
		return
	}
	t := r.w.asideOf(start)
	if _, _, newer := t.find(k); newer {
		return
	}
	// No error: the key was not too long for the ring.
	if p.live {
		_ = t.replayPut(k, p.cell.v, p.cell.at)
	} else if p.below {
		_ = t.replayDelete(k, p.cell.at)
	}
	t.settle()
}

// moveAside makes a window of k, which the open transaction has changed, a changed row of its start's table. wasLive: it
// had a value as of the last commit, which is the ring's if that is taken back.
func (r *ring[V]) moveAside(k *Key, p *passedRow[V], wasLive bool) {
	if !p.live && !p.below && !wasLive {
		return
	}
	t := r.w.asideOf(p.n * r.advance)
	e, i, had := t.find(k)
	if !had {
		e, i = t.insert(k)
		if r.w.env.DB != nil {
			e.slots[i].flags |= flagBelow // the checkpoint under way may be about to write it, too
		}
	}
	s := &e.slots[i]
	t.touch(e.seg, i, s, had)
	if !had {
		t.undo[s.mark].live = wasLive
	}
	if p.live && s.flags&flagLive == 0 {
		s.flags |= flagLive
		t.live++
	} else if !p.live {
		t.bury(e.seg, s)
	}
	s.v, s.at = p.cell.v, p.cell.at
	r.w.note(t)
}

// asideOf returns the table of a start whose windows are the ring's unless the ring has moved on. It is for writes: only
// what nobody can see is in it.
func (w *Window[V]) asideOf(start int64) *table[V] {
	if w.last != nil && w.lastStart == start {
		return w.last
	}
	t := w.tables[start]
	if t == nil {
		t = w.addTable(start, false)
	}
	w.last, w.lastStart = t, start
	return t
}
