package model

import (
	"slices"
	"time"
)

// patience is how long a case is made smaller.
const patience = 20 * time.Second

// shrink makes a failing case as small as it can be and still fail: fewer operators, steps, records, partitions.
func shrink(p *program, problem, dir string) (*program, string) {
	end := time.Now().Add(patience)
	for again := true; again; {
		again = false
		for _, smaller := range p.smaller() {
			if time.Now().After(end) {
				return p, problem
			}
			if now := smaller.run(dir); now != "" {
				p, problem, again = smaller, now, true
				break
			}
		}
	}
	return p, problem
}

func (p *program) clone() *program {
	q := *p
	q.ops, q.steps = slices.Clone(p.ops), slices.Clone(p.steps)
	return &q
}

// smaller are the cases that have a little less, the greatest steps first.
func (p *program) smaller() (all []*program) {
	for i := range p.ops {
		if q := p.without(i); q != nil {
			all = append(all, q)
		}
	}
	for size := len(p.steps) / 2; size > 0; size /= 2 {
		for i := 0; i+size <= len(p.steps); i += size {
			q := p.clone()
			q.steps = slices.Delete(q.steps, i, i+size)
			all = append(all, q)
		}
	}
	for i, s := range p.steps {
		for j := range s.records {
			q := p.clone()
			q.steps[i].records = slices.Delete(slices.Clone(s.records), j, j+1)
			all = append(all, q)
		}
	}
	if p.instances > 1 {
		q := p.clone()
		q.instances--
		all = append(all, q)
	}
	if p.partitions > 1 {
		q := p.clone()
		q.partitions--
		all = append(all, q)
	}
	if p.commitEvery > 1 {
		q := p.clone()
		q.commitEvery = 1
		all = append(all, q)
	}
	for i, o := range p.ops {
		if o.sunk {
			q := p.clone()
			q.ops[i].sunk = false
			all = append(all, q)
		}
	}
	for i, s := range p.steps {
		if s.after > 1 {
			q := p.clone()
			q.steps[i].after--
			all = append(all, q)
		}
	}
	return all
}

// without leaves out an operator: what followed it follows what it followed, or goes with it.
func (p *program) without(gone int) *program {
	q := *p
	q.ops = nil
	moved := make([]int, len(p.ops)) // where each operator is now, -1: gone
	for i, o := range p.ops {
		o.in = slices.Clone(o.in)
		ok := i != gone
		for j, k := range o.in {
			if k == gone && len(p.ops[gone].in) > 0 && kinds[p.ops[p.ops[gone].in[0]].kind].out == kinds[p.ops[gone].kind].out {
				k = p.ops[gone].in[0]
			}
			o.in[j] = moved[k]
			ok = ok && moved[k] >= 0
		}
		if moved[i] = len(q.ops); !ok || !q.valid(o) {
			moved[i] = -1
			continue
		}
		q.ops = append(q.ops, o)
	}
	if len(q.ops) == 0 || !slices.ContainsFunc(q.ops, func(o op) bool { return len(o.in) > 0 }) {
		return nil
	}
	q.steps = slices.Clone(p.steps)
	return &q
}
