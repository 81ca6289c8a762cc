package stream

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// MapValuesAsync maps values by calls that take time, up to so many at once in each task.
//
//	in   (a 1)  (a 2)  (b 3)
//	f     ├── 30 ms ──┤├─ 5 ms ─┤        the calls of one key are made one after the other
//	                  ├─ 10 ms ─┤        those of others meanwhile
//	out          (b 30) (a 10) (a 20)
//
// Results keep the order of their key. A commit does not wait for calls under way: their records go into the operator's
// own store, name, with it, and the calls are made again after a crash, a move or an abort. So each result counts once,
// though a call may be made twice. Results of different keys may overtake each other in time: windows after it need a
// grace. Results have the time and headers of their record.
//
// f runs on goroutines of its own. Its context ends with the attempt's timeout, when the task goes elsewhere and when
// the app stops; nobody waits for a call that does not heed it, and its result is not used. While 16 records for each
// call, and at least 1024, or 64 MiB of them wait in a task, it takes no more.
func (s Stream[K, V]) MapValuesAsync[V2 any](name string, concurrency int, f func(context.Context, V) (V2, error), opts ...AsyncOptions) Stream[K, V2] {
	b := s.out.Builder()
	if !s.given("MapValuesAsync", f == nil) || !b.Own("MapValuesAsync", name) {
		return Stream[K, V2]{}
	}
	if concurrency < 1 {
		b.Fail(0, "MapValuesAsync %q: concurrency %d, want at least 1 call at once", name, concurrency)
		return Stream[K, V2]{}
	}
	var o AsyncOptions
	switch len(opts) {
	case 0:
	case 1:
		o = opts[0]
	default:
		b.Fail(0, "MapValuesAsync %q is given %d AsyncOptions, want one at most", name, len(opts))
	}
	if o.Timeout < 0 || o.Attempts < 0 {
		b.Fail(0, "MapValuesAsync %q: Timeout %v and Attempts %d, want 0 (the default) or more", name, o.Timeout, o.Attempts)
	}
	var ks serde.Serde[K]
	var vs serde.Serde[V]
	op := edge.Op{
		Kind: "KSTREAM-MAPVALUES-ASYNC", Label: name, Reads: edge.Need{Key: true, Val: true},
		Stores: []any{edge.PendingOf(name, func() state.Spec[state.KeyValue[int64, []byte]] {
			return state.NewKeyValue(name, serde.Int64, serde.Bytes)
		})},
		Resolve: func(_ *edge.Node, in edge.Serdes) (out edge.Serdes, err error) {
			if ks, err = topology.StoreSerde[K](b, name, true, in.Key); err == nil {
				vs, err = topology.StoreSerde[V](b, name, false, in.Val)
			}
			return edge.Serdes{Key: ks}, err
		},
	}
	out := s.out.Apply[K, V2](op, func(at edge.Place, next edge.Emit[K, V2]) (edge.Emit[K, V], error) {
		h, err := at.Store(name)
		if err != nil {
			return nil, err
		}
		a := &async[K, V, V2]{
			at: at, f: f, o: o.filled(), slots: concurrency, next: next, rows: h.(state.KeyValue[int64, []byte]),
			keys: edge.NewKeyer(at, ks), key: ks, value: vs, rawValue: at.Node.In.Val != nil, most: max(1024, 16*concurrency),
		}
		a.forget()
		at.OnTurn(a.turn)
		at.OnEnd(func(committed bool) {
			if !committed {
				a.forget() // what the store goes back to is read anew
			}
		})
		at.OnClose(func() error { a.cancel(); return nil })
		return a.take, nil
	})
	return Stream[K, V2]{out, s.rekeyed}
}

// AsyncOptions of MapValuesAsync. The zero value tries once, without a timeout.
type AsyncOptions struct {
	Timeout   time.Duration                   // of one attempt; 0: none
	Attempts  int                             // before the error goes to the app's policy; 0: 1
	Backoff   func(attempt int) time.Duration // after the failed attempt of that number, from 1; nil: 100 ms doubling to 10 s, with jitter
	Park      bool                            // between attempts other keys go on; the parked ones survive restarts
	Unordered bool                            // pass results on as they come: the calls of one key overlap
}

// Backoff of AsyncOptions where none is given.
const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 10 * time.Second
)

func (o AsyncOptions) filled() AsyncOptions {
	o.Attempts = max(o.Attempts, 1)
	if o.Backoff == nil {
		o.Backoff = func(attempt int) time.Duration {
			d := min(backoffFirst<<min(attempt-1, 10), backoffMost)
			return d/2 + rand.N(d/2)
		}
	}
	return o
}
