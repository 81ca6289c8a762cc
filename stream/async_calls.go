package stream

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
)

// asyncBytes is how much of keys and values may wait in a task.
const asyncBytes = 64 << 20

// async is MapValuesAsync in one task. All but done belongs to the task's goroutine.
//
// Every record that waits is a row of the store, under its number. What is in memory beside that can be forgotten at any
// time and read again: after an abort it is.
type async[K, V, V2 any] struct {
	at       edge.Place
	f        func(context.Context, V) (V2, error)
	o        AsyncOptions
	slots    int // calls that may be made
	next     edge.Emit[K, V2]
	rows     state.KeyValue[int64, []byte]
	keys     *edge.Keyer[K]
	key      serde.Serde[K]
	value    serde.Serde[V]
	rawValue bool // the edge has bytes of the value
	most     int  // records that may wait

	ctx     context.Context // of the calls of this generation
	cancel  context.CancelFunc
	loaded  bool
	number  int64 // of the next record
	waiting int
	bytes   int
	held    bool
	lanes   map[string]*lane[K, V] // by name
	ready   []*lane[K, V]          // whose head can be called, in their order
	parked  []*lane[K, V]

	mu   sync.Mutex // protects following fields
	done []outcome[K, V, V2]
}

// lane is the records of one key in their order. Only the first is called.
type lane[K, V any] struct {
	name  string
	calls []*call[K, V]
}

// call is a record that waits for its result.
type call[K, V any] struct {
	number  int64
	key     K
	value   V
	meta    edge.Meta // its slices are its own
	attempt int       // that have failed
	due     int64     // of a parked one: not before, ms
}

// outcome is how an attempt has ended.
type outcome[K, V, V2 any] struct {
	ctx  context.Context // of its generation
	lane *lane[K, V]
	v    V2
	err  error
}

// forget ends the calls under way. Their records are read from the store again at the next turn.
func (a *async[K, V, V2]) forget() {
	if a.cancel != nil {
		a.cancel()
	}
	a.ctx, a.cancel = context.WithCancel(a.at.Context())
	a.loaded, a.number, a.waiting, a.bytes = false, 0, 0, 0
	a.lanes, a.ready, a.parked = map[string]*lane[K, V]{}, nil, nil
	a.hold()
	a.at.Wake()
}

// load reads the records that wait.
func (a *async[K, V, V2]) load() error {
	a.loaded = true
	for n, row := range a.rows.All() {
		c := &call[K, V]{number: n}
		if err := a.decode(row, c); err != nil {
			return fmt.Errorf("stream: %s: row %d of its store: %w", a.at.Node.Name, n, err)
		}
		a.number = n + 1
		a.queue(c)
	}
	return nil
}

// take is the node's entrance.
func (a *async[K, V, V2]) take(m *edge.Meta, k K, v V) error {
	if !a.loaded {
		if err := a.load(); err != nil {
			return err
		}
	}
	c := &call[K, V]{number: a.number, key: k, value: v}
	if err := a.keep(m, c); err != nil {
		return a.at.Failed(err)
	}
	if err := a.rows.Put(c.number, a.encode(c)); err != nil {
		return err
	}
	a.number++
	a.queue(c)
	a.start()
	return nil
}

// queue puts c behind the others of its key.
func (a *async[K, V, V2]) queue(c *call[K, V]) {
	name := "key " + string(c.meta.Key.Bytes)
	if a.o.Unordered || c.meta.NoKey {
		name = fmt.Sprintf("record %d", c.number) // alone in its lane
	}
	l := a.lanes[name]
	if l == nil {
		l = &lane[K, V]{name: name}
		a.lanes[name] = l
	}
	l.calls = append(l.calls, c)
	a.waiting++
	a.bytes += len(c.meta.Key.Bytes) + len(c.meta.Val)
	a.hold()
	if len(l.calls) == 1 {
		a.head(l)
	}
}

// head makes the first record of a lane ready, or parks it.
func (a *async[K, V, V2]) head(l *lane[K, V]) {
	if l.calls[0].due > a.at.Now() {
		a.parked = append(a.parked, l)
		return
	}
	a.ready = append(a.ready, l)
}

