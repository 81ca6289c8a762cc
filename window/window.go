// Package window defines windows and time: arithmetic only, no state and no clock.
//
// A window definition is a value; its refinements return a changed copy:
//
//	window.Tumbling(time.Minute).Grace(10 * time.Second)
//
// There are few types: an [Instant] is a point in event time, [Windows] assign instants to windows, [Sessions] are
// windows that end after a gap, a [Key] is a key within one window.
package window

import "time"

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
