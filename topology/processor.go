package topology

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/window"
)

// Processor takes the records of one task, one at a time. If it is an io.Closer too, it is closed with its task.
// An error goes to the app's error policy; state written before it stays.
type Processor[K, V any] interface {
	Process(r Record[K, V]) error
}

// ProcessorFunc makes a function a Processor.
type ProcessorFunc[K, V any] func(r Record[K, V]) error

// Process calls f.
func (f ProcessorFunc[K, V]) Process(r Record[K, V]) error { return f(r) }

// Opener makes the processor of one task. What it needs for good, stores above all, it asks of ctx here.
type Opener[K, V, K2, V2 any] = func(ctx *Context[K2, V2]) (Processor[K, V], error)

// ValueOpener is Opener for processors that keep the key.
type ValueOpener[K, V, V2 any] = func(ctx *ValueContext[V2]) (Processor[K, V], error)

// Tag names a further output of a processor, of a type of its own.
type Tag[K, V any] struct{ Name string }

// Task is what both contexts offer. It belongs to one task and one goroutine.
type Task struct {
	at  edge.Place
	err error // the first mistake of the Opener
}

// ID returns the task, as in "0_3": sub-topology and partition.
func (t *Task) ID() string { return t.at.ID() }

// App returns the app's durable name.
func (t *Task) App() string { return t.at.App() }

// Partition returns the partition the task reads.
func (t *Task) Partition() int32 { return t.at.Partition() }

// Origin returns where the record at hand was read: valid in Process, zero in a punctuation.
func (t *Task) Origin() Origin {
	m := t.at.Meta()
	return Origin{m.Topic, m.Partition, m.Offset}
}

// StreamTime returns the highest time the task has seen, -1 before the first record.
func (t *Task) StreamTime() window.Instant { return window.Instant(t.at.StreamTime()) }

// Now returns the clock's time; a test's clock in tests.
func (t *Task) Now() window.Instant { return window.Instant(t.at.Now()) }

// Context ends when the task closes. Pass it to whatever may block.
func (t *Task) Context() context.Context { return t.at.Context() }

// Logger logs with the task and node as attributes.
func (t *Task) Logger() *slog.Logger { return t.at.Logger().With("node", t.at.Node.Name) }

// Counter returns the counter of that name, exported with the app's metrics. Ask once, in the Opener.
func (t *Task) Counter(name string) *Counter { return &Counter{t.at.Counter(t.at.Node, name)} }

// Dir returns a directory of the task's own, kept over restarts but not over moves. It is made when it is first asked for.
func (t *Task) Dir() string { return t.at.Dir() }

// Commit asks for a commit soon.
func (t *Task) Commit() { t.at.Commit() }

// Store returns the store declared by s. The node must have been given s: asked for another, the task fails to open.
func (t *Task) Store[S any](s state.Spec[S]) (st S) {
	h, err := t.at.Store(s.Name())
	given := false
	for _, name := range t.at.Node.Stores {
		given = given || name == s.Name()
	}
	typed, ok := h.(S)
	switch {
	case !given:
		err = fmt.Errorf("the processor was not given the store %q: add its Spec to Process", s.Name())
	case err == nil && !ok:
		err = fmt.Errorf("the store %q is a %T, not a %v", s.Name(), h, reflect.TypeFor[S]())
	}
	if err != nil {
		t.err = errors.Join(t.err, err)
		return st
	}
	return typed
}

// Schedule calls f every d of the given time, with the time it is, until stop is called or the task closes. What was
// missed is not made up for: one call, then the next due time after now. Schedules begin anew when a task moves.
func (t *Task) Schedule(d time.Duration, by Time, f func(now window.Instant) error) (stop func()) {
	if d < time.Millisecond {
		t.err = errors.Join(t.err, fmt.Errorf("Schedule every %v, want at least 1ms", d))
		return func() {}
	}
	return t.at.Schedule(t.at.Node, d, by == WallTime, func(now int64) error { return f(window.Instant(now)) })
}

