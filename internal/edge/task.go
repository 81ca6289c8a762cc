package edge

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/thalweg/thalweg/internal/hashed"
)

// Task is what a task offers its nodes. It belongs to the task's goroutine.
type Task interface {
	ID() string // sub-topology and partition, as in "0_3"
	App() string
	Partition() int32
	Context() context.Context
	Logger() *slog.Logger
	Dir() string
	Now() int64
	StreamTime() int64
	Commit()

	// Meta is the record at hand.
	Meta() *Meta
	// Hash fills in the words and hash of k's bytes.
	Hash(k *hashed.Key)
	// Receive returns the receive function of n, made at the first call.
	Receive(n *Node) (any, error)
	// Store returns the handle of a store of the sub-topology.
	Store(name string) (any, error)
	// Out returns the way into a topic.
	Out(t *Topic) (Out, error)
	// Counter returns a counter of the node, exported under that name.
	Counter(n *Node, name string) *int64
	// Drop counts a record that the node drops, by reason.
	Drop(n *Node, reason string) *int64
	// Failed hands a failure to the app's policy: nil means that the record was skipped or put aside, and the node
	// returns nil in turn; any other error stops the task and is returned as it is.
	Failed(n *Node, phase Phase, err error) error
	// Schedule calls f every d of the given time until stop is called.
	Schedule(n *Node, d time.Duration, wall bool, f func(now int64) error) (stop func())
	// OnDue calls due between records once the given time has reached the time that due returned last, MaxInt64 for never:
	// a node has something to do at times that it keeps itself. At first, and after an abort, it is asked at once. earlier
	// says that something is due before that. What due does, it does in Fire.
	OnDue(wall bool, due func(now int64) (next int64, err error)) (earlier func(at int64))
	// OnIdle calls f, now and then, with how long in ms no record has come to a node, once that is so long as after. Only
	// time counts in which the task's inputs are known to be read to their ends. The node calls heard for each record.
	OnIdle(after time.Duration, f func(idle int64) error) (heard func())
	// Fire calls f with no record at hand, at the given time. An error of f is handed to the app's policy.
	Fire(n *Node, at int64, f func() error) error
	// OnTurn calls f between records, whenever the task has a turn. f reports whether it has done something.
	OnTurn(f func() (worked bool, err error))
	// Wake gives the task a turn soon. It may be called by any goroutine, also after the task was closed.
	Wake()
	// Hold adds to the reasons, while there is one, not to take further records. Turns go on.
	Hold(by int)
	// Calls adds to the number of calls under way outside of the task, whose ends wake it.
	Calls(by int)
	// Resume makes r the record at hand and calls f, in a turn: a record that the node has kept goes on. An error of f is
	// handed to the app's policy as a failure of r. r's Key and Val are the bytes that a dead letter gets.
	Resume(n *Node, r Meta, f func(m *Meta) error) error
	// Keep returns a value that is committed with the positions and goes back with an abort: -1 at first, after a restart what
	// the last commit had. name says whose it is, once in a task. A node has it from the first record on.
	Keep(name string) *int64
	// OnFlush calls f when a transaction is about to be committed, before stores are: what n holds back until then goes on.
	// The nodes above n come first.
	OnFlush(n *Node, f func() error)
	// OnEnd calls f when a transaction has ended: what a node remembers outside of its stores must go back with an abort.
	OnEnd(f func(committed bool))
	// OnClose calls f when the task closes.
	OnClose(f func() error)
	// Strict says whether nodes shall check that callbacks leave their arguments alone: under test.
	Strict() bool
	// Copy says that the task is a copy of stores alone: its sources are asked for the times of records, and nothing follows them.
	Copy() bool
}

// Out is a topic as a sink sees it.
type Out interface {
	Partitions() int32
	// Append adds a record. All slices are copied. partition -1 is any. headers is the raw form.
	Append(partition int32, time int64, key, value, headers []byte) error
}

