package task

import "time"

// silence is what a node hears of no records: see [edge.Task.OnIdle].
type silence struct {
	after int64 // ms
	f     func(idle int64) error
	idle  int64 // so far, ms
	heard int64 // when the last record came; -1: none has since the last look
	last  int64 // when it was looked last; -1: never
}

// Looks at the clock for nodes that wait for silence.
const (
	looks     = 8 // in the time that they wait
	looksMost = time.Second
	// known is how long an input counts as read to its end after the last answer that said so.
	known = 5 * time.Second
)

// OnIdle implements edge.Task.
func (t *Task) OnIdle(after time.Duration, f func(idle int64) error) (heard func()) {
	s := &silence{after: after.Milliseconds(), f: f, heard: -1, last: -1}
	every := max(1, min(after/looks, looksMost).Milliseconds())
	t.clock = t.Now()
	t.listens = true
	t.OnDue(true, func(now int64) (int64, error) {
		s.look(now, t.quiet(now), t.env.IdleStep.Milliseconds())
		if s.idle < s.after {
			return now + every, nil
		}
		return now + every, f(s.idle)
	})
	t.OnEnd(func(committed bool) {
		if !committed {
			s.idle, s.heard, s.last = 0, -1, -1
		}
	})
	return func() { s.heard = t.clock }
}

// look counts what has passed since the last look, no more than step at once (0: all): what is more was not waited for, but
// slept through.
func (s *silence) look(now int64, quiet bool, step int64) {
	from := s.last
	if s.heard >= 0 {
		s.idle, from = 0, s.heard
	}
	s.last, s.heard = now, -1
	if from < 0 || !quiet {
		return
	}
	passed := max(0, now-from)
	if step > 0 {
		passed = min(passed, step)
	}
	s.idle += passed
}

// quiet reports whether it is known that no record is on its way to the task, as far as it can know.
func (t *Task) quiet(now int64) bool {
	if t.turns.calls > 0 || t.turns.holds > 0 || !t.Dry() || t.env.Settled != nil && !t.env.Settled() {
		return false
	}
	for _, in := range t.inputs {
		if t.env.IdleStep > 0 && now-in.answered > known.Milliseconds() {
			return false
		}
	}
	return true
}
