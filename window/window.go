// Package window defines windows and time: arithmetic only, no state and no clock.
//
// A window definition is a value; its refinements return a changed copy:
//
//	window.Tumbling(time.Minute).Grace(10 * time.Second)
//
// There are few types: an [Instant] is a point in event time, [Windows] assign instants to windows, a [Key] is a key
// within one window.
package window

import (
	"errors"
	"fmt"
	"iter"
	"time"
)

// Instant is a point in time as the log keeps it: milliseconds since the Unix epoch.
type Instant int64

// Forever is the end of what has none.
const Forever Instant = 1<<63 - 1

// At converts a time.Time, dropping what is finer than a millisecond.
func At(t time.Time) Instant { return Instant(t.UnixMilli()) }

// Time returns i as a time.Time in UTC.
func (i Instant) Time() time.Time { return time.UnixMilli(int64(i)).UTC() }

// Add returns i moved by d.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d.Milliseconds()) }

// Plus returns i moved by ms ≥ 0 milliseconds, [Forever] where that would overflow.
func (i Instant) Plus(ms Instant) Instant {
	if i > Forever-ms {
		return Forever
	}
	return i + ms
}

// Sub returns the duration from o to i.
func (i Instant) Sub(o Instant) time.Duration { return time.Duration(i-o) * time.Millisecond }

// String returns i in RFC 3339.
func (i Instant) String() string { return i.Time().Format(time.RFC3339Nano) }

// Key is a key within one window. Start is inclusive; End is exclusive, but inclusive for sliding and session windows.
type Key[K any] struct {
	Key        K
	Start, End Instant
}

// With returns another key within the same window.
func (k Key[K]) With[K2 any](key K2) Key[K2] { return Key[K2]{key, k.Start, k.End} }

// Windows assigns an instant to the windows it falls into.
type Windows struct {
	kind                 string
	size, advance, grace time.Duration
}

// Tumbling returns windows of one size that neither overlap nor leave gaps, aligned to the epoch.
func Tumbling(size time.Duration) Windows { return Windows{"tumbling", size, size, 0} }

// Hopping returns windows of one size that start every advance, aligned to the epoch.
func Hopping(size, advance time.Duration) Windows { return Windows{"hopping", size, advance, 0} }

// Grace keeps windows open for records that come d late. The default is none. A window takes a record as long as its
// end is after the highest time seen, less the grace.
func (w Windows) Grace(d time.Duration) Windows { w.grace = d; return w }

// String describes the definition, as it stands in a topology's description.
func (w Windows) String() string {
	if w.kind == "hopping" {
		return fmt.Sprintf("hopping %v by %v, grace %v", w.size, w.advance, w.grace)
	}
	return fmt.Sprintf("%s %v, grace %v", w.kind, w.size, w.grace)
}

// Size, Advance and GracePeriod return the definition in milliseconds, as event time counts.
func (w Windows) Size() Instant { return Instant(w.size.Milliseconds()) }

// Advance returns how far apart the starts are, in milliseconds.
func (w Windows) Advance() Instant { return Instant(w.advance.Milliseconds()) }

// GracePeriod returns the grace in milliseconds.
func (w Windows) GracePeriod() Instant { return Instant(w.grace.Milliseconds()) }

// Validate returns every mistake in the definition, nil if there is none.
func (w Windows) Validate() error {
	var errs []error
	if w.kind == "" {
		errs = append(errs, errors.New("window: the zero Windows assigns nothing: use Tumbling or Hopping"))
		return errors.Join(errs...)
	}
	if w.size < time.Millisecond {
		errs = append(errs, fmt.Errorf("window: size %v, want at least 1ms", w.size))
	}
	if w.kind == "hopping" && (w.advance < time.Millisecond || w.advance > w.size) {
		errs = append(errs, fmt.Errorf("window: advance %v, want 1ms to the size %v", w.advance, w.size))
	}
	for _, d := range []time.Duration{w.size, w.advance, w.grace} {
		if d%time.Millisecond != 0 {
			errs = append(errs, fmt.Errorf("window: %v is finer than a millisecond", d))
		}
	}
	if w.grace < 0 {
		errs = append(errs, fmt.Errorf("window: negative grace %v", w.grace))
	}
	return errors.Join(errs...)
}

// First returns the start of the earliest window that holds t ≥ 0. Starts are never negative: near the epoch a hopping
// window that would begin before it does not exist.
func (w Windows) First(t Instant) Instant {
	size, advance := w.Size(), w.Advance()
	return max(0, t-size+advance) / advance * advance
}

// Starts returns the starts of all windows that hold t, ascending.
func (w Windows) Starts(t Instant) iter.Seq[Instant] {
	return func(yield func(Instant) bool) {
		advance := w.Advance()
		for s := w.First(t); s <= t; s += advance {
			if !yield(s) {
				return
			}
		}
	}
}