// Entrance is a source in one task.
type Entrance interface {
	// Time returns the event time of the raw record in m, which has the record's own time; partition is the highest
	// time seen in its partition, -1 if none. skip says that the record is dropped and already counted.
	Time(m *Meta, partition int64) (t int64, skip bool, err error)
	// Push decodes what is needed and passes the record on.
	Push(m *Meta) error
}

// Phase is where a record failed.
type Phase int

const (
	Decode Phase = iota
	Process
	Produce
)

// String returns the phase's name.
func (p Phase) String() string { return [...]string{"decode", "process", "produce"}[p] }

// Place is a node within a task: where its function is made.
type Place struct {
	Task
	Node *Node
}

// Drop counts a record that the node at p drops.
func (p Place) Drop(reason string) *int64 { return p.Task.Drop(p.Node, reason) }

// Failed hands a failure of the node at p to the app's policy.
func (p Place) Failed(err error) error { return p.Task.Failed(p.Node, Process, err) }

// Next returns what sends a record to every child of the node at p. One child costs nothing: its own function is the
// answer.
//
// Side nodes stand apart: their parent feeds them by tag.
func Next[K, V any](p Place) (Emit[K, V], error) {
	if p.Copy() {
		return nil, nil
	}
	var to []*Node
	for _, c := range p.Node.Children {
		if c.Side == "" {
			to = append(to, c)
		}
	}
	return Fan[K, V](p.Task, p.Node.Name, to)
}

// Aside returns what feeds the side node of that tag below the node at p, nil if nobody asked for it.
func Aside[K, V any](p Place, tag string) (Emit[K, V], error) {
	for _, n := range p.Node.Children {
		if n.Side != tag {
			continue
		}
		f, err := p.Receive(n)
		if err != nil {
			return nil, err
		}
		next, ok := f.(Emit[K, V])
		if !ok {
			return nil, fmt.Errorf("the tag %q is of other types in the topology: %v, %v", tag, n.Key, n.Val)
		}
		return next, nil
	}
	return nil, nil
}

// Fan returns what sends a record to each of the nodes, in their order.
func Fan[K, V any](t Task, from string, to []*Node) (Emit[K, V], error) {
	fs := make([]Emit[K, V], len(to))
	for i, c := range to {
		f, err := t.Receive(c)
		if err != nil {
			return nil, err
		}
		typed, ok := f.(Emit[K, V])
		if !ok {
			return nil, fmt.Errorf("edge: %s cannot follow %s: it takes %T", c.Name, from, f)
		}
		fs[i] = typed
	}
	switch len(fs) {
	case 0:
		return func(*Meta, K, V) error { return nil }, nil
	case 1:
		return fs[0], nil
	case 2:
		a, b := fs[0], fs[1]
		return func(m *Meta, k K, v V) error {
			if err := a(m, k, v); err != nil {
				return err
			}
			return b(m, k, v)
		}, nil
	}
	return func(m *Meta, k K, v V) error {
		for _, f := range fs {
			if err := f(m, k, v); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// Op describes a node to be added.
type Op struct {
	Kind         string // of its generated name, as in "KSTREAM-FILTER"
	Label        string // instead of a generated name
	Reads, Keeps Need
	Passes       Need // of a side node
	Touch        bool
	TakesNoKey   bool
	Stores       []any // state.AnySpec, or Pending
	Resolve      func(n *Node, in Serdes) (out Serdes, err error)
}

// Pending is a store whose serdes are known in Build only: Spec is asked for after Resolve, and returns a state.AnySpec
// of the given type.
type Pending struct {
	Name string
	Type reflect.Type
	Spec func() any
}

// PendingOf declares a store whose spec, a state.Spec, is asked for after Resolve.
func PendingOf[S any](name string, spec func() S) Pending {
	return Pending{Name: name, Type: reflect.TypeFor[S](), Spec: func() any { return spec() }}
}
