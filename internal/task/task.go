// Package task runs one task of a topology: it chooses the next record, processes it, punctuates, and reaches the
// points where it can commit. A task is for one goroutine; it does no I/O and asks its clock of whoever runs it.
//
//	Open → Replay … → { Add, Process, Punctuate → Flush → Ended | Abort } … → Close
//
// # Invariants
//
//   - Records of one partition are processed in the order of their offsets, each once between two aborts.
//   - Between Flush and Ended or Abort no record is processed.
//   - What the size of a group of records is, or where batches end, changes no result.
package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/state"
)

// Env is what a task is opened in.
type Env struct {
	Graph     *edge.Graph
	Sub       *edge.Sub
	Partition int32
	Context   context.Context // ends when the task is to stop
	Logger    *slog.Logger
	Dir       func() string // of the task; nobody has to have made it
	Now       func() time.Time
	Wake      func() // gives the task a turn soon; may be called by any goroutine
	// Settled reports whether nothing is paused or being restored; nil: nothing is. IdleStep is the most that counts as
	// silence between two looks at the clock, 0: all.
	Settled  func() bool
	IdleStep time.Duration
	MaxIdle  time.Duration // how long to wait for an input that is read to its end, while others have records
	Strict   bool          // check that callbacks leave their arguments alone

	Out    func(topic string) (edge.Out, error)
	Reads  func(n *edge.Node) []*edge.Topic // the topics of a source that have the task's partition
	Hasher hashed.Hasher
	DB     *store.DB
	Below  func(name string, env store.Env) (*store.DB, error) // in place of DB; nil: DB
	Left   *store.Left                                         // what tiers stand for that were closed; may be nil
	Budget *store.Budget
	// Globals are the global parts of the instance, whose stores the task may read.
	Globals []*Global

	// Decide answers a failure; DeadLetter is the topic for those put aside.
	Decide     func(Failure) Action
	DeadLetter string
}

// Action is an answer to a failure.
type Action int

const (
	Stop Action = iota
	Skip
	DeadLetter
)

// Failure is a record that failed, and why.
type Failure struct {
	Phase      edge.Phase
	Err        error
	Node, Task string
	Topic      string
	Partition  int32
	Offset     int64
	Time       int64
	Key, Value []byte
	Headers    *edge.Headers
}

// Task is one task.
type Task struct {
	env    Env
	id     string
	ctx    context.Context
	cancel context.CancelFunc
	log    *slog.Logger

	meta       edge.Meta
	current    *input // of the record at hand; nil in a punctuation
	loaded     *input // whose head meta is, untouched; nil: none's
	inputs     []*input
	boot, left []*input // of inputs: those to be read to their ends first, and those of them that have not been (scratch)
	recv       map[*edge.Node]any
	opening    map[*edge.Node]bool
	stores     []*opened
	failing    []*opened // of stores: those whose handle can fail
	streamTime int64
	committed  int64 // stream time at the last commit
	timers     timers
	turns      turns
	listens    bool  // some node waits for silence
	clock      int64 // while listens: when the records at hand were taken up
	kept       kept
	counters   map[counterKey]*int64
	onFlush    []flushHook
	onEnd      []func(committed bool)
	onClose    []func() error

	copy      bool // its stores alone are open
	dirty     bool // something to commit
	asked     bool // the user asked for a commit
	flushed   bool
	processed int64
}

// opened is a store of the task.
type opened struct {
	decl   *edge.Store
	store  store.Store
	handle any
	now    store.Position // of what the hot rows stand for, as of the last commit
	failed func() error   // of the handle: an ordered read that ended early; of the user's own store: a row not noted

	watches []*Watch
	changed changed // by the transaction that was flushed, while there are watches
}

type counterKey struct {
	node, name string
	dropped    bool
}

// Open opens the stores and then every node of the task.
func Open(env Env) (*Task, error) {
	t := newTask(env)
	err := t.openStores()
	if err == nil {
		err = t.openNodes()
	}
	return t.orClosed(err)
}

func newTask(env Env) *Task {
	t := &Task{
		env: env, id: fmt.Sprintf("%d_%d", env.Sub.ID, env.Partition), recv: map[*edge.Node]any{}, opening: map[*edge.Node]bool{},
		counters: map[counterKey]*int64{}, streamTime: -1, committed: -1,
	}
	t.timers.arm()
	t.ctx, t.cancel = context.WithCancel(env.Context)
	t.log = env.Logger.With("task", t.id)
	return t
}

// orClosed returns the task, which it closes after an error.
func (t *Task) orClosed(err error) (*Task, error) {
	if err != nil {
		return nil, errors.Join(fmt.Errorf("task %s: %w", t.id, err), t.Close())
	}
	return t, nil
}

func (t *Task) openNodes() error {
	for _, n := range t.env.Sub.Sources {
		for _, topic := range t.env.Reads(n) {
			f, err := t.Receive(n)
			if err != nil {
				return err
			}
			in := newInput(topic, t.env.Partition, f.(edge.Entrance), t.touched(n))
			t.inputs = append(t.inputs, in)
			if topic.Bootstrap {
				t.boot = append(t.boot, in)
			}
		}
	}
	return t.kept.check()
}

func (t *Task) openStores() error {
	for _, d := range t.env.Sub.Stores {
		o := &opened{decl: d}
		env := t.env.below()
		env.Hasher, env.Budget, env.Logger, env.Now = t.env.Hasher, t.env.Budget, t.log, t.env.Now
		env.Time = func() int64 { return t.meta.Time }
		env.Dropped = func(n int64) { *t.counter(d.Name, "expired", true) += n }
		h, s, err := state.Open(d.Spec.(state.AnySpec), env)
		if err != nil {
			return fmt.Errorf("store %q (%s): %w", d.Name, d.Pos, err)
		}
		o.handle, o.store, o.now = h, s, s.Position()
		f, ok := any(s).(interface{ Failed() error }) // a handle may be the user's
		if !ok {
			f, ok = h.(interface{ Failed() error })
		}
		if ok {
			o.failed = f.Failed
			t.failing = append(t.failing, o)
		}
		t.stores = append(t.stores, o)
	}
	return nil
}

