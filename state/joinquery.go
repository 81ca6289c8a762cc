package state

import (
	"context"
	"fmt"
	"iter"

	"github.com/thalweg/thalweg/serde"
)

// JoinRows reads the rows of a join that is not stored: what f makes of the rows of l and r that share a key. left and
// right say which side's rows stay without a partner; those of r alone come after the others. It is for the library's own
// use.
func JoinRows[K, V, V2, R any](l Rows[K, V], r Rows[K, V2], left, right bool, f func(serde.Opt[V], serde.Opt[V2]) R) Rows[K, R] {
	j := joinedRows[K, V, V2, R]{l, r, left, right, f}
	return Rows[K, R]{client: l.client, key: l.key, q: l.q, answer: j.answer}
}

type joinedRows[K, V, V2, R any] struct {
	l           Rows[K, V]
	r           Rows[K, V2]
	left, right bool
	f           func(serde.Opt[V], serde.Opt[V2]) R
}

// answer answers "get" of k, "all" and "range".
func (j joinedRows[K, V, V2, R]) answer(ctx context.Context, q Question, k *K) iter.Seq2[Entry[K, R], error] {
	l, r := j.l, j.r
	l.q.Local, l.q.Stale, l.q.After = q.Local, q.Stale, q.After
	r.q.Local, r.q.Stale, r.q.After = q.Local, q.Stale, q.After
	return func(yield func(Entry[K, R], error) bool) {
		switch {
		case q.Op == "get":
			e, ok, err := j.get(ctx, l, r, *k)
			if ok || err != nil {
				yield(e, err)
			}
			return
		case q.Op != "all" && q.Op != "range":
			yield(Entry[K, R]{}, fmt.Errorf("state: a join that is not stored answers get, all and range, not %q: Materialize it", q.Op))
			return
		}
		lq, rq := q, q
		lq.Store, rq.Store = l.q.Store, r.q.Store
		lq.ValueType, rq.ValueType = l.q.ValueType, r.q.ValueType
		for e, err := range l.ask(ctx, lq) {
			if err == nil && !j.pass(ctx, l, r, e.Key, yield, &err) {
				return
			}
			if err != nil {
				yield(Entry[K, R]{}, err)
				return
			}
		}
		if !j.right {
			return
		}
		for e, err := range r.ask(ctx, rq) {
			alone := false
			if err == nil {
				_, there, e2 := l.Get(ctx, e.Key)
				alone, err = !there, e2
			}
			if alone && !j.pass(ctx, l, r, e.Key, yield, &err) {
				return
			}
			if err != nil {
				yield(Entry[K, R]{}, err)
				return
			}
		}
	}
}

// pass yields the row of k, if there is one, and reports whether to go on.
func (j joinedRows[K, V, V2, R]) pass(ctx context.Context, l Rows[K, V], r Rows[K, V2], k K, yield func(Entry[K, R], error) bool, err *error) bool {
	e, ok, e2 := j.get(ctx, l, r, k)
	if *err = e2; e2 != nil || !ok {
		return true
	}
	return yield(e, nil)
}

// get joins the rows of k. Its time is the later of the two.
func (j joinedRows[K, V, V2, R]) get(ctx context.Context, l Rows[K, V], r Rows[K, V2], k K) (e Entry[K, R], ok bool, err error) {
	a, okL, err := l.entry(ctx, k)
	if err != nil || !okL && !j.right {
		return e, false, err
	}
	b, okR, err := r.entry(ctx, k)
	if err != nil || !okR && !(j.left && okL) {
		return e, false, err
	}
	v, v2 := serde.Opt[V]{Value: a.Value, OK: okL}, serde.Opt[V2]{Value: b.Value, OK: okR}
	return Entry[K, R]{k, j.f(v, v2), max(a.Time, b.Time)}, true, nil
}

// mapAnswer is MapRows of rows that come of two stores.
func mapAnswer[K, V, V2 any](answer func(context.Context, Question, *K) iter.Seq2[Entry[K, V], error], f func(K, V) (V2, bool)) func(context.Context, Question, *K) iter.Seq2[Entry[K, V2], error] {
	return func(ctx context.Context, q Question, k *K) iter.Seq2[Entry[K, V2], error] {
		return func(yield func(Entry[K, V2], error) bool) {
			for e, err := range answer(ctx, q, k) {
				out, ok := Entry[K, V2]{Key: e.Key, Time: e.Time}, true
				if err == nil {
					out.Value, ok = f(e.Key, e.Value)
				}
				if ok && !yield(out, err) {
					return
				}
			}
		}
	}
}
