package stream

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// Windowed is a grouped stream by windows, to be aggregated.
type Windowed[K, V any] struct {
	s Stream[K, V]
	w window.Windows
}

// Then calls f with w, so that a chain can go on with a function.
func (w Windowed[K, V]) Then[R any](f func(Windowed[K, V]) R) R { return f(w) }

// Count counts the records of each key and window. A record is late for a window whose end is not after the highest time
// seen less the grace: it is dropped and counted once for each such window. Records without a key are dropped.
//
//	windows of 10 ms, no grace
//	in    (a x)@3       (a y)@12       (a z)@8
//	rows  a@[0,10)=1    a@[0,10)=1     late
//	                    a@[10,20)=1
func (w Windowed[K, V]) Count(name string, opts ...state.Options) table.Windowed[K, int64] {
	return windowAggregate(w, "Count", name, edge.Need{}, opts, counting[K, V])
}

// Reduce folds the records of each key and window; the first is the first result. f must not change its arguments.
func (w Windowed[K, V]) Reduce(name string, f func(acc, v V) V, opts ...state.Options) table.Windowed[K, V] {
	if !w.s.given("Reduce", f == nil) {
		return table.Windowed[K, V]{}
	}
	return windowAggregate(w, "Reduce", name, edge.Need{Val: true}, opts, folding(reducing[K](f)))
}

// Aggregate folds the records of each key and window into a value of another type. add must not change the value it is
// given, nor keep it.
func (w Windowed[K, V]) Aggregate[A any](name string, init func() A, add func(K, V, A) A, opts ...state.Options) table.Windowed[K, A] {
	if !w.s.given("Aggregate", init == nil || add == nil) {
		return table.Windowed[K, A]{}
	}
	return windowAggregate(w, "Aggregate", name, edge.Need{Key: true, Val: true}, opts, folding(adding(init, add)))
}

// Fold is the general aggregate: it sees whether there is a row yet, and an absent result deletes it.
func (w Windowed[K, V]) Fold[A any](name string, f func(K, V, serde.Opt[A]) serde.Opt[A], opts ...state.Options) table.Windowed[K, A] {
	if !w.s.given("Fold", f == nil) {
		return table.Windowed[K, A]{}
	}
	return windowAggregate(w, "Fold", name, edge.Need{Key: true, Val: true}, opts, folding[K, V, A](f))
}

// windowRows are the rows of one windowed aggregate.
type windowRows[K, A any] struct {
	b    *topology.Builder
	name string
	w    window.Windows
	opts []state.Options
	key  serde.Serde[K]
	val  serde.Serde[A]
	old  bool
}

// retention is how long windows stay, in ms: at least as long as they take records.
func (r *windowRows[K, A]) retention() window.Instant {
	least := r.w.Size() + r.w.GracePeriod()
	if len(r.opts) == 0 || r.opts[0].Retention == 0 {
		return least
	}
	return window.Instant(r.opts[0].Retention.Milliseconds())
}

func (r *windowRows[K, A]) spec() state.Spec[state.Window[K, A]] {
	return state.NewWindow(r.name, r.w.Size().Sub(0), r.retention().Sub(0), r.key, r.val, r.opts...)
}

func (r *windowRows[K, A]) resolve(in edge.Serdes) (err error) {
	if r.key, err = topology.StoreSerde[K](r.b, r.name, true, in.Key); err != nil {
		return err
	}
	r.val, err = topology.StoreSerde[A](r.b, r.name, false, nil)
	return err
}

