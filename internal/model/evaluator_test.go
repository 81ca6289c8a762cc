package model

import (
	"encoding/binary"
	"fmt"

	"github.com/thalweg/thalweg/topology"
)

// event is a record or a change of a row on its way through the evaluator.
type event struct {
	key        string
	noKey      bool
	start, end int64 // of windowed keys
	val, old   opt   // of a stream's record val alone
	time       int64
	headers    string
}

func (e event) with(v opt) event { e.val = v; return e }

func (e event) rekey(k string) event { e.key, e.noKey = k, false; return e }

// raw is a record in a topic.
type raw struct {
	key, value  string
	noKey, null bool
	time        int64
	headers     string
}

// node is the output of an operator: what follows is called in the order in which it was added.
type node struct{ edges []edge }

type edge struct {
	recv       func(event)
	to         *node // what recv gives to; nil behind a sink
	takesNoKey bool  // a left or outer join
}

func (n *node) emit(e event) {
	for _, x := range n.edges {
		x.recv(e)
	}
}

// then adds what follows n, and returns its output.
func (n *node) then(f func(e event, emit func(event))) *node {
	to := &node{}
	n.edges = append(n.edges, edge{recv: func(e event) { f(e, to.emit) }, to: to})
	return to
}

// takesNoKey reports whether a left or outer join below n has a use for records without a key.
func (n *node) takesNoKey() bool {
	for _, x := range n.edges {
		if x.takesNoKey || x.to != nil && x.to.takesNoKey() {
			return true
		}
	}
	return false
}

// machine evaluates all sub-topologies for one partition. What crosses a topic ends in wrote, and comes in by enter.
type machine struct {
	p         *program
	partition int32
	enter     map[string]func(raw)
	wrote     map[string]map[int32][]raw // by topic and partition; -1: records without a key, which go anywhere
	ops       []*operator
	sources   map[string]*node
	byKey     map[*node]*node // repartitioned outputs
}

// operator is the state of one operator of a machine.
type operator struct {
	out     *node
	rekeyed bool                           // of streams: the key may have changed since records were partitioned by it
	closed  func() *node                   // of windows: the output of those that have closed
	span    span                           // of windows
	final   bool                           // of windows: each is passed on once
	get     func(k string) (opt, int64)    // of tables: the row of a key and its time
	askOld  func(force bool) bool          // of tables and windows: asks for old values, reports whether they come
	keep    func()                         // of tables: asks for the rows to be kept
	store   map[string]row                 // of tables that are kept
	windows map[string]map[int64]windowRow // by key and start
}

type row struct {
	v  string
	at int64
}

func evaluate(p *program, partition int32) *machine {
	m := &machine{p: p, partition: partition, enter: map[string]func(raw){}, wrote: map[string]map[int32][]raw{},
		sources: map[string]*node{}, byKey: map[*node]*node{}}
	for i, o := range p.ops {
		x := &operator{store: map[string]row{}, windows: map[string]map[int64]windowRow{}}
		var in [2]*operator
		for j, k := range o.in {
			in[j] = m.ops[k]
		}
		name := fmt.Sprint("op", i)
		switch out := kinds[o.kind].out; {
		case o.kind == "source":
			x.out = m.source(sourceTopic(o.a).Name)
		case o.kind == "tableSource":
			m.tableSource(x, m.source(sourceTopic(o.a).Name))
		case out == windows:
			m.windowOp(x, o, name, in[0])
		case out == tables && kinds[o.kind].in[0] == streams:
			m.aggregateOp(x, o, name, in[0])
		case out == tables:
			m.tableOp(x, o, name, in[0], in[1])
		case kinds[o.kind].in[0] == streams:
			m.streamOp(x, o, name, in[0], in[1])
		default:
			m.updatesOp(x, o, in[0])
		}
		m.ops = append(m.ops, x)
	}
	for _, i := range p.sunkOps() {
		m.sink(m.ops[i], sinkName(i), kinds[p.ops[i].kind].out)
	}
	return m
}

// source is the output of a topic, one for all that read it.
func (m *machine) source(topic string) *node {
	n := m.sources[topic]
	if n == nil {
		n = &node{}
		m.sources[topic] = n
		m.enter[topic] = func(r raw) {
			n.emit(event{key: r.key, noKey: r.noKey, val: opt{Value: r.value, OK: !r.null}, time: r.time, headers: r.headers})
		}
	}
	return n
}

func (m *machine) write(topic string, partition int32, r raw) {
	if r.noKey && partition < 0 {
		r.key = ""
	}
	if m.wrote[topic] == nil {
		m.wrote[topic] = map[int32][]raw{}
	}
	m.wrote[topic][partition] = append(m.wrote[topic][partition], r)
}

// of is the partition of a key.
func (m *machine) of(key string) int32 { return topology.Partition([]byte(key), int32(m.p.partitions)) }

func (m *machine) sink(x *operator, topic string, s shape) {
	x.out.edges = append(x.out.edges, edge{recv: func(e event) {
		r := raw{key: e.key, value: e.val.Value, noKey: e.noKey, null: !e.val.OK, time: e.time, headers: e.headers}
		partition := int32(-1)
		if !e.noKey {
			partition = m.of(e.key)
		}
		if s == windows {
			r.key = windowBytes(e.key, x.span, e.start, e.end)
		}
		m.write(topic, partition, r)
	}})
}

