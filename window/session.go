package window

import (
	"errors"
	"fmt"
	"time"
)

// Sessions are windows of activity: they end after a gap without records of the key. Both ends are inclusive: the times
// of the first record and of the last.
type Sessions struct{ gap, grace, idle time.Duration }

// Session returns sessions that end after gap without a record of the key.
func Session(gap time.Duration) Sessions { return Sessions{gap: gap} }

// Grace keeps sessions open for records that come d late. The default is none. A session takes a record as long as it
// then ends no earlier than the highest time seen, less the grace and the gap.
func (w Sessions) Grace(d time.Duration) Sessions { w.grace = d; return w }

// CloseIdle lets time go on by the clock once no record has come for d, so that the last sessions end too. Only
// time counts in which the input is known to be read to its end, and nothing is paused or being restored; by so much the
// highest time seen moves on, not to the present, and what comes with an earlier time is late. So d should be longer than a
// pause of producers, or of the parts of a topology before, that means nothing. The default is never.
func (w Sessions) CloseIdle(d time.Duration) Sessions { w.idle = d; return w }

// Idle returns what CloseIdle was given.
func (w Sessions) Idle() time.Duration { return w.idle }

// String describes the definition, as it stands in a topology's description.
func (w Sessions) String() string {
	return fmt.Sprintf("sessions with a gap of %v, grace %v", w.gap, w.grace) + quiet(w.idle)
}

// Gap returns the gap in milliseconds, as event time counts.
func (w Sessions) Gap() Instant { return Instant(w.gap.Milliseconds()) }

// GracePeriod returns the grace in milliseconds.
func (w Sessions) GracePeriod() Instant { return Instant(w.grace.Milliseconds()) }

// Validate returns every mistake in the definition, nil if there is none.
func (w Sessions) Validate() error {
	errs := []error{span("gap", w.gap), span("grace", w.grace), span("idle time", w.idle)}
	if w.gap < time.Millisecond {
		errs = append(errs, fmt.Errorf("window: a gap of %v, want at least 1ms", w.gap))
	}
	return errors.Join(errs...)
}
