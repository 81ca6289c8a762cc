package state

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/window"
)

// Version is a value and the time it holds for: from From until before Until.
type Version[V any] struct {
	Value       V
	From, Until window.Instant // Until is window.Forever for the latest
}

// Versioned keeps every version of a row as long as its history (KIP-889). A version holds from its time until that of
// the next; a deletion is a version without a value. Iterators are those of KeyValue.
type Versioned[K, V any] interface {
	// Get returns the latest version; there is none if that is a deletion.
	Get(k K) (v Version[V], ok bool, err error)
	// AsOf returns the version that held at t. Of a time before the history only the latest version answers.
	AsOf(k K, t window.Instant) (v Version[V], ok bool, err error)
	// Put makes v the value from at on, until the next version that there is already: until says when. What is older
	// than the history, counted from the latest time put under any key, is refused and counted.
	Put(k K, v V, at window.Instant) (until window.Instant, accepted bool, err error)
	// Delete is Put of a deletion. It returns the version that held at its time.
	Delete(k K, at window.Instant) (was Version[V], ok bool, err error)
	// Versions returns the versions that held at some time of from..to, both inclusive, oldest first.
	Versions(k K, from, to window.Instant) iter.Seq[Version[V]]
}

// NewVersioned declares a map that keeps history.
func NewVersioned[K, V any](name string, history time.Duration, k serde.Serde[K], v serde.Serde[V], opts ...Options) Spec[Versioned[K, V]] {
	p := plan(store.KindVersioned, name, typeName(k), typeName(v), opts)
	given(&p, k, v)
	p.History = history.Milliseconds()
	p.Settings["min.compaction.lag.ms"] = strconv.FormatInt(plus(p.History, additional.Milliseconds()), 10)
	for _, o := range opts {
		if lag, ok := o.Changelog["min.compaction.lag.ms"]; ok {
			p.Settings["min.compaction.lag.ms"] = lag
		}
		if o.History != 0 && o.History != history {
			p.Err = errors.Join(p.Err, fmt.Errorf("state: %q: a history of %v, and another of %v in its Options: leave that one out", name, history, o.History))
		}
	}
	if history < 0 {
		p.Err = errors.Join(p.Err, fmt.Errorf("state: %q: negative history %v, want 0 or more", name, history))
	}
	return placed(k, v, func(k serde.Serde[K], v serde.Serde[V]) Spec[Versioned[K, V]] {
		return Spec[Versioned[K, V]]{p: p, make: func(env store.Env) (Versioned[K, V], store.Store, error) {
			x, err := store.OpenVersioned(env, name, p.Schema, p.History, serde.Single(v))
			if err != nil {
				return nil, nil, err
			}
			return &versioned[K, V]{newHandle(name, env, k), x}, x, nil
		}}
	})
}

type versioned[K, V any] struct {
	handle[K]
	x *store.Versioned[V]
}

func versionOf[V any](v store.Version[V]) Version[V] {
	return Version[V]{v.V, window.Instant(v.From), window.Instant(v.Until)}
}

func (m *versioned[K, V]) Get(k K) (v Version[V], ok bool, err error) {
	return m.AsOf(k, window.Forever)
}

func (m *versioned[K, V]) AsOf(k K, t window.Instant) (v Version[V], ok bool, err error) {
	key, err := m.of(k)
	if err != nil {
		return v, false, err
	}
	got, ok, err := m.x.AsOf(key, int64(t))
	if !ok || err != nil {
		return v, false, err
	}
	return versionOf(got), true, nil
}

func (m *versioned[K, V]) Put(k K, v V, at window.Instant) (until window.Instant, accepted bool, err error) {
	key, err := m.of(k)
	if err != nil {
		return 0, false, err
	}
	t, accepted, err := m.x.Put(key, v, int64(at))
	return window.Instant(t), accepted, err
}

func (m *versioned[K, V]) Delete(k K, at window.Instant) (was Version[V], ok bool, err error) {
	if was, ok, err = m.AsOf(k, at); err != nil {
		return was, false, err
	}
	key, err := m.of(k)
	if err != nil {
		return was, false, err
	}
	_, accepted, err := m.x.Delete(key, int64(at))
	if !accepted || err != nil {
		return Version[V]{}, false, err
	}
	return was, ok, nil
}

func (m *versioned[K, V]) Versions(k K, from, to window.Instant) iter.Seq[Version[V]] {
	return func(yield func(Version[V]) bool) {
		key, ok := m.kept(k)
		if !ok {
			return
		}
		for v, err := range m.x.Versions(key, int64(from), int64(to)) {
			if err != nil {
				m.fail(err)
				return
			}
			if !yield(versionOf(v)) {
				return
			}
		}
	}
}