// windowBytes is a windowed key in a topic: SEMANTICS 7.1.
func windowBytes(key string, s span, start, end int64) string {
	b := []byte(key)
	if s.kind == "session" {
		b = binary.BigEndian.AppendUint64(b, uint64(end))
	}
	return string(binary.BigEndian.AppendUint64(b, uint64(start)))
}

// innerKey is the key within a windowed one, as it is in the topic.
func innerKey(key string, s span) string {
	if s.kind == "session" {
		return key[:len(key)-16]
	}
	return key[:len(key)-8]
}

// repartitioned sends n through a topic of that name.
func (m *machine) repartitioned(n *node, name string) *node {
	topic := "test-" + name + "-repartition"
	out := m.source(topic)
	n.edges = append(n.edges, edge{recv: func(e event) {
		r := raw{key: e.key, value: e.val.Value, noKey: e.noKey, null: !e.val.OK, time: e.time, headers: e.headers}
		switch {
		case !e.noKey:
			m.write(topic, m.of(e.key), r)
		case out.takesNoKey():
			m.write(topic, -1, r)
		}
	}})
	return out
}

// keyed is a stream with equal keys in one partition.
func (m *machine) keyed(x *operator, name string) *node { return m.keyedNode(x.out, x.rekeyed, name) }

func (m *machine) keyedNode(n *node, rekeyed bool, name string) *node {
	if !rekeyed {
		return n
	}
	if m.byKey[n] == nil {
		m.byKey[n] = m.repartitioned(n, name)
	}
	return m.byKey[n]
}

func (m *machine) streamOp(x *operator, o op, name string, in, other *operator) {
	x.rekeyed = in.rekeyed
	switch o.kind {
	case "filter":
		x.out = in.out.then(func(e event, emit func(event)) {
			if keep(o.a, e.key, e.val) {
				emit(e)
			}
		})
	case "mapValues":
		x.out = in.out.then(func(e event, emit func(event)) { emit(e.with(marked(o.a, e.val))) })
	case "map":
		x.rekeyed = true
		x.out = in.out.then(func(e event, emit func(event)) { emit(e.rekey(rekeyed(o.a, e.key, e.val)).with(marked(o.b, e.val))) })
	case "flatMap":
		x.rekeyed = true
		x.out = in.out.then(func(e event, emit func(event)) {
			for _, y := range several(o.a, e.key, e.val) {
				emit(e.rekey(y.k).with(y.v))
			}
		})
	case "flatMapValues":
		x.out = in.out.then(func(e event, emit func(event)) {
			for _, y := range several(o.a, "", e.val) {
				emit(e.with(y.v))
			}
		})
	case "selectKey":
		x.rekeyed = true
		x.out = in.out.then(func(e event, emit func(event)) { emit(e.rekey(rekeyed(o.a, e.key, e.val))) })
	case "merge":
		x.rekeyed = in.rekeyed || other.rekeyed
		x.out = in.out.then(func(e event, emit func(event)) { emit(e) })
		other.out.edges = append(other.out.edges, edge{recv: func(e event) { x.out.emit(e) }, to: x.out})
	case "split":
		x.out = in.out.then(func(e event, emit func(event)) {
			if keep(o.a, e.key, e.val) {
				emit(e)
				return
			}
			emit(e.with(marked(o.b, e.val)))
		})
	case "repartition":
		x.rekeyed = false
		x.out = m.repartitioned(in.out, name)
	case "dedup":
		x.out = in.out.then(dedup(int64(1 + o.a%20)))
	case "streamTableJoin":
		x.rekeyed = false
		m.streamTableJoin(x, m.keyed(in, name), other, o.a%2 == 1)
	case "streamJoin":
		x.rekeyed = false
		m.streamJoin(x, m.keyed(in, name+"-left"), m.keyed(other, name+"-right"), o)
	}
}

// dedup knows the ids that it has passed on within d of the latest one.
func dedup(d int64) func(e event, emit func(event)) {
	seen, latest := map[string][]int64{}, int64(-1)
	return func(e event, emit func(event)) {
		id := e.key + text(e.val)
		for _, at := range seen[id] {
			if at >= latest-d && at >= e.time-d && at <= e.time+d {
				return
			}
		}
		seen[id] = append(seen[id], e.time)
		latest = max(latest, e.time)
		emit(e)
	}
}

// updatesOp is the stream of a table.
func (m *machine) updatesOp(x *operator, o op, in *operator) {
	if o.kind == "changes" || o.kind == "windowChanges" {
		in.askOld(true)
	}
	x.rekeyed = o.kind == "windowUpdates" || o.kind == "windowChanges"
	x.out = in.out.then(func(e event, emit func(event)) {
		switch {
		case o.kind == "changes" || o.kind == "windowChanges":
			e.val = change(e.old, e.val)
		case !e.val.OK:
			return
		}
		e.old = opt{}
		if x.rekeyed {
			e = e.rekey(windowKey(e.key, e.start))
		}
		e.start, e.end = 0, 0
		emit(e)
	})
}
