package stream

import (
	"cmp"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// spanRows are the rows of one aggregate by windows or sessions: its store's name and options, and its serdes, which are
// known after Build. S is the kind of store.
type spanRows[K, A, S any] struct {
	b     *topology.Builder
	name  string
	opts  []state.Options
	key   serde.Serde[K]
	val   serde.Serde[A]
	old   bool
	final bool // somebody wants what has closed
	grace window.Instant
	made  func() S
}

func newSpanRows[K, A, S any](b *topology.Builder, what, name string, opts []state.Options) *spanRows[K, A, S] {
	if len(opts) > 1 {
		b.Fail(0, "%s %q is given %d Options, want one at most", what, name, len(opts))
	}
	if len(opts) > 0 && (opts[0].Retention < 0 || opts[0].Retention%time.Millisecond != 0) {
		b.Fail(0, "%s %q: Retention %v, want whole milliseconds, 0 (as long as windows take records) or more", what, name, opts[0].Retention)
	}
	if len(opts) > 0 && opts[0].Bootstrap {
		b.Fail(0, "%s %q with Bootstrap: that is for tables from a topic, leave it out", what, name)
	}
	return &spanRows[K, A, S]{b: b, name: name, opts: opts}
}

func (r *spanRows[K, A, S]) resolve(in edge.Serdes) (err error) {
	if r.key, err = topology.StoreSerde[K](r.b, r.name, true, in.Key); err != nil {
		return err
	}
	r.val, err = topology.StoreSerde[A](r.b, r.name, false, nil)
	return err
}

// retention is how long windows stay: as long as the user says, at least as long as they take records.
func (r *spanRows[K, A, S]) retention(what string, least window.Instant) window.Instant {
	keep := least
	if len(r.opts) > 0 && r.opts[0].Retention > 0 {
		asked := window.Instant(r.opts[0].Retention.Milliseconds())
		if asked < least {
			r.b.Fail(0, "%s %q: retention %v is shorter than windows take records, want %v at least", what, r.name, asked.Sub(0), least.Sub(0))
		}
		keep = max(keep, asked)
	}
	return keep
}

// coalesced returns the output of the rows as their options want it.
func (r *spanRows[K, A, S]) coalesced(out topology.Output[window.Key[K], table.Change[A]]) topology.Output[window.Key[K], table.Change[A]] {
	if len(r.opts) == 0 || !r.opts[0].Coalesce || out.Builder() == nil {
		return out
	}
	r.old = true
	return table.Coalesce(out, r.name, func() serde.Serde[window.Key[K]] { return windowed.Session(r.key) })
}

// op describes a node that writes the rows.
func (r *spanRows[K, A, S]) op(label string, reads edge.Need) edge.Op {
	return edge.Op{
		Kind: "KSTREAM-AGGREGATE", Label: label, Touch: true, Stores: []any{edge.PendingOf(r.name, r.made)},
		Resolve: func(n *edge.Node, in edge.Serdes) (edge.Serdes, error) {
			err := r.resolve(in)
			// What comes out has the key inside of a window's, so the typed key is read.
			n.Reads = edge.Need{Key: true, Val: reads.Val}
			return edge.Serdes{}, err
		},
	}
}

// newWindowRows are the rows of an aggregate by windows.
func newWindowRows[K, A any](b *topology.Builder, what, name string, w window.Windows, opts []state.Options) *windowRows[K, A] {
	r := &windowRows[K, A]{newSpanRows[K, A, state.Spec[state.Window[K, A]]](b, what, name, opts), w}
	r.grace = w.GracePeriod()
	least, slack := w.Size().Plus(r.grace), window.Instant(0)
	switch {
	case w.Slides():
		// A record looks back twice the difference, and at the window that ends right before those.
		least, slack = w.Size().Plus(w.Size()).Plus(r.grace), 2
	case w.Size() == 0 && (len(opts) == 0 || opts[0].Retention == 0):
		b.Fail(0, "%s %q: a calendar of one's own does not say how long a window can be: give state.Options{Retention: …}, at least that and the grace", what, name)
		least = 1
	}
	keep := r.retention(what, least)
	r.made = func() state.Spec[state.Window[K, A]] {
		if r.final {
			keep = keep.Plus(1) // to be read once more, when the next window has begun
		}
		return state.WindowsOf(name, w, keep, slack, r.key, r.val, opts...)
	}
	return r
}

// windowRows are the rows of one aggregate by windows.
type windowRows[K, A any] struct {
	*spanRows[K, A, state.Spec[state.Window[K, A]]]
	w window.Windows
}

// table is the table of the rows. out are their changes, from are the nodes that write them.
func (r *windowRows[K, A]) table(out topology.Output[window.Key[K], table.Change[A]], from ...topology.Output[window.Key[K], table.Change[A]]) table.Windowed[K, A] {
	view := &table.WindowView[K, A]{
		Store: r.name,
		Old:   func() { r.old = true },
		Rows:  func(c state.Client) state.WindowRows[K, A] { return state.QueryWindow(r.made(), c) },
		Grace: func() (window.Instant, bool) { return r.grace, !r.w.Endless() },
		Key: func() serde.Serde[window.Key[K]] {
			if !r.w.Even() && !r.w.Slides() {
				return windowed.Session(r.key) // the size does not give the end
			}
			return windowed.Time(r.key, r.w.Size().Sub(0))
		},
	}
	if len(from) == 1 && !r.w.Endless() {
		view.Final = r.closed(from[0])
	}
	return table.MakeWindowed(r.coalesced(out), view)
}

// closed returns what adds the output of closed windows to the node that writes them.
func (r *spanRows[K, A, S]) closed(from topology.Output[window.Key[K], table.Change[A]]) func() topology.Output[window.Key[K], table.Change[A]] {
	var out topology.Output[window.Key[K], table.Change[A]]
	return func() topology.Output[window.Key[K], table.Change[A]] {
		if out.Node() == nil {
			r.final = true
			out = from.Aside[window.Key[K], table.Change[A]](edge.Op{Kind: "KSTREAM-CLOSED", Keeps: edge.Need{Key: true, Val: true}}, closedTag)
		}
		return out
	}
}

const closedTag = "closed"

// windowNode adds the node that folds the records of each key and window into the rows.
func windowNode[K, V, A any](in topology.Output[K, V], rows *windowRows[K, A], label string, reads edge.Need, open opener[K, V, A], late *lateness[K, V]) topology.Output[window.Key[K], table.Change[A]] {
	op := rows.op(label, reads)
	if resolve := op.Resolve; rows.w.Slides() { // nulls are dropped
		op.Resolve = func(n *edge.Node, in edge.Serdes) (edge.Serdes, error) {
			out, err := resolve(n, in)
			n.Reads.Val = n.Reads.Val || readsNull[V](in)
			return out, err
		}
	}
	out := in.Apply[window.Key[K], table.Change[A]](op, func(at edge.Place, next edge.Emit[window.Key[K], table.Change[A]]) (edge.Emit[K, V], error) {
		h, err := at.Store(rows.name)
		if err != nil {
			return nil, err
		}
		raw := state.RawWindow[K, A](h.(state.Window[K, A]))
		agg := &windowAgg[K, V, A]{rows: raw, w: rows.w, size: int64(rows.w.Size()), advance: int64(rows.w.Advance())}
		if err := agg.spanAgg.open(at, next, rows.key, open(at, rows.val), rows.old); err != nil {
			return nil, err
		}
		agg.grace = int64(rows.grace)
		agg.watch.open(at, cmp.Or(label, rows.name), agg.closed != nil, int64(rows.b.EmitInterval()))
		if agg.closed != nil {
			raw.File(agg.emitted)
		}
		agg.closeIdle(rows.w.Idle())
		if rows.w.Slides() {
			agg.null, agg.noValue = nullOf[V](at), at.Drop("null-value")
		}
		return agg.receiver(), nil
	})
	late.from(out.Node())
	return out
}
