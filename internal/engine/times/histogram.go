// Package times counts how long things take, by classes of time, for whoever watches an engine.
package times

import (
	"sync/atomic"
	"time"
)

// Bounds are the upper bounds of the classes, ascending. They are the same for all that is counted, so that one can be laid
// over the other.
var Bounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, time.Second, 5 * time.Second,
}

// Counts are how often something took how long.
type Counts struct {
	Classes [len(Bounds) + 1]uint64 // by Bounds; those of the last took longer than all of them
	Sum     time.Duration
}

// Histogram are Counts as they grow. The zero value is ready. Its methods may be called concurrently, and allocate nothing.
type Histogram struct {
	classes [len(Bounds) + 1]atomic.Uint64
	sum     atomic.Int64
}

// Add counts something that took so long.
func (h *Histogram) Add(took time.Duration) {
	i := 0
	for i < len(Bounds) && took > Bounds[i] {
		i++
	}
	h.classes[i].Add(1)
	h.sum.Add(int64(took))
}

// Counts returns the numbers now.
func (h *Histogram) Counts() Counts {
	c := Counts{Sum: time.Duration(h.sum.Load())}
	for i := range h.classes {
		c.Classes[i] = h.classes[i].Load()
	}
	return c
}
