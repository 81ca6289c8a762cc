package task

import (
	"math"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
)

// timers are the punctuations of a task.
type timers struct {
	stream, wall []*timer
	nextStream   int64 // the earliest due time of stream; MaxInt64: none
	nextWall     int64
}

// timer is one schedule. Due times keep their alignment: to 0 for stream time, to the time of registration for the
// clock.
type timer struct {
	node     *edge.Node
	interval int64
	due      int64
	f        func(now int64) error
	stopped  bool
}

// Schedule implements edge.Task.
func (t *Task) Schedule(n *edge.Node, d time.Duration, wall bool, f func(now int64) error) (stop func()) {
	tm := &timer{node: n, interval: d.Milliseconds(), f: f}
	if wall {
		tm.due = t.Now() + tm.interval
		t.timers.wall = append(t.timers.wall, tm)
	} else {
		t.timers.stream = append(t.timers.stream, tm)
	}
	t.timers.arm()
	return func() { tm.stopped = true }
}

func (ts *timers) arm() {
	ts.nextStream, ts.stream = earliest(ts.stream)
	ts.nextWall, ts.wall = earliest(ts.wall)
}

// earliest returns the first due time, and ts without those that have stopped.
func earliest(ts []*timer) (int64, []*timer) {
	first, kept := int64(math.MaxInt64), ts[:0]
	for _, t := range ts {
		if !t.stopped {
			kept = append(kept, t)
			first = min(first, t.due)
		}
	}
	return first, kept
}

// punctuateStream runs what stream time has made due.
func (t *Task) punctuateStream() error {
	if len(t.timers.stream) == 0 {
		t.timers.nextStream = math.MaxInt64
		return nil
	}
	return t.punctuate(t.timers.stream, t.streamTime)
}

// Punctuate runs what the clock has made due. It is called between records.
func (t *Task) Punctuate() error {
	if len(t.timers.wall) == 0 {
		return nil
	}
	now := t.Now()
	if now < t.timers.nextWall {
		return nil
	}
	return t.punctuate(t.timers.wall, now)
}

// NextWall returns when Punctuate has something to do, in ms; MaxInt64: never.
func (t *Task) NextWall() int64 {
	if len(t.timers.wall) == 0 {
		return math.MaxInt64
	}
	return t.timers.nextWall
}

// punctuate calls each timer that is due once, in the order of due times, with the time it is.
func (t *Task) punctuate(ts []*timer, now int64) error {
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
		if err := t.fire(first, now); err != nil {
			return err
		}
	}
	t.timers.arm()
	return nil
}

func (t *Task) fire(tm *timer, now int64) error {
	saved, current := t.meta, t.current
	t.meta, t.current = edge.Meta{Time: now, NoKey: true, Partition: -1, Offset: -1}, nil
	t.dirty = true
	err := protect(func() error { return tm.f(now) })
	if err != nil {
		err = t.failed(tm.node.Name, edge.Process, err)
	}
	t.meta, t.current = saved, current
	return err
}