func windowAggregate[K, V, A any](w Windowed[K, V], what, name string, reads edge.Need, opts []state.Options, open opener[K, V, A]) table.Windowed[K, A] {
	b := w.s.out.Builder()
	if b == nil || w.s.out.Node() == nil || !b.Own(what, name) {
		return table.Windowed[K, A]{}
	}
	rows := &windowRows[K, A]{b: b, name: name, w: w.w, opts: opts}
	if least := w.w.Size() + w.w.GracePeriod(); rows.retention() < least {
		b.Fail(0, "%s %q: retention %v is shorter than size and grace, %v", what, name, rows.retention().Sub(0), least.Sub(0))
	}
	in := w.s.byKey(name)
	op := edge.Op{
		Kind: "KSTREAM-AGGREGATE", Label: name, Touch: true, Stores: []any{edge.PendingOf(name, rows.spec)},
		Resolve: func(n *edge.Node, in edge.Serdes) (edge.Serdes, error) {
			err := rows.resolve(in)
			// What comes out has the key inside of a window's, so the typed key is read.
			n.Reads = edge.Need{Key: true, Val: reads.Val}
			return edge.Serdes{}, err
		},
	}
	out := in.Apply[window.Key[K], table.Change[A]](op, func(at edge.Place, next edge.Emit[window.Key[K], table.Change[A]]) (edge.Emit[K, V], error) {
		h, err := at.Store(name)
		if err != nil {
			return nil, err
		}
		agg := &windowAgg[K, V, A]{
			next: next, rows: state.RawWindow[K, A](h.(state.Window[K, A])), keys: edge.NewKeyer(at, rows.key),
			fold: open(at, rows.val), sendOld: rows.old, late: at.Drop("late"), noKey: at.Drop("null-key"),
			size: int64(w.w.Size()), advance: int64(w.w.Advance()), grace: int64(w.w.GracePeriod()), windows: w.w, observed: -1,
		}
		committed := agg.observed
		at.OnEnd(func(ok bool) {
			if ok {
				committed = agg.observed
			}
			agg.observed = committed
		})
		return agg.receive, nil
	})
	return table.MakeWindowed(out, &table.WindowView[K, A]{
		Store: name,
		Old:   func() { rows.old = true },
		Rows:  func(c state.Client) state.WindowRows[K, A] { return state.QueryWindow(rows.spec(), c) },
	})
}

// windowAgg is a windowed aggregate in one task.
type windowAgg[K, V, A any] struct {
	next                 edge.Emit[window.Key[K], table.Change[A]]
	rows                 *store.Window[A]
	keys                 *edge.Keyer[K]
	fold                 folder[K, V, A]
	sendOld              bool
	late, noKey          *int64
	size, advance, grace int64
	windows              window.Windows
	observed             int64 // the highest time that has reached this node
}

func (a *windowAgg[K, V, A]) receive(m *edge.Meta, k K, v V) error {
	if m.NoKey {
		*a.noKey++
		return nil
	}
	a.observed = max(a.observed, m.Time)
	hashed, err := a.keys.Key(m, k)
	if err != nil {
		return err
	}
	key, at := table.KeyOf(hashed), m.Time
	was := m.Rekeyed(false)
	for start := int64(a.windows.First(window.Instant(at))); start <= at; start += a.advance {
		end := int64(window.Instant(start).Plus(window.Instant(a.size)))
		if end <= a.observed-a.grace {
			*a.late++
			continue
		}
		if err := a.update(m, key, k, v, start, end, at); err != nil {
			return err
		}
	}
	m.Time = at
	m.Restore(was)
	return nil
}

func (a *windowAgg[K, V, A]) update(m *edge.Meta, key store.Key, k K, v V, start, end, t int64) (err error) {
	var old serde.Opt[A]
	var was int64
	if old.Value, was, old.OK, err = a.rows.Get(key, start); err != nil {
		return err
	}
	if old.OK && was > t {
		t = was
	}
	c := table.Change[A]{New: a.fold(k, v, old)}
	if a.sendOld {
		c.Old = old
	}
	if c.New.OK {
		err = a.rows.Put(key, start, c.New.Value, t)
	} else {
		err = a.rows.Delete(key, start, t)
	}
	if err != nil {
		return err
	}
	m.Time = t
	return a.next(m, window.Key[K]{Key: k, Start: window.Instant(start), End: window.Instant(end)}, c)
}
