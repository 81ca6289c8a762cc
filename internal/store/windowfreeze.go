package store

import (
	"bytes"
	"slices"
)

// BeginCheckpoint freezes the rows that changed since the last checkpoint, of all windows.
func (w *Window[V]) BeginCheckpoint() *Checkpoint {
	pending, _ := w.Pending()
	var dropped []byte
	if w.env.DB != nil && w.ended.dropped > w.below.dropped {
		dropped = w.startPrefix(w.ended.dropped)
	}
	c := w.begin(w, pending, dropped)
	if c == nil {
		return nil
	}
	if w.ring != nil {
		w.ring.parts = map[int64]*part{}
	}
	for _, start := range w.starts {
		t := w.tables[start]
		if t.pending == 0 {
			continue
		}
		w.frozen = append(w.frozen, t)
		t.freeze(w.part(start))
		w.maxBelow = max(w.maxBelow, min(start, w.settled))
	}
	if w.ring != nil {
		w.ring.freeze()
	}
	return c
}

// part is what the checkpoint under way writes of a start.
func (w *Window[V]) part(start int64) *part {
	if w.ring != nil {
		if p := w.ring.parts[start]; p != nil {
			return p
		}
	}
	p := &part{prefix: w.startPrefix(start)}
	if w.ring != nil {
		w.ring.parts[start] = p
	}
	w.ck.parts = append(w.ck.parts, p)
	return p
}

func (w *Window[V]) encodeFrozen(rows int) bool {
	if w.ring != nil && w.ring.tab.part != nil {
		n, done := w.ring.tab.encodeFrozen(max(1, rows/int(w.ring.cells)))
		if rows -= n * int(w.ring.cells); !done || rows <= 0 {
			return false
		}
	}
	for _, t := range w.frozen {
		if t.part == nil {
			continue
		}
		n, done := t.encodeFrozen(rows)
		if rows -= n; !done || rows <= 0 {
			return false
		}
	}
	slices.SortFunc(w.ck.parts, func(a, b *part) int { return bytes.Compare(a.prefix, b.prefix) })
	return true
}

func (w *Window[V]) finish(c *Checkpoint, below bool) {
	for _, t := range w.frozen {
		t.thaw(below)
		t.settle()
	}
	if w.ring != nil {
		w.ring.melt(below)
	}
	clear(w.frozen)
	w.frozen = w.frozen[:0]
	if below {
		w.below = c.state
	}
	w.ck = nil
	w.relieve()
	w.pool.settle()
}

// Pending returns the rows and bytes the next checkpoint would write.
func (w *Window[V]) Pending() (rows int, bytes int64) {
	for _, t := range w.tables {
		r, b := t.unwritten()
		rows, bytes = rows+r, bytes+b
	}
	if w.ring != nil {
		r, b := w.ring.unwritten()
		rows, bytes = rows+r, bytes+b
	}
	return rows, bytes
}
