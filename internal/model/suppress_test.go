package model

import (
	"cmp"
	"math"
	"slices"
)

// held is a change in a suppress buffer.
type held struct {
	due   int64
	bytes string // of the key
	prior opt
	last  event
}

// suppressor: SEMANTICS 3.9.
type suppressor struct {
	time, wait int64
	most       int // records held; 0: no limit
	finalOnly  bool
	due        func(e event) int64
	bytes      func(e event) string
	held       []held
}

func (s *suppressor) take(e event, emit func(event)) {
	s.time = max(s.time, e.time)
	b := s.bytes(e)
	i := slices.IndexFunc(s.held, func(h held) bool { return h.bytes == b })
	if i < 0 {
		i = len(s.held)
		s.held = append(s.held, held{due: s.due(e), bytes: b, prior: e.old})
	}
	s.held[i].last = e
	slices.SortFunc(s.held, func(x, y held) int { return cmp.Or(cmp.Compare(x.due, y.due), cmp.Compare(x.bytes, y.bytes)) })
	pass := func() {
		h := s.held[0]
		s.held = s.held[1:]
		h.last.old = h.prior
		if h.last.val.OK || !s.finalOnly {
			emit(h.last)
		}
	}
	for len(s.held) > 0 && s.wait < math.MaxInt64 && s.held[0].due <= s.time-s.wait {
		pass()
	}
	for s.most > 0 && len(s.held) > s.most {
		pass()
	}
}

func (m *machine) suppressTable(x *operator, o op, in *operator) {
	in.askOld(true)
	s := &suppressor{time: -1, wait: math.MaxInt64, due: func(e event) int64 { return e.time }, bytes: func(e event) string { return e.key }}
	s.limit(o)
	x.keep = in.keep
	x.askOld = func(bool) bool { return true }
	x.get = func(k string) (opt, int64) {
		for _, h := range s.held {
			if h.bytes == k {
				return h.prior, -1
			}
		}
		return in.get(k)
	}
	x.out = in.out.then(s.take)
}

func (s *suppressor) limit(o op) {
	until := o.suppression()
	s.most = until.MaxRecords
	if until.After > 0 {
		s.wait = until.After.Milliseconds()
	}
}

func (m *machine) suppressWindows(x *operator, o op, in *operator) {
	in.askOld(true)
	s := &suppressor{time: -1, wait: math.MaxInt64, due: func(e event) int64 { return e.time }}
	s.bytes = func(e event) string { return windowBytes(e.key, x.span, e.start, e.end) }
	if s.limit(o); o.untilClose() {
		s.most, s.finalOnly, s.wait = 0, true, x.span.grace
		if s.due = func(e event) int64 { return e.end }; x.span.kind == "session" {
			s.wait += x.span.size
		}
	}
	x.askOld = func(bool) bool { return true }
	x.out = in.out.then(s.take)
}
