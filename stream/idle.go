package stream

import (
	"math"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
)

// idling moves the time that an operator has seen on by the clock, while no record comes: CloseIdle, in one task.
//
// It moves in steps, each an event of the task of its own: where something closes by it, and no further than to where all has
// closed that can be open. So a quiet input is not committed for ever.
type idling struct {
	observed *int64 // the highest time seen
	base     int64  // that, when the last record came; the least number: as it is
	heard    func() // tells the task that a record has come; nil: there is no CloseIdle
}

// listen has step called with the time it is by the clock's account, at most reach after the last record's, whenever that is
// later than the highest time seen. step reports whether that is to be the highest time seen now, and then does what follows
// from it, in close.
func (x *idling) listen(at edge.Place, observed *int64, after time.Duration, reach func(base int64) int64, step func(base, t int64) bool, close func(m *edge.Meta) error) {
	x.observed, x.base = observed, math.MinInt64
	if after == 0 {
		return
	}
	at.OnEnd(func(committed bool) {
		if !committed {
			x.base = math.MinInt64
		}
	})
	x.heard = at.OnIdle(after, func(idle int64) error {
		if x.base == math.MinInt64 {
			x.base = *observed
		}
		if x.base < 0 {
			return nil // no record has ever come
		}
		t := x.base + min(idle, reach(x.base))
		if t <= *observed || !step(x.base, t) {
			return nil
		}
		return at.Fire(at.Node, t, func() error {
			*observed = t
			m := at.Meta()
			was := m.Rekeyed(false)
			err := close(m)
			m.Restore(was)
			return err
		})
	})
}

// see takes notice of a record at t.
func (x *idling) see(t int64) {
	*x.observed = max(*x.observed, t)
	if x.heard != nil {
		x.heard()
		x.base = *x.observed
	}
}
