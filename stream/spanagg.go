package stream

import (
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/window"
)

// spanAgg is what aggregates by windows and by sessions have in common, in one task.
type spanAgg[K, V, A any] struct {
	watch
	at      edge.Place
	next    edge.Emit[window.Key[K], table.Change[A]]
	closed  edge.Emit[window.Key[K], table.Change[A]] // nil: nobody asks for what has closed
	late    edge.Emit[K, V]                           // nil: late records are dropped
	keys    *edge.Keyer[K]
	key     serde.Serde[K] // of this goroutine
	fold    folder[K, V, A]
	sendOld bool
	grace   int64
	noKey   *int64
	dropped *int64 // late
}

func (a *spanAgg[K, V, A]) open(at edge.Place, next edge.Emit[window.Key[K], table.Change[A]], key serde.Serde[K], fold folder[K, V, A], old bool) (err error) {
	a.at, a.next, a.fold, a.sendOld = at, next, fold, old
	a.keys, a.key = edge.NewKeyer(at, key), serde.Single(key)
	a.noKey, a.dropped = at.Drop("null-key"), at.Drop("late")
	if a.closed, err = edge.Aside[window.Key[K], table.Change[A]](at, closedTag); err != nil {
		return err
	}
	a.late, err = edge.Aside[K, V](at, lateTag)
	return err
}

// refuse is what becomes of a record that no window takes; n windows are too late for it.
func (a *spanAgg[K, V, A]) refuse(m *edge.Meta, k K, v V, n int64) error {
	if a.late != nil {
		return a.late(m, k, v)
	}
	*a.dropped += n
	return nil
}

// closeIdle has windows close while no record comes for so long. reach is how long after the last record's time all have
// closed; open tells, of two times, whether they have the same windows open.
func (a *spanAgg[K, V, A]) closeIdle(after time.Duration, reach func(base int64) int64, same func(base, s, t int64) bool, close func(*edge.Meta) error) {
	if a.closed == nil {
		close = func(*edge.Meta) error { return nil }
	}
	a.listen(a.at, a.observed, after, reach, func(base, t int64) bool {
		return t == base+reach(base) || !same(base, *a.observed, t)
	}, close)
}

// emit passes on what has closed: the row of key in the window start..end, with the last time of its records.
func (a *spanAgg[K, V, A]) emit(m *edge.Meta, key []byte, start, end int64, v A, at int64) error {
	k, err := a.key.Decode(key)
	if err != nil {
		return err
	}
	m.Time = at
	return a.closed(m, window.Key[K]{Key: k, Start: window.Instant(start), End: window.Instant(end)},
		table.Change[A]{New: serde.Opt[A]{Value: v, OK: true}})
}

// watch is the time that an aggregate by windows has seen, and up to where it has emitted what closed. All outlives a
// restart: what was late stays late, and nothing closes twice or at another time.
type watch struct {
	idling           // the highest time that has reached the node; -1: none has
	emitted   *int64 // what closed before it has been emitted; -1: nothing has been. nil: nothing ever is
	every     int64  // ms of the clock between emissions
	due       *int64 // the next one, by the clock
	throttled func() int64
}

// open makes the watch of the aggregate at p of that name. closes: what closes is emitted.
func (w *watch) open(p edge.Place, name string, closes bool, every int64) {
	w.observed = p.Keep(name + " observed")
	if closes {
		w.emitted, w.due = p.Keep(name+" closed"), p.Keep(name+" due")
	}
	w.every, w.throttled = every, p.Now
}

// ready reports whether what closed before close may be emitted now. Kafka Streams asks the throttle first, and so a
// throttle counts from a time at which nothing had closed.
func (w *watch) ready(close int64) bool {
	if w.every > 0 {
		now := w.throttled()
		if now < *w.due {
			return false
		}
		*w.due = now + w.every
	}
	return *w.emitted < 0 || *w.emitted < close
}

// done notes that what closed before close has been emitted.
func (w *watch) done(close int64) { *w.emitted = close }
