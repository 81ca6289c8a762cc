package model

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/window"
)

// program is a case: a topology and what happens to it.
type program struct {
	seed                               uint64
	partitions, instances, commitEvery int
	ops                                []op
	steps                              []step
}

// op is an operator. The first ones are sources.
type op struct {
	kind    string
	in      []int // the operators it follows
	a, b, c int   // what the kind makes of them
	sunk    bool  // it has a sink, though others follow it
}

// step is something that happens.
type step struct {
	kind     string // put, crash, wipe, restart, abort, scale, commit
	topic    int    // of put
	records  []record
	instance int // of the others; of scale, how many there are to be
	after    int // records to be processed before; 0: at once
}

type record struct {
	key   string // "": none
	value opt
	at    int64
	id    int // its header
}

// shape is what an operator gives.
type shape int

const (
	streams shape = iota
	tables
	windows
)

// kinds are the operators: what they take and what they give.
var kinds = map[string]struct {
	in     []shape
	out    shape
	weight int
}{
	"source":          {nil, streams, 0},
	"tableSource":     {nil, tables, 0},
	"filter":          {[]shape{streams}, streams, 2},
	"mapValues":       {[]shape{streams}, streams, 2},
	"map":             {[]shape{streams}, streams, 3},
	"flatMap":         {[]shape{streams}, streams, 2},
	"flatMapValues":   {[]shape{streams}, streams, 1},
	"selectKey":       {[]shape{streams}, streams, 3},
	"merge":           {[]shape{streams, streams}, streams, 2},
	"split":           {[]shape{streams}, streams, 2},
	"repartition":     {[]shape{streams}, streams, 2},
	"dedup":           {[]shape{streams}, streams, 2},
	"toTable":         {[]shape{streams}, tables, 3},
	"count":           {[]shape{streams}, tables, 2},
	"reduce":          {[]shape{streams}, tables, 2},
	"aggregate":       {[]shape{streams}, tables, 2},
	"fold":            {[]shape{streams}, tables, 2},
	"sum":             {[]shape{streams}, tables, 1},
	"top":             {[]shape{streams}, tables, 1},
	"window":          {[]shape{streams}, windows, 8},
	"windowFilter":    {[]shape{windows}, windows, 2},
	"windowMap":       {[]shape{windows}, windows, 2},
	"final":           {[]shape{windows}, windows, 5},
	"windowSuppress":  {[]shape{windows}, windows, 3},
	"windowUpdates":   {[]shape{windows}, streams, 2},
	"unwindowed":      {[]shape{windows}, streams, 2},
	"windowChanges":   {[]shape{windows}, streams, 2},
	"tableFilter":     {[]shape{tables}, tables, 2},
	"tableMap":        {[]shape{tables}, tables, 2},
	"changed":         {[]shape{tables}, tables, 1},
	"materialize":     {[]shape{tables}, tables, 2},
	"suppress":        {[]shape{tables}, tables, 3},
	"tableJoin":       {[]shape{tables, tables}, tables, 4},
	"tableGroup":      {[]shape{tables}, tables, 4},
	"foreignJoin":     {[]shape{tables, tables}, tables, 4},
	"updates":         {[]shape{tables}, streams, 2},
	"changes":         {[]shape{tables}, streams, 2},
	"streamTableJoin": {[]shape{streams, tables}, streams, 5},
	"streamJoin":      {[]shape{streams, streams}, streams, 8},
}

