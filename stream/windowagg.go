package stream

import (
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/window"
)

// windowAgg is an aggregate by windows in one task.
type windowAgg[K, V, A any] struct {
	spanAgg[K, V, A]
	rows          store.Windows[A]
	w             window.Windows
	size, advance int64
	cells         []store.WindowEntry[A] // scratch: what closes, or what lies around the record at hand
	// Of sliding windows.
	null    func(*edge.Meta, V) bool
	noValue *int64
}

// receiver is the way in for the windows there are.
func (a *windowAgg[K, V, A]) receiver() edge.Emit[K, V] {
	if a.w.Slides() {
		return a.slideBy
	}
	return a.receive
}

// closeIdle has windows close while no record comes for so long.
func (a *windowAgg[K, V, A]) closeIdle(after time.Duration) {
	every := max(1, after.Milliseconds())
	reach := func(base int64) int64 {
		if a.w.Even() || a.w.Slides() {
			return a.size + a.grace + 1
		}
		_, end, _, err := a.w.Bounds(window.Instant(base))
		if err != nil {
			return 0 // the record has failed
		}
		return int64(end) - base + a.grace + 1
	}
	a.spanAgg.closeIdle(after, reach, func(base, s, t int64) bool {
		s, t = s-a.grace, t-a.grace
		switch {
		case a.w.Slides():
			return (s+a.grace-base)/every == (t+a.grace-base)/every
		case a.w.Even():
			return t < a.size || s >= a.size && (s-a.size)/a.advance == (t-a.size)/a.advance
		}
		s0, _, ok, err := a.w.Bounds(window.Instant(max(s, 0)))
		t0, _, ok2, err2 := a.w.Bounds(window.Instant(max(t, 0)))
		return err == nil && err2 == nil && ok == ok2 && s0 == t0
	}, a.close)
}

func (a *windowAgg[K, V, A]) receive(m *edge.Meta, k K, v V) error {
	if m.NoKey {
		*a.noKey++
		return nil
	}
	a.see(m.Time)
	own, err := a.keys.Key(m, k)
	if err != nil {
		return err
	}
	var key hashed.Key
	key.Set(own)
	at := m.Time
	was := m.Rekeyed(false)
	if a.closed != nil {
		// What closes is emitted first: the row that is written next may hide it in the store.
		err = a.close(m)
	}
	taken, late := 0, int64(0)
	if err == nil {
		taken, late, err = a.each(m, key, k, v, at)
	}
	m.Time = at
	m.Restore(was)
	switch {
	case err != nil:
		return err
	case taken == 0 && late > 0:
		return a.refuse(m, k, v, late)
	}
	*a.dropped += late
	return nil
}

// each updates the windows that hold at, ascending, and counts those that are closed.
func (a *windowAgg[K, V, A]) each(m *edge.Meta, key hashed.Key, k K, v V, at int64) (taken int, late int64, err error) {
	close := *a.observed - a.grace
	if !a.w.Even() {
		start, end, ok, err := a.w.Bounds(window.Instant(at))
		switch {
		case err != nil:
			return 0, 0, a.at.Failed(err)
		case !ok:
			return 0, 0, nil
		case !a.w.Endless() && int64(end) <= close:
			return 0, 1, nil
		}
		return 1, 0, a.update(m, key, k, v, int64(start), int64(end), at)
	}
	for start := int64(a.w.First(window.Instant(at))); start <= at; start += a.advance {
		end := int64(window.Instant(start).Plus(window.Instant(a.size)))
		if end <= close {
			late++
			continue
		}
		if err := a.update(m, key, k, v, start, end, at); err != nil {
			return taken, late, err
		}
		taken++
	}
	return taken, late, nil
}

// update takes the record into one window.
func (a *windowAgg[K, V, A]) update(m *edge.Meta, key hashed.Key, k K, v V, start, end, t int64) (err error) {
	var old serde.Opt[A]
	var was int64
	if old.Value, was, old.OK, err = a.rows.Get(key, start); err != nil {
		return err
	}
	if old.OK && was > t {
		t = was
	}
	return a.put(m, key, k, start, end, t, table.Change[A]{New: a.fold(k, v, old), Old: old})
}

// put writes the row of one window at t and passes the change on.
func (a *windowAgg[K, V, A]) put(m *edge.Meta, key hashed.Key, k K, start, end, t int64, c table.Change[A]) (err error) {
	if !a.sendOld {
		c.Old = serde.Opt[A]{}
	}
	if c.New.OK {
		err = a.rows.Put(key, start, c.New.Value, t)
	} else {
		err = a.rows.Delete(key, start, t)
	}
	if err != nil {
		return err
	}
	m.Time = t
	return a.next(m, window.Key[K]{Key: k, Start: window.Instant(start), End: window.Instant(end)}, c)
}

// close emits the windows that have closed since the last time, by start and then key bytes.
func (a *windowAgg[K, V, A]) close(m *edge.Meta) error {
	close := *a.observed - a.grace
	if !a.ready(close) {
		return nil
	}
	from, to, some := a.closing(close)
	if !some {
		return nil
	}
	cells, err := a.rows.Closing(a.cells[:0], from, to)
	if err != nil {
		return err
	}
	for _, e := range cells {
		if err := a.emit(m, e.Key, e.Start, a.rows.End(e.Start), e.Value, e.At); err != nil {
			return err
		}
	}
	clear(cells)
	a.cells = cells[:0]
	a.done(close)
	return nil
}

// closing returns the starts, both inclusive, of the windows that have closed since the last time; some is false if none
// can have.
func (a *windowAgg[K, V, A]) closing(close int64) (from, to int64, some bool) {
	switch {
	case a.w.Slides():
		if *a.emitted >= 0 {
			from = max(0, *a.emitted-a.size)
		}
		to = close - a.size - 1
		return from, to, to >= 0
	case a.w.Even():
		if *a.emitted >= 0 {
			from = max(0, *a.emitted-a.size) + 1
		}
		to = close - a.size
		return from, to, to >= 0 && !(from > 0 && a.same(from-1, to))
	}
	if close < 0 {
		return 0, 0, false
	}
	open, _, ok, err := a.w.Bounds(window.Instant(close)) // what starts before it has closed
	if !ok || err != nil {
		return 0, 0, false
	}
	if *a.emitted >= 0 {
		if s, _, ok, err := a.w.Bounds(window.Instant(*a.emitted)); ok && err == nil {
			from = int64(s)
		}
	}
	return from, int64(open) - 1, from < int64(open)
}

// same reports whether two instants lie in the same even windows.
func (a *windowAgg[K, V, A]) same(s, t int64) bool {
	return a.w.First(window.Instant(s)) == a.w.First(window.Instant(t)) && s/a.advance == t/a.advance
}
