package window

import (
	"errors"
	"fmt"
	"iter"
	"time"
)

// Windows assigns an instant to the windows it falls into.
type Windows struct {
	kind                 kind
	size, advance, grace time.Duration
	idle                 time.Duration // 0: time stands still without records
	from                 Instant
	name                 string // of a calendar
	bounds               func(time.Time) (start, end time.Time)
}

type kind uint8

const (
	none kind = iota
	tumbling
	hopping
	sliding
	unlimited
	calendar
)

// Tumbling returns windows of one size that neither overlap nor leave gaps, aligned to the epoch.
func Tumbling(size time.Duration) Windows { return Windows{kind: tumbling, size: size, advance: size} }

// Hopping returns windows of one size that start every advance, aligned to the epoch.
func Hopping(size, advance time.Duration) Windows {
	return Windows{kind: hopping, size: size, advance: advance}
}

// Sliding returns, for each record, the windows of events at most difference apart: one that ends with the record, and
// one that begins right after it once another record falls into that. Both ends are inclusive.
func Sliding(difference time.Duration) Windows { return Windows{kind: sliding, size: difference} }

// Unlimited returns the one window that begins at from and never closes. What is earlier falls into no window.
func Unlimited(from Instant) Windows { return Windows{kind: unlimited, from: from} }

// Grace keeps windows open for records that come d late. The default is none. A window takes a record as long as its
// end is after the highest time seen, less the grace; a sliding one also when it is equal, since its end is inclusive.
func (w Windows) Grace(d time.Duration) Windows { w.grace = d; return w }

// CloseIdle lets time go on by the clock once no record has come for d, so that the last windows close too. Only
// time counts in which the input is known to be read to its end, and nothing is paused or being restored; by so much the
// highest time seen moves on, not to the present, and what comes with an earlier time is late. So d should be longer than a
// pause of producers, or of the parts of a topology before, that means nothing. The default is never.
func (w Windows) CloseIdle(d time.Duration) Windows { w.idle = d; return w }

// Idle returns what CloseIdle was given.
func (w Windows) Idle() time.Duration { return w.idle }

// String describes the definition, as it stands in a topology's description.
func (w Windows) String() string {
	switch w.kind {
	case tumbling:
		return fmt.Sprintf("tumbling %v, grace %v", w.size, w.grace) + quiet(w.idle)
	case hopping:
		return fmt.Sprintf("hopping %v by %v, grace %v", w.size, w.advance, w.grace) + quiet(w.idle)
	case sliding:
		return fmt.Sprintf("sliding %v, grace %v", w.size, w.grace) + quiet(w.idle)
	case unlimited:
		return fmt.Sprintf("unlimited from %v", w.from)
	case calendar:
		return fmt.Sprintf("calendar %s, grace %v", w.name, w.grace) + quiet(w.idle)
	}
	return ""
}

// quiet describes a CloseIdle; nothing, if there is none.
func quiet(idle time.Duration) string {
	if idle == 0 {
		return ""
	}
	return fmt.Sprintf(", closed when idle for %v", idle)
}

// Size returns how long a window is, in milliseconds, as event time counts: of a sliding one the difference, of an
// unlimited one [Forever], of calendar days, weeks and months more than the longest, of other calendars 0: it is not
// known.
func (w Windows) Size() Instant {
	if w.kind == unlimited {
		return Forever
	}
	return Instant(w.size.Milliseconds())
}

// Advance returns how far apart the starts are, in milliseconds.
func (w Windows) Advance() Instant { return Instant(w.advance.Milliseconds()) }

// GracePeriod returns the grace in milliseconds.
func (w Windows) GracePeriod() Instant { return Instant(w.grace.Milliseconds()) }

// Shape says which windows there are, without what refines them: a store of windows is for windows of one shape.
func (w Windows) Shape() string {
	switch w.kind {
	case unlimited:
		return fmt.Sprintf("one window from %d ms", w.from)
	case calendar:
		return "windows of " + w.name
	}
	return fmt.Sprintf("windows of %d ms", w.Size())
}