// OnTimer calls f when a timer of s is due, by time and then key bytes; it is gone by then. By StreamTime that is after
// the very record that moved the time, by WallTime between records, and what the clock passed while the app was down is
// due at its start. In f there is no record at hand: what is written and forwarded without a time of its own has that of
// the timer. Ask once, in the Opener, and of one node in a task: others may set and stop the same timers.
func (t *Task) OnTimer[K any](s state.Spec[state.Timers[K]], by Time, f func(k K, due window.Instant) error) {
	timers := t.Store(s)
	if timers == nil {
		return // it is noted why
	}
	due, early, err := state.WatchTimers(timers, func(k K, due window.Instant) error {
		return t.at.Fire(t.at.Node, int64(due), func() error { return f(k, due) })
	})
	if err != nil {
		t.err = errors.Join(t.err, err)
		return
	}
	early(t.at.OnDue(by == WallTime, due))
}

// Context is what a processor emits through.
type Context[K, V any] struct {
	Task
	next edge.Emit[K, V]
}

// Forward passes r on to every child, and returns when they are done with it.
func (c *Context[K, V]) Forward(r Record[K, V]) error { return forward(c.at, c.next, r) }

// forward passes r on as the record at hand, and restores the one there was.
func forward[K, V any](at edge.Place, next edge.Emit[K, V], r Record[K, V]) error {
	if r.Time < 0 {
		return fmt.Errorf("topology: %s forwards a record at %d ms, before 1970", at.Node.Name, r.Time)
	}
	m := at.Meta()
	saved := *m
	m.Hashed, m.Stale = false, false
	r.SetMeta(m)
	err := next(m, r.Key, r.Value)
	*m = saved
	return edge.Decide(err)
}

// Side returns the function that emits under tag. Ask once, in the Opener.
func (c *Context[K, V]) Side[K2, V2 any](tag Tag[K2, V2]) func(Record[K2, V2]) error {
	next, err := edge.Aside[K2, V2](c.at, tag.Name)
	c.err = errors.Join(c.err, err)
	if next == nil {
		return func(Record[K2, V2]) error { return nil } // nobody reads the side output
	}
	return func(r Record[K2, V2]) error { return forward(c.at, next, r) }
}

// ValueContext is what a processor that keeps its keys emits through.
type ValueContext[V any] struct {
	Task
	forward func(m *edge.Meta, v V) error
}

// Forward passes v on under the key, time and headers of the record at hand. In a punctuation there is none, and
// Forward fails: use a Context.
func (c *ValueContext[V]) Forward(v V) error { return c.forward(c.at.Meta(), v) }

// ForwardAt is Forward at another time and with other headers.
func (c *ValueContext[V]) ForwardAt(v V, t window.Instant, h Headers) error {
	if t < 0 {
		return fmt.Errorf("topology: %s forwards a record at %d ms, before 1970", c.at.Node.Name, t)
	}
	m := c.at.Meta()
	at, headers, raw := m.Time, m.Headers, m.RawHeaders
	m.Time, m.Headers, m.RawHeaders = int64(t), h.h, nil
	err := c.Forward(v)
	m.Time, m.Headers, m.RawHeaders = at, headers, raw
	return err
}

// Origin is where a record was read.
type Origin struct {
	Topic     string
	Partition int32
	Offset    int64
}

// String returns topic-partition@offset.
func (o Origin) String() string { return fmt.Sprintf("%s-%d@%d", o.Topic, o.Partition, o.Offset) }

// Time is a way time goes on.
type Time int

const (
	StreamTime Time = iota // with the records
	WallTime               // with the clock
)

// Counter counts for the metrics. It costs an addition, and belongs to the task's goroutine.
type Counter struct{ n *int64 }

// Add adds n.
func (c *Counter) Add(n int64) { *c.n += n }

// Process adds a processor. open is called once for each task; stores are what it may ask its Context for.
func (o Output[K, V]) Process[K2, V2 any](name string, open Opener[K, V, K2, V2], stores ...state.AnySpec) Output[K2, V2] {
	if !o.ok() || !o.b.checkProcessor(name, open == nil, stores) {
		return Output[K2, V2]{b: o.b}
	}
	return o.processor(edge.Op{Kind: "KSTREAM-PROCESSOR", Label: name, Reads: edge.Need{Key: true, Val: true}, Stores: specs(stores)}, expiring(stores), open)
}

// Processor adds a node made of a processor: for operators of the DSL that work on whole records. Its types are internal.
func (o Output[K, V]) Processor[K2, V2 any](op edge.Op, open Opener[K, V, K2, V2]) Output[K2, V2] {
	return o.processor(op, nil, open)
}

