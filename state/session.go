package state

import (
	"iter"
	"time"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/window"
)

// Session keeps one value for each key and session. Both ends of a session are inclusive; it stays visible until one
// ends that is later by the retention. A put that comes later still is dropped and counted. Iterators are those of
// KeyValue.
type Session[K, V any] interface {
	Get(k window.Key[K]) (v V, ok bool, err error)
	Put(k window.Key[K], v V) error
	Delete(k window.Key[K]) error
	// Find returns the sessions of k that end at earliestEnd or later and start at latestStart or earlier, by end.
	Find(k K, earliestEnd, latestStart window.Instant) iter.Seq2[window.Key[K], V]
}

// NewSession declares a session store, its sessions kept for retention.
func NewSession[K, V any](name string, retention time.Duration, k serde.Serde[K], v serde.Serde[V], opts ...Options) Spec[Session[K, V]] {
	return SessionsOf(name, window.Instant(retention.Milliseconds()), 0, k, v, opts...)
}

// SessionsOf declares the store of an aggregate by sessions, which looks back by slack more than others. It is for the
// library's own use.
func SessionsOf[K, V any](name string, retention, slack window.Instant, k serde.Serde[K], v serde.Serde[V], opts ...Options) Spec[Session[K, V]] {
	p := planWindows(store.KindSession, name, typeName(k), typeName(v), "sessions", 0, int64(retention), opts)
	given(&p, k, v)
	return placed(k, v, func(k serde.Serde[K], v serde.Serde[V]) Spec[Session[K, V]] {
		return Spec[Session[K, V]]{p: p, make: func(env store.Env) (Session[K, V], store.Store, error) {
			s, err := store.OpenSessions(env, name, p.Schema, p.Retention, serde.Single(v))
			if err != nil {
				return nil, nil, err
			}
			s.Slack(int64(slack))
			return &sessions[K, V]{handle: newHandle(name, env, k), s: s}, s, nil
		}}
	})
}

// RawSession is RawKV for stores of sessions.
func RawSession[K, V any](h Session[K, V]) *store.Sessions[V] {
	if s, ok := h.(*sessions[K, V]); ok {
		return s.s
	}
	return nil
}

type sessions[K, V any] struct {
	handle[K]
	s *store.Sessions[V]
}

func (m *sessions[K, V]) Get(k window.Key[K]) (v V, ok bool, err error) {
	key, err := m.of(k.Key)
	if err != nil {
		return v, false, err
	}
	return m.s.Get(key, int64(k.Start), int64(k.End))
}

func (m *sessions[K, V]) Put(k window.Key[K], v V) error {
	key, err := m.of(k.Key)
	if err != nil {
		return err
	}
	return m.s.Put(key, int64(k.Start), int64(k.End), v, m.now())
}

func (m *sessions[K, V]) Delete(k window.Key[K]) error {
	key, err := m.of(k.Key)
	if err != nil {
		return err
	}
	return m.s.Delete(key, int64(k.Start), int64(k.End), m.now())
}

func (m *sessions[K, V]) Find(k K, earliestEnd, latestStart window.Instant) iter.Seq2[window.Key[K], V] {
	return func(yield func(window.Key[K], V) bool) {
		key, ok := m.kept(k)
		if !ok {
			return
		}
		found, err := m.s.Append(nil, key, int64(earliestEnd), int64(latestStart))
		for _, e := range found {
			if !yield(window.Key[K]{Key: k, Start: window.Instant(e.Start), End: window.Instant(e.End)}, e.Value) {
				return
			}
		}
		if err != nil {
			m.fail(err)
		}
	}
}

// QuerySession reads a processor's Session store from outside. Get and Fetch ask for the starts of sessions.
func QuerySession[K, V any](s Spec[Session[K, V]], c Client) WindowRows[K, V] {
	k, _ := s.key.(serde.Serde[K])
	v, _ := s.val.(serde.Serde[V])
	return WindowRowsOf(askable(s.p, c), s.Name(), k, v)
}
