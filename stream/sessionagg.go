package stream

import (
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/window"
)

// sessionAgg is an aggregate by sessions in one task.
type sessionAgg[K, V, A any] struct {
	spanAgg[K, V, A]
	rows  *store.Sessions[A]
	gap   int64
	merge merger[K, A]
	found []store.SessionEntry[A] // scratch
}

// closeIdle has sessions end while no record comes for so long.
func (a *sessionAgg[K, V, A]) closeIdle(after time.Duration) {
	every := max(1, after.Milliseconds())
	a.spanAgg.closeIdle(after, func(int64) int64 { return a.grace + 1 },
		func(base, s, t int64) bool { return (s-base)/every == (t-base)/every }, a.close)
}

func (a *sessionAgg[K, V, A]) receive(m *edge.Meta, k K, v V) error {
	if m.NoKey {
		*a.noKey++
		return nil
	}
	a.see(m.Time)
	own, err := a.keys.Key(m, k)
	if err != nil {
		return err
	}
	var key hashed.Key
	key.Set(own)
	t := m.Time
	saved, was := *m, m.Rekeyed(false)
	if a.closed != nil {
		err = a.close(m) // first: what is written next may hide it in the store
	}
	late := false
	if err == nil {
		// A session is made of several records: its updates bear the headers of none.
		m.Headers, m.RawHeaders = nil, nil
		late, err = a.take(m, key, k, v, t)
	}
	m.Time, m.Headers, m.RawHeaders = t, saved.Headers, saved.RawHeaders
	m.Restore(was)
	if late && err == nil {
		return a.refuse(m, k, v, 1)
	}
	return err
}

// take merges the record with the sessions it meets, unless that would be closed.
func (a *sessionAgg[K, V, A]) take(m *edge.Meta, key hashed.Key, k K, v V, t int64) (late bool, err error) {
	if a.found, err = a.rows.Append(a.found[:0], key, t-a.gap, t+a.gap); err != nil {
		return false, err
	}
	start, end := t, t
	var agg serde.Opt[A]
	for i := range a.found {
		f := &a.found[i]
		start, end = min(start, f.Start), max(end, f.End)
		agg = a.merge(k, agg, serde.Some(f.Value))
	}
	if end < *a.observed-a.grace {
		return true, nil
	}
	if start != t || end != t {
		for i := range a.found {
			f := &a.found[i]
			m.Time = t // the changelog's records bear the time of the record, not of the session
			if err := a.rows.Delete(key, f.Start, f.End, t); err != nil {
				return false, err
			}
			var c table.Change[A]
			if a.sendOld {
				c.Old = serde.Some(f.Value)
			}
			if err := a.pass(m, k, f.Start, f.End, c); err != nil {
				return false, err
			}
		}
	}
	c := table.Change[A]{New: a.fold(k, v, agg)}
	m.Time = t
	if c.New.OK {
		err = a.rows.Put(key, start, end, c.New.Value, t)
	} else {
		err = a.rows.Delete(key, start, end, t)
	}
	if err != nil {
		return false, err
	}
	return false, a.pass(m, k, start, end, c)
}

func (a *sessionAgg[K, V, A]) pass(m *edge.Meta, k K, start, end int64, c table.Change[A]) error {
	m.Time = end
	return a.next(m, window.Key[K]{Key: k, Start: window.Instant(start), End: window.Instant(end)}, c)
}

// close emits the sessions that have closed since the last time, by end, start and key bytes.
func (a *sessionAgg[K, V, A]) close(m *edge.Meta) error {
	close := *a.observed - a.grace
	if !a.ready(close) {
		return nil
	}
	from, to := max(0, *a.emitted), close-1
	if to < from {
		return nil
	}
	closing, err := a.rows.Closing(a.found[:0], from, to)
	if err != nil {
		return err
	}
	for _, e := range closing {
		if err := a.emit(m, e.Key, e.Start, e.End, e.Value, e.End); err != nil {
			return err
		}
	}
	clear(closing)
	a.found = closing[:0]
	a.done(close)
	return nil
}
