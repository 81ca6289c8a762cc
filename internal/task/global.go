package task

import (
	"fmt"
	"iter"
	"sync"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
)

// Global is a part of the graph that every instance runs once: it fills a store from all partitions of a topic, and
// tasks read the store. It is safe for concurrent use.
type Global struct {
	mu     sync.Mutex
	t      *Task
	inputs map[*edge.Node]map[int32]*input
}

// OpenGlobal opens the stores and nodes of a global part. Env needs no Out and no Reads, and no DB: it is all in memory.
func OpenGlobal(env Env) (*Global, error) {
	env.DB, env.Below = nil, nil
	env.Reads = func(*edge.Node) []*edge.Topic { return nil }
	env.Out = func(topic string) (edge.Out, error) {
		return nil, fmt.Errorf("task: a global store writes to %s", topic)
	}
	t, err := Open(env)
	if err != nil {
		return nil, err
	}
	g := &Global{t: t, inputs: map[*edge.Node]map[int32]*input{}}
	for _, n := range env.Sub.Sources {
		if _, err := t.Receive(n); err != nil {
			return nil, err
		}
		g.inputs[n] = map[int32]*input{}
	}
	return g, nil
}

// Topics returns what the part reads.
func (g *Global) Topics() (names []string) {
	for _, n := range g.t.env.Sub.Sources {
		names = append(names, n.Topic.Name)
	}
	return names
}

// Apply takes committed batches of one partition, those records from offset from on.
func (g *Global) Apply(topic string, partition int32, batches [][]byte, from int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for n, byPartition := range g.inputs {
		if n.Topic.Name != topic {
			continue
		}
		in := byPartition[partition]
		if in == nil {
			in = newInput(n.Topic, partition, g.t.recv[n].(edge.Entrance), nil)
			byPartition[partition] = in
		}
		if err := g.apply(in, batches, from); err != nil {
			return err
		}
	}
	return g.t.endGlobal()
}

func (g *Global) apply(in *input, batches [][]byte, from int64) error {
	var r batch.Reader
	for _, b := range batches {
		if err := r.Reset(b); err != nil {
			return err
		}
		for r.Next(&in.group[0]) {
			if in.group[0].Offset < from {
				continue
			}
			in.n, in.i = 1, 0
			if err := protect(func() error { return g.t.pushGlobal(in) }); err != nil {
				if p, ok := err.(*panicError); ok {
					err = g.t.failed("", edge.Process, p)
				}
				if err != nil {
					return err
				}
			}
		}
		if err := r.Err(); err != nil {
			return err
		}
	}
	return nil
}

// pushGlobal passes the record at the head of in on.
func (t *Task) pushGlobal(in *input) error {
	t.loaded = nil
	t.load(in, &in.group[0], 0)
	t.meta.Hashed = false
	at, skip, err := in.entrance.Time(&t.meta, in.time)
	if err != nil || skip {
		return err
	}
	t.meta.Time = at
	in.time, t.streamTime = max(in.time, at), max(t.streamTime, at)
	if err := in.entrance.Push(&t.meta); err != nil {
		return err
	}
	for _, o := range t.failing {
		if err := o.failed(); err != nil {
			return fmt.Errorf("store %q: %w", o.decl.Name, err)
		}
	}
	return nil
}

// endGlobal makes what was applied what queries see.
func (t *Task) endGlobal() error {
	for _, o := range t.stores {
		if err := o.store.Flush(o.noted(nowhere{})); err != nil {
			return fmt.Errorf("task %s: store %q: %w", t.id, o.decl.Name, err)
		}
		o.store.Ended(o.now)
		o.tell(true)
	}
	return nil
}

// store returns the store of that name and what guards it, nil if it has none such.
func (g *Global) store(name string) (store.Store, *sync.Mutex) {
	for _, o := range g.t.stores {
		if o.decl.Name == name {
			return o.store, &g.mu
		}
	}
	return nil, nil
}

// Ask answers a question about the rows of a store; ok is false if it has none of that name. The rows are copies.
func (g *Global) Ask(name string, q store.Query) (rows iter.Seq2[store.Row, error], ok bool) {
	st, mu := g.store(name)
	if st == nil {
		return nil, false
	}
	mu.Lock()
	defer mu.Unlock()
	var all []store.Row
	var failed error
	for r, err := range st.Committed(q) {
		if failed = err; err != nil {
			break
		}
		r.Key, r.Value = append([]byte{}, r.Key...), append([]byte{}, r.Value...)
		all = append(all, r)
	}
	return func(yield func(store.Row, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
		if failed != nil {
			yield(store.Row{}, failed)
		}
	}, true
}

// Counters is as for Task.
func (g *Global) Counters(f func(node, name string, dropped bool, n int64)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.t.Counters(f)
}

// Close closes the part. No task may read its stores any more.
func (g *Global) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.t.Close()
}
