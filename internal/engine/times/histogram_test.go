package times

import (
	"testing"
	"time"
)

// TestClasses puts times into their classes, without allocating.
func TestClasses(t *testing.T) {
	var h Histogram
	for took, class := range map[time.Duration]int{0: 0, Bounds[0]: 0, Bounds[0] + 1: 1, Bounds[len(Bounds)-1]: len(Bounds) - 1, time.Hour: len(Bounds)} {
		before := h.Counts()
		h.Add(took)
		after := h.Counts()
		if after.Classes[class] != before.Classes[class]+1 || after.Sum != before.Sum+took {
			t.Errorf("%v is not in class %d: %+v, then %+v", took, class, before, after)
		}
	}
	if n := testing.AllocsPerRun(100, func() { h.Add(time.Second) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
