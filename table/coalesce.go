package table

import (
	"bytes"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/topology"
)

// coalesceMost is how many updates may wait in a task before it asks for a commit.
const coalesceMost = 1 << 16

// Coalesced returns the output of the rows as their options want it: with Coalesce, the last update of each row at a commit.
func (r *Rows[K, V]) Coalesced(out topology.Output[K, Change[V]]) topology.Output[K, Change[V]] {
	if len(r.opts) == 0 || !r.opts[0].Coalesce || out.Builder() == nil {
		return out
	}
	r.old = true // whether there is anything to pass on depends on what was there
	return Coalesce(out, r.name, func() serde.Serde[K] { return r.key })
}

// Coalesce adds the node that holds the changes of each key until a commit and passes on the last, from what was there at
// the commit before. They go in the order of the last writes, each with time, headers and origin of its own. key is known
// after Build. Changes must have old values.
func Coalesce[K, V any](out topology.Output[K, Change[V]], name string, key func() serde.Serde[K]) topology.Output[K, Change[V]] {
	op := tableOp("KTABLE-COALESCE", edge.Need{Key: true, Val: true})
	op.Label = name + "-coalesce"
	return out.Apply[K, Change[V]](op, func(at edge.Place, next edge.Emit[K, Change[V]]) (edge.Emit[K, Change[V]], error) {
		c := &coalescer[K, V]{at: at, next: next, keys: edge.NewKeyer(at, key()), raw: at.Node.In.Key != nil}
		c.forget()
		at.OnFlush(at.Node, c.flush)
		at.OnEnd(func(bool) { c.forget() })
		return c.receive, nil
	})
}

// coalescer is a Coalesce in one task.
type coalescer[K, V any] struct {
	at   edge.Place
	next edge.Emit[K, Change[V]]
	keys *edge.Keyer[K]
	raw  bool           // the edge has bytes of keys
	last map[string]int // place of a key's update in held
	held []heldChange[K, V]
}

// heldChange is an update that waits for the commit. One that another of its key has followed is over.
type heldChange[K, V any] struct {
	meta edge.Meta // its slices are its own
	k    K
	c    Change[V]
	over bool
}

func (x *coalescer[K, V]) forget() {
	x.last = map[string]int{}
	clear(x.held)
	x.held = x.held[:0]
}

func (x *coalescer[K, V]) receive(m *edge.Meta, k K, c Change[V]) error {
	key, err := x.keys.Key(m, k)
	if err != nil {
		return err
	}
	if i, ok := x.last[string(key.Bytes)]; ok {
		c.Old, x.held[i] = x.held[i].c.Old, heldChange[K, V]{over: true}
	}
	h := heldChange[K, V]{k: k, c: c, meta: edge.Meta{Time: m.Time, Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Headers: m.Headers}}
	if m.Headers == nil {
		h.meta.RawHeaders = append([]byte(nil), m.RawHeaders...)
	}
	if x.raw {
		h.meta.Key.Bytes = bytes.Clone(m.Key.Bytes)
	}
	if len(x.held) > 2*len(x.last)+64 {
		x.compact()
	}
	x.last[string(key.Bytes)] = len(x.held)
	x.held = append(x.held, h)
	if len(x.last) > coalesceMost {
		x.at.Commit()
	}
	return nil
}

// compact lets go of what is over.
func (x *coalescer[K, V]) compact() {
	moved, n := make([]int, len(x.held)), 0
	for i := range x.held {
		if !x.held[i].over {
			x.held[n], moved[i] = x.held[i], n
			n++
		}
	}
	clear(x.held[n:])
	x.held = x.held[:n]
	for k, i := range x.last {
		x.last[k] = moved[i]
	}
}

// flush passes on what is held.
func (x *coalescer[K, V]) flush() error {
	for i := range x.held {
		h := &x.held[i]
		if h.over || !h.c.New.OK && !h.c.Old.OK {
			continue // what came and went between two commits was never there
		}
		err := x.at.Resume(x.at.Node, h.meta, func(m *edge.Meta) error { return x.next(m, h.k, h.c) })
		if err != nil {
			return err
		}
	}
	x.forget()
	return nil
}
