package model

import (
	"cmp"
	"slices"
)

// around are the windows of a key that start within from..to, ascending.
func (a *windowAgg) around(key string, from, to int64) (ws []windowRow) {
	for _, w := range a.windows[key] {
		if w.start >= from && w.start <= to {
			ws = append(ws, w)
		}
	}
	slices.SortFunc(ws, func(x, y windowRow) int { return cmp.Compare(x.start, y.start) })
	return ws
}

func (a *windowAgg) has(key string, start int64) bool { _, ok := a.windows[key][start]; return ok }

// slideInto takes a record into a window of base, unless it has closed.
func (a *windowAgg) slideInto(e event, start int64, base opt, baseTime int64, old opt) {
	if a.late(start + a.span.size) {
		return
	}
	at := e.time
	if base.OK {
		at = max(at, baseTime)
	}
	a.write(e, start, at, a.add(base, e.val), old)
}

// slide takes in a record at t ≥ D: SEMANTICS 3.4.1.
func (a *windowAgg) slide(e event) {
	d, t := a.span.size, e.time
	prev := int64(-1)
	var left, right opt
	rightTime, hasLeft, hasRight := int64(0), false, false
	ws := a.around(e.key, max(0, t-2*d), t+1)
	slices.Reverse(ws)
scan:
	for _, w := range ws {
		switch {
		case w.start == t+1:
			hasRight = true
		case w.end > t:
			if !right.OK {
				right, rightTime = some(w.v), w.at
			}
			a.slideInto(e, w.start, some(w.v), w.at, some(w.v))
		case w.end == t:
			hasLeft = true
			a.slideInto(e, w.start, some(w.v), w.at, some(w.v))
			if w.at >= t {
				return
			}
			prev = w.at // the window before may say otherwise: cog-sliding, recording 4
		default:
			left, prev = some(w.v), w.at
			break scan
		}
	}
	if prev >= 0 && !a.has(e.key, prev+1) && prev+1+d >= t {
		a.slideInto(e, prev+1, opt{}, 0, opt{})
	}
	if !hasLeft {
		base := opt{}
		if prev >= 0 && prev >= t-d {
			base = left
		}
		a.slideInto(e, t-d, base, t, opt{})
	}
	a.slideRight(e, hasRight, right, rightTime)
}

// slideRight makes the right window of a record, if some record is in it.
func (a *windowAgg) slideRight(e event, has bool, right opt, rightTime int64) {
	if !has && right.OK && rightTime > e.time {
		a.write(e, e.time+1, rightTime, right, opt{})
	}
}

// slideEarly takes in a record at t < D: SEMANTICS 3.4.2.
func (a *windowAgg) slideEarly(e event) {
	t, d := e.time, a.span.size
	prev := int64(-1)
	var combined, right opt
	combinedTime, rightTime, hasRight, hasPrev := int64(0), int64(0), false, false
	for _, w := range a.around(e.key, 0, t+1) {
		switch {
		case w.start == 0:
			combined, combinedTime = some(w.v), w.at
			if w.at < t {
				prev = w.at
			}
		case w.start <= t:
			right, rightTime = some(w.v), w.at
			a.slideInto(e, w.start, right, w.at, right)
		default:
			hasRight = true
		}
		hasPrev = hasPrev || prev >= 0 && w.start == prev+1
	}
	if !right.OK && combined.OK && combinedTime > t {
		right, rightTime = combined, combinedTime
	}
	a.slideRight(e, hasRight, right, rightTime)
	if prev >= 0 && !hasPrev && prev+1+d >= t {
		a.slideInto(e, prev+1, opt{}, 0, opt{})
	}
	if !combined.OK {
		a.slideInto(e, 0, opt{}, 0, opt{})
		return
	}
	a.slideInto(e, 0, combined, combinedTime, combined)
}
