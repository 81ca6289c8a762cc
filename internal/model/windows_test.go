package model

import (
	"cmp"
	"slices"
	"strconv"
)

// windowRow is the row of a key and window.
type windowRow struct {
	v       string
	at      int64 // the time of its latest record; of a session its end
	start   int64
	end     int64
	emitted bool // as final
}

// windowOp makes a table of windows.
func (m *machine) windowOp(x *operator, o op, name string, in *operator) {
	x.span = in.span
	switch o.kind {
	case "windowFilter":
		x.windowsMapped(in, func(e event, v opt) opt {
			if v.OK && keep(o.a, e.key, v) {
				return v
			}
			return opt{}
		})
	case "windowMap":
		x.windowsMapped(in, func(e event, v opt) opt {
			if !v.OK {
				return v
			}
			return some(windowMapped(e.key, e.start, v.Value))
		})
	case "final":
		x.out = in.closed()
		x.closed = in.closed
		x.final = true
		x.askOld = func(bool) bool { return true }
	case "windowSuppress":
		m.suppressWindows(x, o, in)
	default:
		m.windowAggregate(x, o, name, in)
	}
}

// windowsMapped maps or filters windows, and those that have closed. What a filter refuses is deleted, whether it was passed
// on or not: so it is in the recordings (win-tumbling-filter). What is final is passed on once, so there is nothing to delete.
func (x *operator) windowsMapped(in *operator, f func(e event, v opt) opt) {
	sendsOld := false
	x.final = in.final
	x.askOld = func(force bool) bool { sendsOld = in.askOld(force); return sendsOld }
	apply := func(e event, emit func(event)) {
		e.val = f(e, e.val)
		if e.old = f(e, e.old); !sendsOld {
			e.old = opt{}
		}
		if x.final && !e.val.OK {
			return
		}
		emit(e)
	}
	x.out = in.out.then(apply)
	var closed *node
	x.closed = func() *node {
		if closed == nil {
			closed = in.closed().then(func(e event, emit func(event)) {
				if e.val = f(e, e.val); e.val.OK {
					emit(e)
				}
			})
		}
		return closed
	}
}

// windowAgg is an aggregate by windows or sessions.
type windowAgg struct {
	*operator
	op       op
	time     int64
	sendsOld bool
	closing  *node // nil: nobody asks
	put      int64 // the latest end of a session ever put: what sees which sessions the store still shows
}

func (m *machine) windowAggregate(x *operator, o op, name string, in *operator) {
	x.span, x.out = o.span(), &node{}
	a := &windowAgg{operator: x, op: o, time: -1, put: -1}
	x.askOld = func(bool) bool { a.sendsOld = true; return true }
	x.closed = func() *node {
		if a.closing == nil {
			a.closing = &node{}
		}
		return a.closing
	}
	from, changed := in.out, in.rekeyed
	if o.aggregation() == "reduce" {
		from = from.then(func(e event, emit func(event)) {
			if e.val.OK {
				emit(e)
			}
		})
	}
	if o.groupsAnew() {
		from, changed = from.then(func(e event, emit func(event)) { emit(e.rekey(rekeyed(o.b, e.key, e.val))) }), true
	}
	from = m.keyedNode(from, changed, name)
	from.edges = append(from.edges, edge{recv: a.take, to: x.out})
}

// add is an aggregate with one more value.
func (a *windowAgg) add(agg, v opt) opt {
	switch n, _ := strconv.Atoi(agg.Value); {
	case a.op.aggregation() == "count":
		return some(strconv.Itoa(n + 1))
	case a.op.aggregation() == "reduce" && !agg.OK:
		return v
	}
	return some(added(agg.Or("0"), v))
}

// merge is a session's aggregate with another's.
func (a *windowAgg) merge(agg opt, found string) opt {
	switch a.op.aggregation() {
	case "count":
		n, _ := strconv.Atoi(agg.Value)
		k, _ := strconv.Atoi(found)
		return some(strconv.Itoa(n + k))
	case "reduce":
		if !agg.OK {
			return some(found)
		}
		return some(added(agg.Value, some(found)))
	}
	return some(merged(agg.Or("0"), found))
}

