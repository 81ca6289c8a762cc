// Package window defines windows and time: arithmetic only, no state and no clock.
//
// There are few types: an [Instant] is a point in event time, [Windows] assign instants to windows, [Sessions] are
// windows that end after a gap, a [Join] is how far apart records of two streams may be, a [Key] is a key within one
// window. The smallest program:
//
//	var (
//		clicks = topology.NewTopic("clicks", serde.String, serde.String)
//		counts = topology.NewTopic("clicks-per-minute", serde.String, serde.Int64)
//	)
//
//	func count(b *topology.Builder) {
//		stream.From(b, clicks).
//			GroupByKey().
//			Windowed(window.Tumbling(time.Minute).Grace(10 * time.Second)).
//			Count("counts").
//			Final().                 // one result for each window, when it closes
//			Then(stream.Unwindowed). // by user again: it was by user and window
//			To(counts)
//	}
//
//	func main() { stream.Main("clicks", count, stream.Config{}) }
//
// # Definitions are values
//
// Their refinements (Grace, CloseIdle) return a changed copy. A definition that cannot be is a mistake that Build reports
// at the call that uses it.
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
