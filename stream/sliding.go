package stream

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/table"
)

// Sliding windows, with a difference of d: each record at t belongs to its left window [t-d, t], which ends with it, and to
// all that others have left around it. Right after it begins its right window [t+1, t+1+d], which comes into being with
// the first record that falls into it; where such records are there already, it begins as what they make up. Records
// earlier than d share the window [0, d] in place of left windows, since no window starts before 0.
//
// The time of a row is that of the latest record in its window, and is used as such. Kafka Streams' KIP-450.

// slide is what a walk over the windows around one record has found.
type slide[A any] struct {
	prev      int64 // the time of the latest record before this one; -1: none is known
	left      serde.Opt[A]
	right     serde.Opt[A] // of a window that has what comes after the record
	rightTime int64        // of the latest record in it
	hasLeft   bool         // the left window is there
	hasRight  bool
	hasPrev   bool                            // the right window of prev is there
	combined  serde.Opt[store.WindowEntry[A]] // [0, d]
}

// sliding is the record at hand.
type sliding[K, V any] struct {
	m    *edge.Meta
	key  hashed.Key
	k    K
	v    V
	t    int64
	took bool  // some window took it
	late int64 // windows that are closed
}

func (a *windowAgg[K, V, A]) slideBy(m *edge.Meta, k K, v V) error {
	if m.NoKey {
		*a.noKey++
		return nil
	}
	if a.null != nil && a.null(m, v) {
		*a.noValue++
		return nil
	}
	a.see(m.Time)
	if m.Time+a.size < *a.observed-a.grace {
		return a.refuse(m, k, v, 1)
	}
	own, err := a.keys.Key(m, k)
	if err != nil {
		return err
	}
	r := sliding[K, V]{m: m, k: k, v: v, t: m.Time}
	r.key.Set(own)
	was := m.Rekeyed(false)
	if a.closed != nil {
		err = a.close(m) // first: see receive
	}
	if err == nil {
		if r.t < a.size {
			err = a.early(&r)
		} else {
			err = a.ordinary(&r)
		}
	}
	m.Time = r.t
	m.Restore(was)
	if err == nil && !r.took && r.late > 0 {
		return a.refuse(m, k, v, r.late)
	}
	*a.dropped += r.late
	return err
}

// around reads the windows of the record's key that start in from..to, ascending.
func (a *windowAgg[K, V, A]) around(key hashed.Key, from, to int64) (err error) {
	a.cells, err = a.rows.Append(a.cells[:0], key, from, to)
	return err
}

// ordinary takes in a record at t ≥ d.
func (a *windowAgg[K, V, A]) ordinary(r *sliding[K, V]) error {
	d, t := a.size, r.t
	if err := a.around(r.key, max(0, t-2*d), t+1); err != nil {
		return err
	}
	s := slide[A]{prev: -1}
	starts := func(at int64) bool {
		for i := range a.cells {
			if a.cells[i].Start == at {
				return true
			}
		}
		return false
	}
walk:
	for i := len(a.cells) - 1; i >= 0; i-- {
		w := a.cells[i]
		switch end := w.Start + d; {
		case w.Start == t+1:
			s.hasRight = true
		case end > t:
			if !s.right.OK {
				s.right, s.rightTime = serde.Some(w.Value), w.At
			}
			if err := a.enter(r, w); err != nil {
				return err
			}
		case end == t:
			s.hasLeft = true
			if err := a.enter(r, w); err != nil {
				return err
			}
			if w.At >= t {
				return nil // another record of this instant has made all that there is to be made
			}
			s.prev = w.At // unless the window before knows better: it may have been closed for the record that this one has
		default:
			s.left, s.prev = serde.Some(w.Value), w.At
			break walk
		}
	}
	if s.prev >= 0 && !starts(s.prev+1) && s.prev+1+d >= t {
		if err := a.begin(r, s.prev+1, serde.Opt[A]{}); err != nil {
			return err
		}
	}
	if !s.hasLeft {
		base := serde.Opt[A]{}
		if s.prev >= t-d {
			base = s.left
		}
		if err := a.begin(r, t-d, base); err != nil {
			return err
		}
	}
	return a.follow(r, &s)
}

// early takes in a record at t < d.
func (a *windowAgg[K, V, A]) early(r *sliding[K, V]) error {
	t := r.t
	if err := a.around(r.key, 0, t+1); err != nil {
		return err
	}
	s := slide[A]{prev: -1}
	for _, w := range a.cells {
		switch {
		case w.Start == 0:
			s.combined = serde.Some(w)
			if w.At < t {
				s.prev = w.At
			}
		case w.Start <= t:
			s.right, s.rightTime = serde.Some(w.Value), w.At
			if err := a.enter(r, w); err != nil {
				return err
			}
		default:
			s.hasRight = true
		}
		if s.prev >= 0 && w.Start == s.prev+1 {
			s.hasPrev = true
		}
	}
	if c := s.combined; !s.right.OK && c.OK && c.Value.At > t {
		s.right, s.rightTime = serde.Some(c.Value.Value), c.Value.At
	}
	if err := a.follow(r, &s); err != nil {
		return err
	}
	if s.prev >= 0 && !s.hasPrev {
		if err := a.begin(r, s.prev+1, serde.Opt[A]{}); err != nil {
			return err
		}
	}
	if !s.combined.OK {
		return a.begin(r, 0, serde.Opt[A]{})
	}
	return a.enter(r, s.combined.Value)
}

// enter takes the record into a window that is there.
func (a *windowAgg[K, V, A]) enter(r *sliding[K, V], w store.WindowEntry[A]) error {
	return a.into(r, w.Start, serde.Some(w.Value), serde.Some(w.Value), max(r.t, w.At))
}

// begin makes a window of base and the record.
func (a *windowAgg[K, V, A]) begin(r *sliding[K, V], start int64, base serde.Opt[A]) error {
	return a.into(r, start, base, serde.Opt[A]{}, r.t)
}

func (a *windowAgg[K, V, A]) into(r *sliding[K, V], start int64, base, old serde.Opt[A], at int64) error {
	end := start + a.size
	if end < *a.observed-a.grace {
		r.late++
		return nil
	}
	r.took = true
	return a.put(r.m, r.key, r.k, start, end, at, table.Change[A]{New: a.fold(r.k, r.v, base), Old: old})
}

// follow makes the right window of the record, if some record is in it.
func (a *windowAgg[K, V, A]) follow(r *sliding[K, V], s *slide[A]) error {
	if s.hasRight || !s.right.OK || s.rightTime <= r.t {
		return nil
	}
	r.took = true
	start := r.t + 1
	return a.put(r.m, r.key, r.k, start, start+a.size, s.rightTime, table.Change[A]{New: s.right})
}
