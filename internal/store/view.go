package store

import (
	"bytes"
	"errors"
	"math/bits"
	"slices"
)

// view is an ordered read under way. It sees the table as it was when it began: a row that changes, or leaves, is kept
// first.
type view[V any] struct {
	tab       *table[V]
	committed bool // rows as of the last commit, else as they are
	saved     map[string]rowState[V]
	runs      []runCursor
	from      reader // what is below, as it was when the view began; nil: nothing
	lower     []byte // bounds below
	upper     []byte
	it        cursor // comes with the first row
	down      bool
	closed    bool
	inside    inside[V] // of a table whose rows have an inside; nil: rows are as they look
	lead      int       // bytes of a key below before that of its row
	key       []byte    // scratch
	value     []byte    // scratch
}

// inside is a view of rows with an inside: see ring.
type inside[V any] interface {
	save(key []byte, seg *segment[V], i uint64, had bool)
	look(key []byte) (hot, live bool)
}

// rowState is what the hot table says of a key.
type rowState[V any] struct {
	hot  bool // it has a row; else the answer is below
	live bool
	at   int64
	v    V
}

// runCursor walks a part of a run, in the direction of its view.
type runCursor struct {
	run    run
	at, to int // ascending: at < to; descending: at ≥ to
}

var errClosed = errors.New("store: closed during a read")

// state returns what a view sees of the row at i.
func (t *table[V]) state(committed bool, seg *segment[V], i uint64) rowState[V] {
	s := &seg.slots[i]
	if committed && seg.groups[i/groupSlots].dirty>>(i%groupSlots)&1 != 0 {
		u := &t.undo[s.mark]
		return rowState[V]{u.had, u.live, u.at, u.v}
	}
	return rowState[V]{true, s.flags&flagLive != 0, s.at, s.v}
}

// keep saves a row for the views before it changes or leaves. had: the table had the row already.
func (t *table[V]) keep(seg *segment[V], i uint64, had bool) {
	for _, w := range t.views {
		w.key = t.appendKey(w.key[:0], &seg.slots[i])
		if w.inside != nil {
			w.inside.save(w.key, seg, i, had)
			continue
		}
		if _, ok := w.saved[string(w.key)]; ok {
			continue
		}
		var s rowState[V]
		if had {
			s = t.state(w.committed, seg, i)
		}
		w.saved[string(w.key)] = s
	}
}

// keepDirty saves all dirty rows, which are about to be committed.
func (t *table[V]) keepDirty() {
	for _, seg := range t.lists[listDirty] {
		for gi := range seg.groups {
			for rest := seg.groups[gi].dirty; rest != 0; rest &= rest - 1 {
				t.keep(seg, uint64(gi*groupSlots+bits.TrailingZeros64(rest)), true)
			}
		}
	}
}

// keepAll saves every row: the table is about to go.
func (t *table[V]) keepAll() {
	if t.views == nil {
		return
	}
	t.segments(func(seg *segment[V]) bool {
		for i := range seg.slots {
			if seg.slots[i].flags != 0 {
				t.keep(seg, uint64(i), true)
			}
		}
		return true
	})
}

// open begins a view of the keys from ≤ key < to, nil: open. below must stay as it is until the first row has been
// read. close must follow.
func (t *table[V]) open(below reader, from, to []byte, down, committed bool) *view[V] {
	w := &view[V]{tab: t, committed: committed, down: down, from: below, saved: map[string]rowState[V]{}, key: make([]byte, 0, 32), lead: len(t.prefix)}
	for _, r := range t.sorted() {
		lo, hi := r.search(from), len(r.rows)
		if to != nil {
			hi = r.search(to)
		}
		if lo >= hi {
			continue
		}
		c := runCursor{r, lo, hi}
		if down {
			c.at, c.to = hi-1, lo
		}
		w.runs = append(w.runs, c)
	}
	w.lower = append(slices.Clone(t.prefix), from...)
	if w.upper = successor(t.prefix); to != nil {
		w.upper = append(slices.Clone(t.prefix), to...)
	}
	t.views = append(t.views, w)
	return w
}

