package task

import (
	"math"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
)

// timers are the punctuations and alarms of a task.
type timers struct {
	stream, wall []*timer
	// What nodes do at times of their own, after punctuations.
	streamAlarms, wallAlarms []*alarm

	nextStream int64 // the earliest due time of stream; MaxInt64: none
	nextWall   int64
}

// alarm is what a node does at times that it keeps itself.
type alarm struct {
	due  func(now int64) (next int64, err error)
	next int64 // not after the next due time; the least number: the node has to be asked
}

// timer is one schedule. Due times keep their alignment: to 0 for stream time, to the time of registration for the
// clock.
type timer struct {
	node     *edge.Node
	interval int64
	due      int64
	f        func(now int64) error
	stopped  bool

	dueThen     int64 // at the last commit: what an abort goes back to
	stoppedThen bool
}

// Schedule implements edge.Task.
func (t *Task) Schedule(n *edge.Node, d time.Duration, wall bool, f func(now int64) error) (stop func()) {
	tm := &timer{node: n, interval: d.Milliseconds(), f: f}
	if wall {
		tm.due = t.Now() + tm.interval
		t.timers.wall = append(t.timers.wall, tm)
		t.timers.nextWall = min(t.timers.nextWall, tm.due)
	} else {
		t.timers.stream = append(t.timers.stream, tm)
		t.timers.nextStream = min(t.timers.nextStream, tm.due)
	}
	tm.dueThen = tm.due
	return func() { tm.stopped = true }
}

// OnDue implements edge.Task.
func (t *Task) OnDue(wall bool, due func(now int64) (next int64, err error)) (earlier func(at int64)) {
	a := &alarm{due: due, next: math.MinInt64}
	list, next := &t.timers.streamAlarms, &t.timers.nextStream
	if wall {
		list, next = &t.timers.wallAlarms, &t.timers.nextWall
	}
	*list = append(*list, a)
	earlier = func(at int64) { a.next, *next = min(a.next, at), min(*next, at) }
	earlier(math.MinInt64)
	return earlier
}

func (ts *timers) arm() {
	ts.nextStream, ts.nextWall = earliest(ts.stream, ts.streamAlarms), earliest(ts.wall, ts.wallAlarms)
}

// earliest returns the first due time.
func earliest(ts []*timer, as []*alarm) int64 {
	first := int64(math.MaxInt64)
	for _, t := range ts {
		if !t.stopped {
			first = min(first, t.due)
		}
	}
	for _, a := range as {
		first = min(first, a.next)
	}
	return first
}

// end settles the timers with a transaction. An abort makes due again what was called in it: the effects of those calls
// are gone. Schedules made in it stay, as what a processor remembers of them does.
func (ts *timers) end(committed bool) {
	for _, list := range [][]*alarm{ts.streamAlarms, ts.wallAlarms} {
		for _, a := range list {
			if !committed {
				a.next = math.MinInt64
			}
		}
	}
	for _, list := range []*[]*timer{&ts.stream, &ts.wall} {
		kept := (*list)[:0]
		for _, t := range *list {
			if committed {
				t.dueThen, t.stoppedThen = t.due, t.stopped
			} else {
				t.due, t.stopped = t.dueThen, t.stoppedThen
			}
			if !t.stopped {
				kept = append(kept, t)
			}
		}
		clear((*list)[len(kept):])
		*list = kept
	}
	ts.arm()
}

// Punctuate runs what the clock has made due. It is called between records.
func (t *Task) Punctuate() error {
	if t.timers.nextWall == math.MaxInt64 {
		return nil
	}
	now := t.Now()
	if now < t.timers.nextWall {
		return nil
	}
	return t.punctuate(t.timers.wall, t.timers.wallAlarms, now)
}

// NextWall returns when Punctuate has something to do, in ms; MaxInt64: never.
func (t *Task) NextWall() int64 { return t.timers.nextWall }

// punctuate calls each timer that is due once, in the order of due times, with the time it is; then what else is due.
func (t *Task) punctuate(ts []*timer, as []*alarm, now int64) error {
	due := append([]*timer{}, ts...)
	for {
		var first *timer
		for _, tm := range due {
			if !tm.stopped && tm.due <= now && (first == nil || tm.due < first.due) {
				first = tm
			}
		}
		if first == nil {
			break
		}
		first.due += ((now-first.due)/first.interval + 1) * first.interval
		if err := t.Fire(first.node, now, func() error { return first.f(now) }); err != nil {
			return err
		}
	}
	for _, a := range as {
		if a.next > now {
			continue
		}
		next, err := a.due(now)
		if err != nil {
			return err
		}
		a.next = next
	}
	t.timers.arm()
	return nil
}

// Fire implements edge.Task.
func (t *Task) Fire(n *edge.Node, now int64, f func() error) error {
	saved, current := t.meta, t.current
	t.meta, t.current = edge.Meta{Time: now, NoKey: true, Partition: -1, Offset: -1}, nil
	t.dirty = true
	err := protect(f)
	if err != nil {
		err = t.failed(n.Name, edge.Process, err)
	}
	t.meta, t.current = saved, current
	return err
}