// Slides reports whether the windows are sliding ones.
func (w Windows) Slides() bool { return w.kind == sliding }

// Endless reports whether the window never closes.
func (w Windows) Endless() bool { return w.kind == unlimited }

// Even reports whether windows are of one size and start at multiples of the advance: see [Windows.First].
func (w Windows) Even() bool { return w.kind == tumbling || w.kind == hopping }

// Validate returns every mistake in the definition, nil if there is none.
func (w Windows) Validate() error {
	if w.kind == none {
		return errors.New("window: the zero Windows assigns nothing: use Tumbling, Hopping, Sliding, Unlimited or a calendar")
	}
	errs := []error{span("grace", w.grace), span("idle time", w.idle)}
	switch w.kind {
	case tumbling, hopping, sliding:
		errs = append(errs, span("size", w.size))
		if w.size < time.Millisecond {
			errs = append(errs, fmt.Errorf("window: size %v, want at least 1ms", w.size))
		}
		if w.kind == hopping {
			errs = append(errs, span("advance", w.advance))
			if w.advance < time.Millisecond || w.advance > w.size {
				errs = append(errs, fmt.Errorf("window: advance %v, want 1ms to the size %v", w.advance, w.size))
			}
		}
	case unlimited:
		if w.from < 0 {
			errs = append(errs, fmt.Errorf("window: unlimited from %v, before 1970: use 0 or later", w.from))
		}
		if w.grace != 0 {
			errs = append(errs, errors.New("window: an unlimited window never closes: leave Grace out"))
		}
		if w.idle != 0 {
			errs = append(errs, errors.New("window: an unlimited window never closes: leave CloseIdle out"))
		}
	case calendar:
		if w.bounds == nil {
			errs = append(errs, fmt.Errorf("window: calendar %q without bounds: give the function that says them", w.name))
		}
		if w.name == "" {
			errs = append(errs, errors.New("window: a calendar without a name: give one"))
		}
	}
	return errors.Join(errs...)
}

// span says what is wrong with a span of time, nil if nothing.
func span(what string, d time.Duration) error {
	switch {
	case d < 0:
		return fmt.Errorf("window: negative %s %v, want 0 or more", what, d)
	case d%time.Millisecond != 0:
		return fmt.Errorf("window: %s %v is finer than a millisecond, want whole ones", what, d)
	}
	return nil
}

// First returns the start of the earliest even window that holds t ≥ 0. Starts are never negative: near the epoch a
// hopping window that would begin before it does not exist.
func (w Windows) First(t Instant) Instant {
	size, advance := w.Size(), w.Advance()
	return max(0, t-size+advance) / advance * advance
}

// Bounds returns the one window of an unlimited or calendar definition that holds t; ok is false if none does.
func (w Windows) Bounds(t Instant) (start, end Instant, ok bool, err error) {
	if w.kind == unlimited {
		return w.from, Forever, t >= w.from, nil
	}
	from, to := w.bounds(t.Time())
	start, end = max(0, At(from)), At(to)
	if start > t || t >= end {
		return 0, 0, false, fmt.Errorf("window: calendar %s gives %v to %v as the window of %v", w.name, from, to, t)
	}
	return start, end, true, nil
}

// End returns the end of the window that starts at start.
func (w Windows) End(start Instant) Instant {
	if w.kind == calendar {
		if _, end, ok, err := w.Bounds(start); ok && err == nil {
			return end
		}
	}
	return start.Plus(w.Size())
}

// Starts returns the starts of all windows that hold t, ascending. Of sliding windows there are none: they depend on
// the records.
func (w Windows) Starts(t Instant) iter.Seq[Instant] {
	return func(yield func(Instant) bool) {
		switch w.kind {
		case tumbling, hopping:
			advance := w.Advance()
			for s := w.First(t); s <= t; s += advance {
				if !yield(s) {
					return
				}
			}
		case unlimited, calendar:
			if s, _, ok, err := w.Bounds(t); ok && err == nil {
				yield(s)
			}
		}
	}
}