// touched returns the stores that the keys of a source are looked up in as they came.
func (t *Task) touched(n *edge.Node) (ss []store.Store) {
	for _, c := range n.Children {
		if !c.Keeps.Key && !c.Touch {
			continue
		}
		if c.Touch && c.In.Key != nil {
			for _, o := range t.stores {
				for _, name := range c.Stores {
					if o.decl.Name == name {
						ss = append(ss, o.store)
					}
				}
			}
		}
		if c.Keeps.Key {
			ss = append(ss, t.touched(c)...)
		}
	}
	return ss
}

// Close closes processors and stores. Nothing is written.
func (t *Task) Close() error {
	t.cancel()
	var errs []error
	for _, f := range t.onClose {
		errs = append(errs, protect(f))
	}
	for _, o := range t.stores {
		o.close()
		errs = append(errs, o.store.Close())
	}
	for _, in := range t.inputs {
		in.clear(in.position)
	}
	t.onClose, t.stores = nil, nil
	return errors.Join(errs...)
}

// ID implements edge.Task.
func (t *Task) ID() string { return t.id }

// App implements edge.Task.
func (t *Task) App() string { return t.env.Graph.App }

// Partition implements edge.Task.
func (t *Task) Partition() int32 { return t.env.Partition }

// Sub returns the sub-topology.
func (t *Task) Sub() *edge.Sub { return t.env.Sub }

// Context implements edge.Task.
func (t *Task) Context() context.Context { return t.ctx }

// Logger implements edge.Task.
func (t *Task) Logger() *slog.Logger { return t.log }

// Dir implements edge.Task.
func (t *Task) Dir() string {
	// Few tasks ask, so it is made for those. Whoever opens a file in it learns that this has failed.
	dir := t.env.Dir()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.log.Error("the task's directory cannot be made", "dir", dir, "err", err)
	}
	return dir
}

// Now implements edge.Task.
func (t *Task) Now() int64 { return t.env.Now().UnixMilli() }

// StreamTime implements edge.Task.
func (t *Task) StreamTime() int64 { return t.streamTime }

// Commit implements edge.Task.
func (t *Task) Commit() { t.asked = true }

// Strict implements edge.Task.
func (t *Task) Strict() bool { return t.env.Strict }

// Meta implements edge.Task.
func (t *Task) Meta() *edge.Meta { return &t.meta }

// Hash implements edge.Task.
func (t *Task) Hash(k *hashed.Key) { k.Lo, k.Hi, k.Hash = t.env.Hasher.Words(k.Bytes) }

// Receive implements edge.Task.
func (t *Task) Receive(n *edge.Node) (f any, err error) {
	if f, ok := t.recv[n]; ok {
		return f, nil
	}
	if t.opening[n] {
		return nil, fmt.Errorf("%s leads back to itself", n.Name)
	}
	t.opening[n] = true
	defer delete(t.opening, n)
	err = protect(func() (err error) { f, err = n.Open(t); return err })
	if err != nil {
		return nil, err
	}
	t.recv[n] = f
	return f, nil
}

// Store implements edge.Task.
func (t *Task) Store(name string) (any, error) {
	for _, o := range t.stores {
		if o.decl.Name == name {
			return o.handle, nil
		}
	}
	for _, g := range t.env.Globals {
		st, mu := g.store(name)
		if st == nil {
			continue
		}
		for _, d := range g.t.env.Sub.Stores {
			if d.Name == name {
				return state.Share(d.Spec.(state.AnySpec), store.Env{Hasher: t.env.Hasher}, st, mu), nil
			}
		}
	}
	return nil, fmt.Errorf("the sub-topology has no store %q", name)
}

// Out implements edge.Task.
func (t *Task) Out(topic *edge.Topic) (edge.Out, error) { return t.env.Out(topic.Name) }

// Counter implements edge.Task.
func (t *Task) Counter(n *edge.Node, name string) *int64 { return t.counter(n.Name, name, false) }

// Drop implements edge.Task.
func (t *Task) Drop(n *edge.Node, reason string) *int64 { return t.counter(n.Name, reason, true) }

func (t *Task) counter(node, name string, dropped bool) *int64 {
	k := counterKey{node, name, dropped}
	if t.counters[k] == nil {
		t.counters[k] = new(int64)
	}
	return t.counters[k]
}

// Counters calls f with every counter, and every count of dropped records by reason.
func (t *Task) Counters(f func(node, name string, dropped bool, n int64)) {
	for k, n := range t.counters {
		f(k.node, k.name, k.dropped, *n)
	}
}

// OnFlush implements edge.Task.
func (t *Task) OnFlush(n *edge.Node, f func() error) {
	h := flushHook{slices.Index(t.env.Sub.Nodes, n), f}
	i, _ := slices.BinarySearchFunc(t.onFlush, h, func(a, b flushHook) int { return cmp.Compare(a.place, b.place) })
	t.onFlush = slices.Insert(t.onFlush, i, h)
}

// flushHook is what a node does before a commit.
type flushHook struct {
	place int // of the node: parents before children
	f     func() error
}

// OnEnd implements edge.Task.
func (t *Task) OnEnd(f func(committed bool)) { t.onEnd = append(t.onEnd, f) }

// OnClose implements edge.Task.
func (t *Task) OnClose(f func() error) { t.onClose = append(t.onClose, f) }
