package table

import (
	"fmt"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// Suppression says when a held update goes on: at the first of its limits. The zero value holds nothing. A buffer that
// outgrows memory spills to disk.
type Suppression struct {
	After      time.Duration // in event time, after the first update held; 0: no limit
	MaxRecords int           // 0: no limit
	MaxBytes   int64         // of keys, values and headers as encoded; 0: no limit
	Full       Full          // what happens at a limit of records or bytes
	UntilClose bool          // windows: hold until the window has closed, deletes dropped; see Final
}

// Full is an answer to a full buffer.
type Full int

const (
	EmitEarly Full = iota // pass on the oldest
	Stop                  // stop the app
)

// Suppress holds updates back and passes on the last of each key: the first of them says when it is due, the last what
// is passed on, with its own time, headers and origin. Only records move time on, whatever their key. The buffer is a
// store, <name>-store, with a changelog. A lookup of a held row gives what was passed on before.
//
//	After 10 ms
//	in    (a 1)@0   (a 2)@5   (b 7)@12
//	out                       (a 2)@5
func (t Table[K, V]) Suppress[_ edge.Called](name string, until Suppression) Table[K, V] {
	if !given(t, "Suppress", false) || !until.check(t.out.Builder(), name, false) {
		return Table[K, V]{}
	}
	if t.view.History > 0 {
		t.out.Builder().Fail(0, "Suppress %q of a table that keeps history: an update may be older than what is held; Materialize it without History first", name)
		return Table[K, V]{}
	}
	if until == (Suppression{}) {
		return t
	}
	t.view.Old(true)
	b := &buffer[K, V]{name: name + "-store", until: until, wait: until.wait(0), due: func(_ K, at int64) int64 { return at }}
	b.serdes = func(in edge.Serdes) (err error) {
		k, v := t.view.Serdes()
		if b.key = k; b.key == nil {
			if b.key, err = topology.SerdeFor[K](t.out.Builder(), in.Key); err != nil {
				return err
			}
		}
		if b.val = v; b.val == nil {
			b.val, err = topology.SerdeFor[V](t.out.Builder(), nil)
		}
		return err
	}
	view := *t.view
	view.Store, view.Rows = func() string { return "" }, nil
	view.Filtered = false // a deletion of a row that was only ever held is passed on, as Kafka Streams does
	view.Stores = func() []any { return append(t.view.Stores(), b.pending()) }
	view.Old = func(bool) bool { return true }
	view.Open = func(p edge.Place) (edge.Lookup[K, V], error) { return b.lookup(p, t.view.Open) }
	return Table[K, V]{b.add(t.out, name), &view}
}

// Suppress is as for Table. UntilClose holds each window until the highest time seen here, less the grace, has reached
// its end; what was deleted by then is not passed on. It is for those who need the clock of Kafka Streams' suppress:
// [Windowed.Final] costs no buffer.
//
//	windows of 10 ms, no grace, UntilClose
//	in    (a x)@3   (a y)@7   (a z)@12
//	out                       a@[0,10)=2
func (t Windowed[K, V]) Suppress[_ edge.Called](name string, until Suppression) Windowed[K, V] {
	if !t.given("Suppress", false) || !until.check(t.out.Builder(), name, true) {
		return Windowed[K, V]{}
	}
	if until == (Suppression{}) {
		return t
	}
	grace, closes := t.view.Grace()
	if until.UntilClose && !closes {
		t.out.Builder().Fail(0, "Suppress %q until windows close that never do: give After", name)
		return Windowed[K, V]{}
	}
	t.view.Old()
	b := &buffer[window.Key[K], V]{name: name + "-store", until: until, wait: until.wait(grace)}
	b.due = func(_ window.Key[K], at int64) int64 { return at }
	if until.UntilClose {
		b.due = func(k window.Key[K], _ int64) int64 { return int64(k.End) }
	}
	b.serdes = func(edge.Serdes) (err error) {
		b.key = t.view.Key()
		b.val, err = topology.SerdeFor[V](t.out.Builder(), nil)
		return err
	}
	view := *t.view
	view.Store, view.Final, view.Old = "", nil, func() {}
	view.Rows = func(c state.Client) state.WindowRows[K, V] { return state.WindowRowsOf[K, V](c, "", nil, nil) }
	return Windowed[K, V]{out: b.add(t.out, name), view: &view}
}

// wait is how long, in ms, an update is held after it is due.
func (s Suppression) wait(grace window.Instant) int64 {
	switch {
	case s.UntilClose:
		return int64(grace)
	case s.After == 0:
		return forever
	}
	return s.After.Milliseconds()
}

// check reports what is wrong with s.
func (s Suppression) check(b *topology.Builder, name string, windows bool) bool {
	was := s
	switch {
	case s.After < 0 || s.MaxRecords < 0 || s.MaxBytes < 0:
		b.Fail(0, "Suppress %q: negative limits: %+v; use 0 for none", name, s)
	case s.After%time.Millisecond != 0:
		b.Fail(0, "Suppress %q: %v is finer than a millisecond, want whole ones", name, s.After)
	case s.UntilClose && !windows:
		b.Fail(0, "Suppress %q until windows close, of a table without windows: give After", name)
	case s.UntilClose && s.After != 0:
		b.Fail(0, "Suppress %q: After and UntilClose, choose one", name)
	case s.UntilClose && (s.MaxRecords > 0 || s.MaxBytes > 0) && s.Full == EmitEarly:
		b.Fail(0, "Suppress %q until windows close cannot pass on early: set Full to Stop", name)
	case was == Suppression{}:
		return true
	default:
		return b.Own("Suppress", name+"-store")
	}
	return false
}

// held is an update in the buffer.
type held[V any] struct {
	due       int64        // of the first update of the key, as are its place in the order and prior
	prior     serde.Opt[V] // what was passed on before
	value     serde.Opt[V] // of the last update, as are the rest
	time      int64
	topic     string
	partition int32
	offset    int64
	headers   []byte // raw
}

// buffer holds updates back.
type buffer[K, V any] struct {
	name   string
	until  Suppression
	wait   int64
	due    func(k K, at int64) int64
	serdes func(edge.Serdes) error
	key    serde.Serde[K]
	val    serde.Serde[V]
}

func (b *buffer[K, V]) pending() edge.Pending {
	return edge.PendingOf(b.name, func() state.Spec[state.Timestamped[K, held[V]]] {
		return state.NewTimestamped(b.name, b.key, serde.Serde[held[V]](heldSerde[V]{b.val}))
	})
}

func (b *buffer[K, V]) add(out topology.Output[K, Change[V]], name string) topology.Output[K, Change[V]] {
	return out.Apply[K, Change[V]](edge.Op{
		Kind: "KTABLE-SUPPRESS", Label: name, Reads: edge.Need{Key: true, Val: true}, Stores: []any{b.pending()},
		Resolve: func(_ *edge.Node, in edge.Serdes) (edge.Serdes, error) {
			err := b.serdes(in)
			return edge.Serdes{Key: b.key}, err
		},
	}, b.open)
}

// lookup gives the prior value of a held row, else what the parent has.
func (b *buffer[K, V]) lookup(p edge.Place, parent func(edge.Place) (edge.Lookup[K, V], error)) (edge.Lookup[K, V], error) {
	below, err := parent(p)
	if err != nil {
		return nil, err
	}
	h, err := p.Store(b.name)
	if err != nil {
		return nil, err
	}
	rows, keys := state.RawKV[K, held[V]](h.(state.Timestamped[K, held[V]])), edge.NewKeyer(p, b.key)
	return func(m *edge.Meta, k K) (v V, at int64, ok bool, err error) {
		key, err := keys.Key(m, k)
		if err != nil {
			return v, 0, false, err
		}
		if x, _, found, err := rows.Get(key); found || err != nil {
			return x.prior.Value, -1, x.prior.OK, err
		}
		return below(m, k)
	}, nil
}

func (b *buffer[K, V]) open(at edge.Place, next edge.Emit[K, Change[V]]) (edge.Emit[K, Change[V]], error) {
	h, err := at.Store(b.name)
	if err != nil {
		return nil, err
	}
	x := &suppressor[K, V]{
		buffer: b, at: at, next: next, rows: state.RawKV[K, held[V]](h.(state.Timestamped[K, held[V]])),
		keys: edge.NewKeyer(at, b.key), dec: serde.Single(b.key), observed: at.Keep(b.name + " observed"),
	}
	if b.until.MaxRecords > 0 || b.until.MaxBytes > 0 {
		x.records, x.bytes = at.Keep(b.name+" records"), at.Keep(b.name+" bytes")
	}
	return x.receive, x.rows.Schedule(func(h held[V], _ int64) int64 { return h.due })
}

var errFull = fmt.Errorf("table: the buffer of a Suppress that must not pass on early is full")