// names are the kinds in a fixed order, each as often as its weight says.
var names = func() (all []string) {
	for k, s := range kinds {
		for range s.weight {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return all
}()

const maxSources, maxOps = 3, 8

// generate makes the case of a seed.
func generate(seed uint64) *program {
	r := rand.New(rand.NewPCG(seed, 1))
	p := &program{seed: seed, partitions: 1 + r.IntN(4), instances: 1 + r.IntN(3), commitEvery: []int{1, 2, 5, 100}[r.IntN(4)]}
	sources := 1 + r.IntN(maxSources)
	for i := range sources {
		if n := r.IntN(3); n > 0 {
			p.ops = append(p.ops, op{kind: "source", a: i})
		} else {
			p.ops = append(p.ops, op{kind: "tableSource", a: i})
		}
	}
	for n := 1 + r.IntN(maxOps); n > 0; {
		if o, ok := p.grow(r); ok {
			p.ops = append(p.ops, o)
			n--
		}
	}
	p.happen(r, sources)
	return p
}

// grow makes one more operator, if what it follows is there.
func (p *program) grow(r *rand.Rand) (o op, ok bool) {
	o = op{kind: names[r.IntN(len(names))], a: r.IntN(1000), b: r.IntN(1000), c: r.IntN(1000), sunk: r.IntN(3) == 0}
	for _, want := range kinds[o.kind].in {
		var fit []int
		for i := range p.ops {
			if kinds[p.ops[i].kind].out == want {
				fit = append(fit, i)
			}
		}
		if len(fit) == 0 {
			return o, false
		}
		// What is new is followed more often.
		o.in = append(o.in, fit[max(r.IntN(len(fit)), r.IntN(len(fit)))])
	}
	return o, p.valid(o)
}

// maxDegree bounds towers of joins, each of which joins what the one below has made with itself: a hundred records become millions.
const maxDegree = 4

// degree is the power of the records at the sources with which those of an operator grow.
func (p *program) degree(i int) int {
	o := p.ops[i]
	if o.kind == "streamJoin" {
		return p.degree(o.in[0]) + p.degree(o.in[1])
	}
	most := 1
	for _, in := range o.in {
		most = max(most, p.degree(in))
	}
	return most
}

// valid reports whether Build takes o, and what comes of it can be gone through.
func (p *program) valid(o op) bool {
	switch o.kind {
	case "merge":
		return o.in[0] != o.in[1]
	case "streamJoin":
		return p.degree(o.in[0])+p.degree(o.in[1]) <= maxDegree
	case "final":
		for i := o.in[0]; ; i = p.ops[i].in[0] {
			switch p.ops[i].kind {
			case "window":
				return true
			case "windowFilter", "windowMap":
			default:
				return false
			}
		}
	}
	return true
}

// happen makes the steps.
func (p *program) happen(r *rand.Rand, sources int) {
	clock, id := int64(r.IntN(30)), 0
	for range 3 + r.IntN(12) {
		s := step{kind: "put", topic: r.IntN(sources)}
		for range 1 + r.IntN(8) {
			if clock += int64(r.IntN(5)); r.IntN(25) == 0 {
				clock += int64(r.IntN(80))
			}
			id++
			rec := record{key: letter(r.IntN(letters)), at: max(0, clock-int64(r.IntN(4))), id: id}
			if r.IntN(6) == 0 {
				rec.at = max(0, clock-int64(r.IntN(60)))
			}
			if r.IntN(20) == 0 {
				rec.key = ""
			}
			if r.IntN(8) > 0 {
				rec.value = opt{Value: fmt.Sprint("v", r.IntN(20)), OK: true}
			}
			s.records = append(s.records, rec)
		}
		if r.IntN(3) == 0 {
			p.steps = append(p.steps, p.trouble(r))
		}
		p.steps = append(p.steps, s)
	}
}

func (p *program) trouble(r *rand.Rand) step {
	s := step{kind: []string{"crash", "wipe", "restart", "abort", "scale", "commit"}[r.IntN(6)], instance: r.IntN(3), after: r.IntN(8)}
	if s.kind == "scale" {
		s.instance = 1 + r.IntN(3)
	}
	return s
}

// sunkOps are the operators with a sink: those that nothing follows, and some others.
func (p *program) sunkOps() (is []int) {
	for i, o := range p.ops {
		followed := false
		for _, n := range p.ops {
			followed = followed || slices.Contains(n.in, i)
		}
		if o.sunk || !followed {
			is = append(is, i)
		}
	}
	return is
}

const ms = time.Millisecond

// span is the window of a window operator.
type span struct {
	kind                 string
	size, advance, grace int64
}

func (o op) span() span {
	s := span{kind: []string{"tumbling", "hopping", "sliding", "session"}[o.b%4], size: 2 + int64(o.b/4)%14, grace: int64(o.c%4) * int64(o.c/4%9)}
	s.advance = s.size
	if s.kind == "hopping" {
		s.advance = 1 + s.size/(2+int64(o.c/4%3))
	}
	return s
}

// long is the retention of windows that are kept beyond what their aggregate needs.
const long = 1000

// retention is how long a window operator keeps windows: SEMANTICS 3.2, of sessions alone.
func (o op) retention() int64 {
	if o.c%2 == 0 {
		return long
	}
	return o.span().size + o.span().grace
}

// options are those of a window operator.
func (o op) options() (opts []state.Options) {
	if o.c%2 == 0 {
		opts = append(opts, state.Options{Retention: long * ms})
	}
	return opts
}

// aggregation is which aggregate a window operator makes.
func (o op) aggregation() string { return []string{"count", "aggregate", "reduce"}[o.a%3] }

func (s span) windows() window.Windows {
	switch s.kind {
	case "tumbling":
		return window.Tumbling(time.Duration(s.size) * ms).Grace(time.Duration(s.grace) * ms)
	case "hopping":
		return window.Hopping(time.Duration(s.size)*ms, time.Duration(s.advance)*ms).Grace(time.Duration(s.grace) * ms)
	}
	return window.Sliding(time.Duration(s.size) * ms).Grace(time.Duration(s.grace) * ms)
}

func (s span) sessions() window.Sessions {
	return window.Session(time.Duration(s.size) * ms).Grace(time.Duration(s.grace) * ms)
}

// reach is the window of a stream-stream join.
type reach struct{ before, after, grace int64 }

func (o op) reach() reach {
	r := reach{int64(o.b % 12), int64(o.b / 12 % 12), int64(o.c%3) * int64(o.c/3%8)}
	if o.c%20 == 7 {
		r.before = -r.after / 2
	}
	return r
}

func (r reach) window() window.Join {
	return window.Within(0).Before(time.Duration(r.before) * ms).After(time.Duration(r.after) * ms).Grace(time.Duration(r.grace) * ms)
}

// sides is which side's records stay without a partner, in joins of two.
func (o op) sides() string { return []string{"inner", "left", "outer"}[o.a%3] }

// groupsAnew reports whether an aggregate groups by another key.
func (o op) groupsAnew() bool { return o.c%3 == 0 }
