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

// CloseIdle is as for [Windows.CloseIdle].
func (w Sessions) CloseIdle(d time.Duration) Sessions { w.idle = d; return w }

// String describes the definition, as it stands in a topology's description.
func (w Sessions) String() string {
	text := fmt.Sprintf("sessions with a gap of %v, grace %v", w.gap, w.grace)
	if w.idle > 0 {
		text += fmt.Sprintf(", closed when idle for %v", w.idle)
	}
	return text
}

// Gap returns the gap in milliseconds, as event time counts.
func (w Sessions) Gap() Instant { return Instant(w.gap.Milliseconds()) }

// GracePeriod returns the grace in milliseconds.
func (w Sessions) GracePeriod() Instant { return Instant(w.grace.Milliseconds()) }

// Idle returns what CloseIdle was given, in milliseconds; 0: time is that of the records alone.
func (w Sessions) Idle() Instant { return Instant(w.idle.Milliseconds()) }

// Validate returns every mistake in the definition, nil if there is none.
func (w Sessions) Validate() error {
	errs := []error{span("gap", w.gap), span("grace", w.grace), span("idle time", w.idle)}
	if w.gap < time.Millisecond {
		errs = append(errs, fmt.Errorf("window: a gap of %v, want at least 1ms", w.gap))
	}
	return errors.Join(errs...)
}
