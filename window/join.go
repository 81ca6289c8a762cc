package window

import (
	"errors"
	"fmt"
	"time"
)

// Join says how far apart in time two records may be to join: a right record at r joins a left one at l if
// l − before ≤ r ≤ l + after.
type Join struct{ before, after, grace, idle time.Duration }

// Within joins records at most d apart, either first.
func Within(d time.Duration) Join { return Join{before: d, after: d} }

// Before changes how much earlier than the left record the right one may be. It may be negative, as may After, as
// long as their sum is not.
func (j Join) Before(d time.Duration) Join { j.before = d; return j }

// After changes how much later than the left record the right one may be.
func (j Join) After(d time.Duration) Join { j.after = d; return j }

// Grace waits d longer before a record of a left or outer join counts as unmatched, and keeps records so much longer for
// partners that come late.
func (j Join) Grace(d time.Duration) Join { j.grace = d; return j }

// CloseIdle lets time go on by the clock once no record has come for d, so that the last records without a
// partner leave too. Only
// time counts in which the input is known to be read to its end, and nothing is paused or being restored; by so much the
// highest time seen moves on, not to the present, and what comes with an earlier time is late. So d should be longer than a
// pause of producers, or of the parts of a topology before, that means nothing. The default is never.
func (j Join) CloseIdle(d time.Duration) Join { j.idle = d; return j }

// Idle returns what CloseIdle was given.
func (j Join) Idle() time.Duration { return j.idle }

// String describes the definition, as it stands in a topology's description.
func (j Join) String() string {
	return fmt.Sprintf("within %v before and %v after, grace %v", j.before, j.after, j.grace) + quiet(j.idle)
}

// Reach returns how much earlier and later than the left record the right one may be, in milliseconds.
func (j Join) Reach() (before, after Instant) {
	return Instant(j.before.Milliseconds()), Instant(j.after.Milliseconds())
}

// GracePeriod returns the grace in milliseconds.
func (j Join) GracePeriod() Instant { return Instant(j.grace.Milliseconds()) }

// Retention returns how long each side has to keep its records, in milliseconds.
func (j Join) Retention() Instant {
	before, after := j.Reach()
	return max(1, (before + after).Plus(j.GracePeriod()))
}

// Validate returns every mistake in the definition, nil if there is none.
func (j Join) Validate() error {
	errs := []error{span("grace", j.grace), span("idle time", j.idle), span("extent", j.before+j.after)}
	if j.before%time.Millisecond != 0 {
		errs = append(errs, fmt.Errorf("window: %v before is finer than a millisecond, want whole ones", j.before))
	}
	return errors.Join(errs...)
}