// processor is Processor whose node has rows of the named stores expire.
func (o Output[K, V]) processor[K2, V2 any](op edge.Op, expire []string, open Opener[K, V, K2, V2]) Output[K2, V2] {
	return o.Apply[K2, V2](op, func(at edge.Place, next edge.Emit[K2, V2]) (edge.Emit[K, V], error) {
		c := &Context[K2, V2]{Task{at: at}, next}
		p, err := open(c)
		if err = opened(at, c.err, err, p == nil); err != nil {
			return nil, err
		}
		closeWith(at, p)
		return receive(at, p, expire)
	})
}

// ProcessValues adds a processor that cannot change keys, so that nothing after it needs repartitioning.
func (o Output[K, V]) ProcessValues[V2 any](name string, open ValueOpener[K, V, V2], stores ...state.AnySpec) Output[K, V2] {
	if !o.ok() || !o.b.checkProcessor(name, open == nil, stores) {
		return Output[K, V2]{b: o.b}
	}
	op := edge.Op{
		Kind: "KSTREAM-PROCESSVALUES", Label: name, Reads: edge.Need{Key: true, Val: true}, Keeps: edge.Need{Key: true},
		Stores: specs(stores),
	}
	expire := expiring(stores)
	return o.Apply[K, V2](op, func(at edge.Place, next edge.Emit[K, V2]) (edge.Emit[K, V], error) {
		var key K // of the record at hand: it lives here, once for each task, not on the heap for each record
		var busy bool
		c := &ValueContext[V2]{Task{at: at}, func(m *edge.Meta, v V2) error {
			if !busy {
				return fmt.Errorf("topology: %s: Forward outside of Process: there is no record whose key it could take; use Process", at.Node.Name)
			}
			return edge.Decide(next(m, key, v))
		}}
		p, err := open(c)
		if err = opened(at, c.err, err, p == nil); err != nil {
			return nil, err
		}
		closeWith(at, p)
		process, err := receive(at, p, expire)
		if err != nil {
			return nil, err
		}
		return func(m *edge.Meta, k K, v V) error {
			key, busy = k, true
			err := process(m, k, v)
			busy = false
			return err
		}, nil
	})
}

func (b *Builder) checkProcessor(name string, nilOpener bool, stores []state.AnySpec) bool {
	for _, s := range stores {
		if s == nil {
			continue // connect says so
		}
		if option := state.PlanOf(s).Table; option != "" {
			b.Fail(0, "Process %q: the store %q has %s, which is for tables: leave it out", name, s.Name(), option)
		}
	}
	if err := checkName(name); err != nil {
		b.Fail(0, "Process: %v", err)
		return false
	}
	if nilOpener {
		b.Fail(0, "Process %q without an Opener: give the function that makes the processor of a task", name)
		return false
	}
	return true
}

func specs(stores []state.AnySpec) []any {
	out := make([]any, len(stores))
	for i, s := range stores {
		out[i] = s
	}
	return out
}

// expiring are the names of those stores whose rows have a TTL.
func expiring(stores []state.AnySpec) (names []string) {
	for _, s := range stores {
		if s != nil && state.PlanOf(s).TTL > 0 {
			names = append(names, s.Name())
		}
	}
	return names
}

// opened says what an Opener did wrong, nil if nothing.
func opened(at edge.Place, sticky, err error, none bool) error {
	if err = errors.Join(sticky, err); err == nil && none {
		err = errors.New("the Opener returned no Processor")
	}
	if err != nil {
		return fmt.Errorf("topology: %s: %s: %w", at.Node.Pos, at.Node.Name, err)
	}
	return nil
}

func closeWith(at edge.Place, p any) {
	if c, ok := p.(io.Closer); ok {
		at.OnClose(c.Close)
	}
}

// receive is a processor's door: the one place where a Record is made. Before it is processed, rows of the stores named by
// expire go whose time is over.
func receive[K, V any](at edge.Place, p Processor[K, V], expire []string) (edge.Emit[K, V], error) {
	var observe []func(t int64) error
	for _, name := range expire {
		h, err := at.Store(name)
		if err != nil {
			return nil, err
		}
		if f := state.Expirer(h, func() *int64 { return at.Keep(name + " observed") }); f != nil {
			observe = append(observe, f)
		}
	}
	return func(m *edge.Meta, k K, v V) error {
		for _, f := range observe {
			if err := f(m.Time); err != nil {
				return edge.Decide(err)
			}
		}
		r, err := RecordOf(m, k, v)
		if err == nil {
			err = p.Process(r)
		}
		if err != nil {
			return at.Failed(err)
		}
		return nil
	}, nil
}
