package state

import (
	"errors"
	"fmt"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/window"
)

// Timers wakes a processor at set times: one timer for each key, in stream time or by the clock, as the processor says
// in OnTimer. They survive restarts and moves, and an abort takes back what was set, stopped and called since the last
// commit.
//
// A timer that is set while its time has passed is due after the record at hand. In the call of a timer, times up to
// that timer's own wait for the next record, or the next look at the clock: a call can't keep others from theirs.
type Timers[K any] interface {
	// Set has the timer of k go off at that time, instead of when it would have. A time before 1970 is an error.
	Set(k K, at window.Instant) error
	// Stop takes the timer of k back, if there is one.
	Stop(k K) error
}

// NewTimers declares a set of timers. A row of its changelog is a timer: the key as k writes it, the time in ms as 8
// bytes, big-endian, null for a timer that is no more.
func NewTimers[K any](name string, k serde.Serde[K]) Spec[Timers[K]] {
	p := plan(store.KindTimers, name, typeName(k), "time", nil)
	given(&p, k, serde.Int64)
	return placed(k, serde.Int64, func(k serde.Serde[K], v serde.Serde[int64]) Spec[Timers[K]] {
		return Spec[Timers[K]]{p: p, make: func(env store.Env) (Timers[K], store.Store, error) {
			kv, err := store.OpenKV(env, name, p.Schema, serde.Single(v))
			if err != nil {
				return nil, nil, err
			}
			if err := kv.Schedule(func(due, _ int64) int64 { return due }); err != nil {
				return nil, nil, errors.Join(err, kv.Close())
			}
			return &timers[K]{handle: newHandle(name, env, k), kv: kv}, kv, nil
		}}
	})
}

type timers[K any] struct {
	handle[K]
	kv      *store.KV[int64]
	watched bool
}

func (m *timers[K]) Set(k K, at window.Instant) error {
	if at < 0 {
		return fmt.Errorf("state: %s: a timer at %d ms, before 1970", m.name, at)
	}
	key, err := m.of(k)
	if err != nil {
		return err
	}
	return m.kv.Put(&key, int64(at), m.now())
}

func (m *timers[K]) Stop(k K) error {
	key, err := m.of(k)
	if err != nil {
		return err
	}
	return m.kv.Delete(&key, m.now())
}

// WatchTimers makes the call of timers of a handle that Open has returned. due removes those that are due and calls f
// with each, by time and then key bytes; it returns when to call it next. early registers who wants to know of a timer
// that comes before that. It is for the library's own use.
func WatchTimers[K any](h Timers[K], f func(k K, due window.Instant) error) (due func(now int64) (next int64, err error), early func(func(at int64)), err error) {
	m, ok := h.(*timers[K])
	if !ok {
		return nil, nil, fmt.Errorf("state: timers of another make: %T", h)
	}
	if m.watched {
		return nil, nil, fmt.Errorf("state: the timers %q have an OnTimer already", m.name)
	}
	m.watched = true
	due = func(now int64) (int64, error) {
		err := m.kv.Due(now, 0, func(key hashed.Key, _, when int64) error {
			k, err := m.key.Decode(key.Bytes)
			if err != nil {
				return fmt.Errorf("state: %s: decode key: %w", m.name, err)
			}
			return f(k, window.Instant(when))
		})
		return m.kv.Next(), err
	}
	return due, m.kv.Early, nil
}
