package model

import (
	"cmp"
	"math"
	"slices"
)

// streamTableJoin: SEMANTICS 4.4.
func (m *machine) streamTableJoin(x *operator, in *node, t *operator, left bool) {
	t.keep()
	x.out = &node{}
	in.edges = append(in.edges, edge{to: x.out, takesNoKey: left, recv: func(e event) {
		if !e.val.OK || e.noKey && !left {
			return
		}
		var row opt
		if !e.noKey {
			row, _ = t.get(e.key)
		}
		if row.OK || left {
			x.out.emit(e.with(some(joined(e.val, row))))
		}
	}})
}

// side is one side of a stream-stream join.
type side struct {
	left     bool
	stays    bool // its records without a partner are results
	look     int64
	records  []sided
	observed int64 // the highest time put
}

type sided struct {
	key string
	val opt
	at  int64
}

// waiting is a record without a partner so far.
type waiting struct {
	sided
	left bool
}

// streamJoiner is a stream-stream join: SEMANTICS 4.1 to 4.3.
type streamJoiner struct {
	out     *node
	reach   reach
	outer   bool
	time    int64
	lowest  int64 // as Kafka Streams tracks it: quirk-left-min
	waiting []waiting
	retains int64
}

func (m *machine) streamJoin(x *operator, l, r *node, o op) {
	x.out = &node{}
	w := o.reach()
	j := &streamJoiner{out: x.out, reach: w, outer: o.sides() != "inner", time: -1, lowest: math.MaxInt64, retains: max(1, w.before+w.after+w.grace)}
	left := &side{left: true, stays: o.sides() != "inner", look: w.after, observed: -1}
	right := &side{stays: o.sides() == "outer", look: w.before, observed: -1}
	l.edges = append(l.edges, edge{to: x.out, takesNoKey: j.outer, recv: func(e event) { j.take(e, left, right) }})
	if l == r && !j.outer {
		l.edges[len(l.edges)-1].recv = func(e event) { j.meetItself(e, left) }
		return
	}
	r.edges = append(r.edges, edge{to: x.out, takesNoKey: j.outer, recv: func(e event) { j.take(e, right, left) }})
}

func (j *streamJoiner) result(e event, this *side, mine, others opt, at int64) {
	v := joined(mine, others)
	if !this.left {
		v = joined(others, mine)
	}
	e.val, e.time = some(v), at
	j.out.emit(e)
}

func (j *streamJoiner) take(e event, this, other *side) {
	j.time = max(j.time, e.time)
	if e.noKey && e.val.OK && this.stays {
		j.result(e, this, e.val, opt{}, e.time)
		return
	}
	if e.noKey || !e.val.OK {
		return
	}
	if j.outer && e.time == j.time {
		j.expire(e, this)
	}
	from, to := e.time-j.reach.before, e.time+j.reach.after
	if !this.left {
		from, to = e.time-j.reach.after, e.time+j.reach.before
	}
	partners := j.partners(other, e.key, from, to)
	for _, p := range partners {
		j.waiting = slices.DeleteFunc(j.waiting, func(w waiting) bool { return w.left == other.left && w.key == p.key && w.at == p.at })
		j.result(e, this, e.val, p.val, max(e.time, p.at))
	}
	if len(partners) == 0 && this.stays {
		if e.time+this.look < j.time {
			j.result(e, this, e.val, opt{}, e.time)
		} else {
			j.waiting = append(j.waiting, waiting{sided{e.key, e.val, e.time}, this.left})
			j.lowest = min(j.lowest, e.time)
		}
	}
	this.records = append(this.records, sided{e.key, e.val, e.time})
	this.observed = max(this.observed, e.time)
}

// partners are the records of a side that are close enough, of those that its store still shows.
func (j *streamJoiner) partners(s *side, key string, from, to int64) (all []sided) {
	for _, p := range s.records {
		if p.key == key && p.at >= from && p.at <= to && p.at >= s.observed-j.retains+1 {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b sided) int { return cmp.Compare(a.at, b.at) })
	return all
}

// meetItself joins a record of a stream with that stream: SEMANTICS 4.3.
func (j *streamJoiner) meetItself(e event, s *side) {
	if e.noKey || !e.val.OK {
		return
	}
	j.time = max(j.time, e.time)
	for _, p := range j.partners(s, e.key, e.time-j.reach.before, e.time+j.reach.after) {
		j.result(e, s, e.val, p.val, max(e.time, p.at))
	}
	itself := j.reach.before >= 0 && j.reach.after >= 0 && (e.time == j.time || e.time > j.time-j.retains+1)
	meet := func() {
		if itself {
			j.result(e, s, e.val, e.val, e.time)
		}
		itself = false
	}
	for _, p := range j.partners(s, e.key, e.time-j.reach.after, e.time+j.reach.before) {
		if p.at > e.time {
			meet()
		}
		j.result(e, s, p.val, e.val, max(e.time, p.at))
	}
	meet()
	s.records = append(s.records, sided{e.key, e.val, e.time})
	s.observed = max(s.observed, e.time)
}

// expire passes on the records whose time is over, by time, right before left, key, and as they came.
func (j *streamJoiner) expire(e event, this *side) {
	look := func(left bool) int64 {
		if left {
			return j.reach.after + j.reach.grace
		}
		return j.reach.before + j.reach.grace
	}
	if j.lowest == math.MaxInt64 || j.lowest+look(this.left) >= j.time {
		return
	}
	slices.SortStableFunc(j.waiting, func(a, b waiting) int {
		sides := 0
		if a.left != b.left {
			if sides = -1; a.left {
				sides = 1
			}
		}
		return cmp.Or(cmp.Compare(a.at, b.at), sides, cmp.Compare(a.key, b.key))
	})
	all := j.waiting
	j.waiting, j.lowest = nil, math.MaxInt64
	var open [2]bool
	for i, w := range all {
		n := 0
		if w.left {
			n = 1
		}
		// Records of one time, side and key are one entry of the buffer.
		first := i == 0 || all[i-1].at != w.at || all[i-1].left != w.left || all[i-1].key != w.key
		if j.lowest = w.at; first && open[0] && open[1] {
			j.waiting = append(j.waiting, all[i:]...)
			break
		}
		if w.at+look(w.left) >= j.time {
			open[n] = true
			j.waiting = append(j.waiting, w)
			continue
		}
		j.result(e.rekey(w.key), &side{left: w.left}, w.val, opt{}, w.at)
	}
}