// begin opens the iterator over what is below.
func (w *view[V]) begin() (err error) {
	if w.it, err = w.from.cursor(w.lower, w.upper); err != nil {
		return err
	}
	w.from = nil
	if w.down {
		w.it.Last()
	} else {
		w.it.First()
	}
	return nil
}

// close ends the view.
func (w *view[V]) close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	i := slices.Index(w.tab.views, w)
	w.tab.views = slices.Delete(w.tab.views, i, i+1)
	if len(w.tab.views) == 0 {
		w.tab.views = nil
	}
	if w.it == nil {
		return nil
	}
	return w.it.Close()
}

// closeViews ends the views that are still open.
func (t *table[V]) closeViews() (err error) {
	for len(t.views) > 0 {
		err = errors.Join(err, t.views[0].close())
	}
	return err
}

// next returns the next row. raw is its value below (time(8) | value), nil: it is in s. key and raw live until the
// next call; a nil key ends the view.
func (w *view[V]) next() (key, raw []byte, s rowState[V], err error) {
	for {
		if w.closed {
			return nil, nil, s, errClosed
		}
		if w.from != nil {
			if err := w.begin(); err != nil {
				return nil, nil, s, err
			}
		}
		hot := w.hotKey()
		var below []byte
		if w.it != nil && w.it.Valid() {
			below = w.it.Key()[w.lead:]
		} else if w.it != nil && w.it.Error() != nil {
			return nil, nil, s, w.it.Error()
		}
		if hot == nil && below == nil {
			return nil, nil, s, nil
		}
		c := w.compare(hot, below)
		if c <= 0 {
			w.key = append(w.key[:0], hot...)
			w.skip(hot)
			s = w.look(w.key)
		}
		if c > 0 || c == 0 && !s.hot {
			value, err := w.it.ValueAndErr()
			if err != nil {
				return nil, nil, s, err
			}
			key, raw = append(w.key[:0], below...), append(make([]byte, 0, len(value)), value...)
			w.key = key
			w.step()
			return key, raw, s, nil
		}
		if c == 0 {
			w.step()
		}
		if s.hot && s.live {
			return w.key, nil, s, nil
		}
	}
}

// compare orders the two heads in the view's direction; a missing one comes last.
func (w *view[V]) compare(hot, below []byte) int {
	switch {
	case below == nil:
		return -1
	case hot == nil:
		return 1
	case w.down:
		return bytes.Compare(below, hot)
	}
	return bytes.Compare(hot, below)
}

func (w *view[V]) step() {
	if w.down {
		w.it.Prev()
	} else {
		w.it.Next()
	}
}

// hotKey returns the next key of the runs, nil if there is none.
func (w *view[V]) hotKey() (best []byte) {
	for i := range w.runs {
		c := &w.runs[i]
		if !c.valid(w.down) {
			continue
		}
		k := c.run.key(c.at)
		if best == nil || w.down == (bytes.Compare(k, best) > 0) {
			best = k
		}
	}
	return best
}

func (c *runCursor) valid(down bool) bool {
	if down {
		return c.at >= c.to
	}
	return c.at < c.to
}

// skip moves the runs past k, which is their next key.
func (w *view[V]) skip(k []byte) {
	for i := range w.runs {
		c := &w.runs[i]
		for c.valid(w.down) && bytes.Equal(c.run.key(c.at), k) {
			if w.down {
				c.at--
			} else {
				c.at++
			}
		}
	}
}

// look returns what the hot table said of a key when the view began.
func (w *view[V]) look(key []byte) (s rowState[V]) {
	if w.inside != nil {
		s.hot, s.live = w.inside.look(key)
		return s
	}
	if s, ok := w.saved[string(key)]; ok {
		return s
	}
	if len(w.tab.dir) == 0 {
		return rowState[V]{} // the table has gone; its rows were saved
	}
	k := w.tab.env.Hasher.Key(key)
	e, i, ok := w.tab.find(&k)
	if !ok {
		return rowState[V]{}
	}
	return w.tab.state(w.committed, e.seg, i)
}