// close is before which windows have closed: SEMANTICS 3.3 to 3.5.
func (a *windowAgg) close() int64 {
	if a.span.kind == "session" {
		return a.time - a.span.grace - a.span.size
	}
	return a.time - a.span.grace
}

// late reports whether a window that ends there takes no more records.
func (a *windowAgg) late(end int64) bool {
	if a.span.kind == "sliding" || a.span.kind == "session" {
		return end < a.close()
	}
	return end <= a.close()
}

func (a *windowAgg) take(e event) {
	if e.noKey || a.span.kind == "sliding" && !e.val.OK {
		return
	}
	a.time = max(a.time, e.time)
	if a.span.kind == "sliding" && a.late(e.time+a.span.size) {
		return
	}
	a.finals(e)
	if a.windows[e.key] == nil {
		a.windows[e.key] = map[int64]windowRow{}
	}
	switch {
	case a.span.kind == "session":
		a.session(e)
	case a.span.kind == "sliding" && e.time < a.span.size:
		a.slideEarly(e)
	case a.span.kind == "sliding":
		a.slide(e)
	default:
		for start := int64(0); start <= e.time; start += a.span.advance {
			if end := start + a.span.size; end > e.time && !a.late(end) {
				a.update(e, start)
			}
		}
	}
}

// finals passes on what has closed, each window once, by time and then key: SEMANTICS 3.8 without its losses.
func (a *windowAgg) finals(e event) {
	if a.closing == nil {
		return
	}
	type due struct {
		key string
		windowRow
	}
	var all []due
	for k, rows := range a.windows {
		for start, w := range rows {
			if !w.emitted && a.late(w.end) {
				all = append(all, due{k, w})
				w.emitted = true
				rows[start] = w
			}
		}
	}
	slices.SortFunc(all, func(x, y due) int {
		first, second := cmp.Compare(x.start, y.start), 0
		if a.span.kind == "session" {
			first, second = cmp.Compare(x.end, y.end), first
		}
		return cmp.Or(first, second, cmp.Compare(x.key, y.key))
	})
	for _, w := range all {
		e := e
		e.key, e.start, e.end, e.time, e.val, e.old = w.key, w.start, w.end, w.at, some(w.v), opt{}
		a.closing.emit(e)
	}
}

// update takes a record into the window that starts there.
func (a *windowAgg) update(e event, start int64) {
	w, ok := a.windows[e.key][start]
	old := opt{Value: w.v, OK: ok}
	at := e.time
	if ok {
		at = max(at, w.at)
	}
	a.write(e, start, at, a.add(old, e.val), old)
}

func (a *windowAgg) write(e event, start, at int64, v, old opt) {
	w := windowRow{v: v.Value, at: at, start: start, end: start + a.span.size}
	a.windows[e.key][start] = w
	e.start, e.end, e.time = start, w.end, at
	if e.val, e.old = v, old; !a.sendsOld {
		e.old = opt{}
	}
	a.out.emit(e)
}

// session: SEMANTICS 3.5. Sessions are by their starts, which no two of a key share.
func (a *windowAgg) session(e event) {
	t, gap := e.time, a.span.size
	start, end, agg := t, t, opt{}
	var found []windowRow
	for _, w := range a.windows[e.key] {
		if w.end >= t-gap && w.start <= t+gap && w.end >= a.put-a.op.retention() {
			found = append(found, w)
		}
	}
	slices.SortFunc(found, func(x, y windowRow) int { return cmp.Compare(x.end, y.end) })
	for _, w := range found {
		start, end = min(start, w.start), max(end, w.end)
		agg = a.merge(agg, w.v)
	}
	if a.late(end) {
		return
	}
	e.headers = ""
	value := e.val
	if start != t || end != t {
		for _, w := range found {
			delete(a.windows[e.key], w.start)
			e.start, e.end, e.time, e.val, e.old = w.start, w.end, w.end, opt{}, opt{}
			if a.sendsOld {
				e.old = some(w.v)
			}
			a.out.emit(e)
		}
	}
	e.start, e.end, e.time, e.val, e.old = start, end, end, a.add(agg, value), opt{}
	a.windows[e.key][start] = windowRow{v: e.val.Value, at: end, start: start, end: end}
	a.put = max(a.put, end)
	a.out.emit(e)
}
