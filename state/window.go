package state

import (
	"fmt"
	"iter"
	"time"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/window"
)

// Window keeps one value for each key and window. Windows are known by their start; they stay visible until one starts
// that is later by the retention. A put that comes later still is dropped and counted. Iterators are those of KeyValue,
// bounds are inclusive.
type Window[K, V any] interface {
	Get(k K, start window.Instant) (v V, ok bool, err error)
	Put(k K, start window.Instant, v V) error
	Delete(k K, start window.Instant) error
	Fetch(k K, from, to window.Instant) iter.Seq2[window.Key[K], V]                // of one key, by start
	FetchRange(first, last K, from, to window.Instant) iter.Seq2[window.Key[K], V] // by start, then key bytes
	FetchAll(from, to window.Instant) iter.Seq2[window.Key[K], V]                  // by start, then key bytes
	Descend(k K, from, to window.Instant) iter.Seq2[window.Key[K], V]              // of one key, latest first
}

// NewWindow declares a window store for windows of one size, kept for retention.
func NewWindow[K, V any](name string, size, retention time.Duration, k serde.Serde[K], v serde.Serde[V], opts ...Options) Spec[Window[K, V]] {
	ms := size.Milliseconds()
	p := planWindows(store.KindTimestampedWindow, name, typeName(k), typeName(v), fmt.Sprintf("windows of %d ms", ms), ms, retention.Milliseconds(), opts)
	return windowSpec(p, k, v, func(env store.Env, v serde.Serde[V]) (store.Windows[V], error) {
		return store.OpenScattered(env, name, p.Schema, p.Size, p.Retention, v)
	})
}

// WindowsOf declares the store of an aggregate by windows, which looks back by slack more than others. It is for the
// library's own use.
func WindowsOf[K, V any](name string, w window.Windows, retention, slack window.Instant, k serde.Serde[K], v serde.Serde[V], opts ...Options) Spec[Window[K, V]] {
	size := int64(w.Size())
	if !w.Even() && !w.Slides() {
		size = 0 // they differ
	}
	p := planWindows(store.KindTimestampedWindow, name, typeName(k), typeName(v), w.Shape(), size, int64(retention), opts)
	return windowSpec(p, k, v, func(env store.Env, v serde.Serde[V]) (store.Windows[V], error) {
		if w.Slides() {
			x, err := store.OpenScattered(env, name, p.Schema, size, p.Retention, v)
			if err == nil {
				x.Slack(int64(slack))
			}
			return x, err
		}
		x, err := store.OpenWindow(env, name, p.Schema, size, p.Retention, v)
		switch {
		case err != nil:
		case w.Even():
			x.Hop(int64(w.Advance()))
		default:
			x.Ends = func(start int64) int64 { return int64(w.End(window.Instant(start))) }
		}
		return x, err
	})
}

func windowSpec[K, V any](p store.Plan, k serde.Serde[K], v serde.Serde[V], open func(store.Env, serde.Serde[V]) (store.Windows[V], error)) Spec[Window[K, V]] {
	given(&p, k, v)
	return placed(k, v, func(k serde.Serde[K], v serde.Serde[V]) Spec[Window[K, V]] {
		return Spec[Window[K, V]]{p: p, make: func(env store.Env) (Window[K, V], store.Store, error) {
			w, err := open(env, serde.Single(v))
			if err != nil {
				return nil, nil, err
			}
			return &windows[K, V]{newHandle(p.Name, env, k), w}, w, nil
		}}
	})
}

type windows[K, V any] struct {
	handle[K]
	w store.Windows[V]
}

func (m *windows[K, V]) Get(k K, start window.Instant) (v V, ok bool, err error) {
	key, err := m.of(k)
	if err != nil {
		return v, false, err
	}
	v, _, ok, err = m.w.Get(key, int64(start))
	return v, ok, err
}

func (m *windows[K, V]) Put(k K, start window.Instant, v V) error {
	key, err := m.of(k)
	if err != nil {
		return err
	}
	return m.w.Put(key, int64(start), v, m.now())
}

func (m *windows[K, V]) Delete(k K, start window.Instant) error {
	key, err := m.of(k)
	if err != nil {
		return err
	}
	return m.w.Delete(key, int64(start), m.now())
}

func (m *windows[K, V]) Fetch(k K, from, to window.Instant) iter.Seq2[window.Key[K], V] {
	return m.fetch(k, from, to, false)
}

func (m *windows[K, V]) Descend(k K, from, to window.Instant) iter.Seq2[window.Key[K], V] {
	return m.fetch(k, from, to, true)
}

func (m *windows[K, V]) fetch(k K, from, to window.Instant, down bool) iter.Seq2[window.Key[K], V] {
	key, ok := m.kept(k)
	if !ok {
		return func(func(window.Key[K], V) bool) {}
	}
	return m.each(m.w.Fetch(key, int64(from), int64(to), down))
}

func (m *windows[K, V]) FetchRange(first, last K, from, to window.Instant) iter.Seq2[window.Key[K], V] {
	lo, ok := m.kept(first)
	hi, ok2 := m.kept(last)
	if !ok || !ok2 {
		return func(func(window.Key[K], V) bool) {}
	}
	return m.each(m.w.FetchRange(lo.Bytes, hi.Bytes, int64(from), int64(to)))
}

func (m *windows[K, V]) FetchAll(from, to window.Instant) iter.Seq2[window.Key[K], V] {
	return m.each(m.w.FetchRange(nil, nil, int64(from), int64(to)))
}

func (m *windows[K, V]) each(rows iter.Seq2[store.WindowEntry[V], error]) iter.Seq2[window.Key[K], V] {
	return func(yield func(window.Key[K], V) bool) {
		for e, err := range rows {
			if err != nil {
				m.fail(err)
				return
			}
			k, ok := m.decode(e.Key)
			if !ok || !yield(window.Key[K]{Key: k, Start: window.Instant(e.Start), End: window.Instant(m.w.End(e.Start))}, e.Value) {
				return
			}
		}
	}
}