// hold stops the intake of the task while too much waits.
func (a *async[K, V, V2]) hold() {
	full := a.waiting >= a.most || a.bytes >= asyncBytes
	if full == a.held {
		return
	}
	a.held = full
	if full {
		a.at.Hold(1)
	} else {
		a.at.Hold(-1)
	}
}

// start makes calls while there are slots. A call keeps its slot until it returns, whatever has become of its record.
func (a *async[K, V, V2]) start() {
	for a.slots > 0 && len(a.ready) > 0 {
		l := a.ready[0]
		a.ready = a.ready[1:]
		a.slots--
		a.at.Calls(1)
		go a.run(a.ctx, l, *l.calls[0])
	}
}

// run makes one attempt; without Park all that are left, for which the others of the key wait here.
func (a *async[K, V, V2]) run(ctx context.Context, l *lane[K, V], c call[K, V]) {
	r := outcome[K, V, V2]{ctx: ctx, lane: l}
	for attempt := c.attempt + 1; ; attempt++ {
		r.v, r.err = a.call(ctx, c.value)
		if r.err == nil || a.o.Park || attempt >= a.o.Attempts || ctx.Err() != nil {
			break
		}
		t := time.NewTimer(a.o.Backoff(attempt))
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
	a.mu.Lock()
	a.done = append(a.done, r)
	a.mu.Unlock()
	a.at.Wake()
}

// call is f, its panics errors.
func (a *async[K, V, V2]) call(ctx context.Context, v V) (v2 V2, err error) {
	if a.o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.o.Timeout)
		defer cancel()
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return a.f(ctx, v)
}

// turn takes in what has ended, and goes on with what is due.
func (a *async[K, V, V2]) turn() (worked bool, err error) {
	if !a.loaded {
		if err := a.load(); err != nil {
			return false, err
		}
	}
	a.mu.Lock()
	done := a.done
	a.done = nil
	a.mu.Unlock()
	for i, r := range done {
		a.slots++
		a.at.Calls(-1)
		if r.ctx != a.ctx {
			continue // its record was read again
		}
		worked = true
		if err := a.end(r); err != nil {
			a.mu.Lock()
			a.done = append(done[i+1:], a.done...)
			a.mu.Unlock()
			return worked, err
		}
	}
	if len(a.parked) > 0 {
		now, still := a.at.Now(), a.parked[:0]
		for _, l := range a.parked {
			if l.calls[0].due > now {
				still = append(still, l)
			} else {
				a.ready = append(a.ready, l)
			}
		}
		clear(a.parked[len(still):])
		a.parked = still
	}
	a.start()
	return worked, nil
}

// end passes a result on, or parks its record, or hands the error to the policy.
func (a *async[K, V, V2]) end(r outcome[K, V, V2]) error {
	c := r.lane.calls[0]
	if r.err != nil && a.o.Park {
		if c.attempt++; c.attempt < a.o.Attempts {
			return a.park(r.lane, c)
		}
	}
	err := a.at.Resume(a.at.Node, c.meta, func(m *edge.Meta) error {
		if err := a.rows.Delete(c.number); err != nil {
			return err
		}
		if r.err != nil {
			return r.err
		}
		return a.next(m, c.key, r.v)
	})
	if err != nil {
		return err
	}
	a.waiting--
	a.bytes -= len(c.meta.Key.Bytes) + len(c.meta.Val)
	a.hold()
	r.lane.calls[0] = nil
	if r.lane.calls = r.lane.calls[1:]; len(r.lane.calls) == 0 {
		delete(a.lanes, r.lane.name)
	} else {
		a.head(r.lane)
	}
	return nil
}

// park has a record wait for its next attempt, over restarts.
func (a *async[K, V, V2]) park(l *lane[K, V], c *call[K, V]) error {
	c.due = a.at.Now() + a.o.Backoff(c.attempt).Milliseconds()
	a.parked = append(a.parked, l)
	return a.at.Resume(a.at.Node, c.meta, func(*edge.Meta) error { return a.rows.Put(c.number, a.encode(c)) })
}
