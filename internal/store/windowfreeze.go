package store

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
	for _, start := range w.starts {
		t := w.tables[start]
		if t.pending == 0 {
			continue
		}
		p := &part{prefix: t.prefix}
		c.parts = append(c.parts, p)
		w.frozen = append(w.frozen, t)
		t.freeze(p)
		w.maxBelow = max(w.maxBelow, start)
	}
	return c
}

func (w *Window[V]) encodeFrozen(rows int) bool {
	for _, t := range w.frozen {
		if t.part == nil {
			continue
		}
		n, done := t.encodeFrozen(rows)
		if rows -= n; !done || rows <= 0 {
			return false
		}
	}
	return true
}

func (w *Window[V]) finish(c *Checkpoint, below bool) {
	for _, t := range w.frozen {
		t.thaw(below)
		t.settle()
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
	return rows, bytes
}
