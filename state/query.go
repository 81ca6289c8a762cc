package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/window"
)

// Errors of a query that a caller can act on.
var (
	ErrRebalancing = errors.New("state: the partition is moving; try again")
	ErrNotLocal    = errors.New("state: the key lives on another instance")
	ErrNoStore     = errors.New("state: the table keeps no rows; Materialize it")
	ErrBehind      = errors.New("state: the store has not yet reached the token")
)

var errNoClient = errors.New("state: a query without a client, or of a table that was not built")

// errOwnKind refuses a question to a store that New has declared: what there is to ask it only the program knows.
func errOwnKind(name string) error {
	return fmt.Errorf("state: store %q is of the program's own kind, which answers no queries: keep what is to be asked for in one of NewKeyValue beside it", name)
}

// refusing is a client that answers nothing.
type refusing struct{ err error }

// Ask implements Client.
func (r refusing) Ask(context.Context, Question) iter.Seq2[Answer, error] { return failing(r.err) }

// askable returns the client by which a store of that plan is asked: one that refuses, if it cannot be.
func askable(p store.Plan, c Client) Client {
	if p.Schema.Kind == store.KindCustom {
		return refusing{errOwnKind(p.Name)}
	}
	return c
}

// unready says why a query cannot be made, nil if it can: handle says that the store is known.
func unready(c Client, handle bool) error {
	if r, ok := c.(refusing); ok {
		return r.err
	}
	if c == nil || !handle {
		return errNoClient
	}
	return nil
}

// Client answers queries: a running App, a test driver, or a connection to a remote app.
type Client interface {
	// Ask returns the rows that answer q, as of the last commit. Their slices live until the next step.
	Ask(ctx context.Context, q Question) iter.Seq2[Answer, error]
}

// Question is what a Client is asked, in bytes. Only implementers of Client look inside.
type Question struct {
	Store string
	// Op is as in the store: "get", "range", "all"; of versions "asof" too; of windows "get", "fetch", "fetchall". "watch"
	// asks for all rows, or that of Key, and then for their changes; "owner" for a [Host] as JSON.
	Op         string
	Key, Upper []byte
	From, To   window.Instant
	Local      bool
	Stale      bool
	After      Token

	KeyType, ValueType string  // as the handle has them; empty: whatever they are
	Partitions         []int32 // of the store, to ask no others; nil: all
	Past               []byte  // of "all" and "range": go on behind this key in partition PastIn
	PastIn             int32
}

// Answer is one row, or a mark within a watch, whose rows without a Value are deleted ones.
type Answer struct {
	Key, Value []byte
	Time       window.Instant
	Start, End window.Instant
	Partition  int32
	Mark       Mark
}

// Mark is what the answer to a watch says beside rows.
type Mark = store.Mark

// A watch begins with a snapshot, and has another one wherever it may have missed something.
const (
	SnapshotBegins = store.SnapshotBegins // what was said before is void
	SnapshotEnds   = store.SnapshotEnds   // what follows are changes
)

// Host is where a key lives.
type Host struct {
	Addr      string   `json:"addr"` // Config.Ops.Advertise of the instance; "" if it serves no queries
	Partition int32    `json:"partition"`
	Standbys  []string `json:"standbys,omitempty"` // Addr of instances that keep a copy; see Rows.Stale
}

// Token stands for a position in the input; see [Rows.After].
type Token string

// QueryOf returns the part of a question that a store answers. It is for implementers of Client within the library.
func QueryOf(q Question) store.Query {
	return store.Query{Op: q.Op, Key: q.Key, To: q.Upper, FromTime: int64(q.From), ToTime: int64(q.To)}
}

// AnswerOf returns a store's row as an answer. It is for implementers of Client within the library.
func AnswerOf(r store.Row) Answer {
	return Answer{r.Key, r.Value, window.Instant(r.Time), window.Instant(r.Start), window.Instant(r.End), r.Partition, r.Mark}
}

// Rows reads a table, on whichever instance has the row, and only what is committed. Copies refine it:
//
//	counts.Query(app).Stale().Get(ctx, "alice")
type Rows[K, V any] struct {
	client Client
	key    serde.Serde[K]
	value  func(k K, data []byte) (v V, ok bool, err error)
	q      Question
	// answer replaces the client: of rows that come of two stores.
	answer func(ctx context.Context, q Question, k *K) iter.Seq2[Entry[K, V], error]
}

// RowsOf reads the store of that name. It is for the library's own use; see [QueryKeyValue].
func RowsOf[K, V any](c Client, name string, k serde.Serde[K], v serde.Serde[V]) Rows[K, V] {
	return Rows[K, V]{client: c, key: k, q: questionOf(name, k, v), value: func(_ K, data []byte) (V, bool, error) {
		x, err := v.Decode(data)
		return x, err == nil, err
	}}
}

// questionOf begins a question to a store of the given types.
func questionOf[K, V any](name string, k serde.Serde[K], v serde.Serde[V]) Question {
	return Question{Store: name, KeyType: typeName(k), ValueType: typeName(v)}
}

// Fits reports whether a question is for a store of that plan. Whoever answers asks it: the one who asks may be a program
// of another version. It is for implementers of Client within the library.
func Fits(q Question, p store.Plan) error {
	if p.Schema.Kind == store.KindCustom {
		return errOwnKind(p.Name)
	}
	key, _, _ := strings.Cut(p.Schema.Key, " in ")
	if q.KeyType != "" && q.KeyType != key || q.ValueType != "" && q.ValueType != p.Schema.Value {
		return fmt.Errorf("state: store %q holds %s to %s, asked for as %s to %s", q.Store, key, p.Schema.Value, q.KeyType, q.ValueType)
	}
	return nil
}

// MapRows reads the rows of r as f makes them: a row that f refuses is not there. It is for the library's own use.
func MapRows[K, V, V2 any](r Rows[K, V], f func(K, V) (V2, bool)) Rows[K, V2] {
	if r.answer != nil {
		return Rows[K, V2]{client: r.client, key: r.key, q: r.q, answer: mapAnswer(r.answer, f)}
	}
	return Rows[K, V2]{client: r.client, key: r.key, q: r.q, value: func(k K, data []byte) (v2 V2, ok bool, err error) {
		v, ok, err := r.value(k, data)
		if ok && err == nil {
			v2, ok = f(k, v)
		}
		return v2, ok, err
	}}
}

// QueryKeyValue reads a processor's KeyValue store from outside.
func QueryKeyValue[K, V any](s Spec[KeyValue[K, V]], c Client) Rows[K, V] {
	k, _ := s.key.(serde.Serde[K])
	v, _ := s.val.(serde.Serde[V])
	return RowsOf(askable(s.p, c), s.Name(), k, v)
}

// Get returns the row of k.
func (r Rows[K, V]) Get(ctx context.Context, k K) (v V, ok bool, err error) {
	e, ok, err := r.entry(ctx, k)
	return e.Value, ok, err
}

// entry is Get with the row's time.
func (r Rows[K, V]) entry(ctx context.Context, k K) (e Entry[K, V], ok bool, err error) {
	q := r.q
	q.Op = "get"
	rows := r.answer
	if rows == nil {
		if q.Key, err = encode(r.client, r.key, k); err != nil {
			return e, false, err
		}
		rows = func(ctx context.Context, q Question, _ *K) iter.Seq2[Entry[K, V], error] { return r.ask(ctx, q) }
	}
	for e, err := range rows(ctx, q, &k) {
		return e, err == nil, err
	}
	return e, false, nil
}

// AsOf returns the row of k as it stood at t. The table must keep history.
func (r Rows[K, V]) AsOf(ctx context.Context, k K, t window.Instant) (v V, ok bool, err error) {
	q := r.q
	q.Op, q.From = "asof", t
	if q.Key, err = encode(r.client, r.key, k); err != nil {
		return v, false, err
	}
	for e, err := range r.ask(ctx, q) {
		return e.Value, err == nil, err
	}
	return v, false, nil
}

// All returns every row, partition by partition, ordered by key bytes within each. An error ends it and is yielded
// last.
func (r Rows[K, V]) All(ctx context.Context) iter.Seq2[Entry[K, V], error] {
	q := r.q
	q.Op = "all"
	return r.ask(ctx, q)
}

// Range returns the rows from..to, both inclusive by key bytes. Order and errors are those of All.
func (r Rows[K, V]) Range(ctx context.Context, from, to K) iter.Seq2[Entry[K, V], error] {
	q := r.q
	q.Op = "range"
	var err, err2 error
	q.Key, err = encode(r.client, r.key, from)
	q.Upper, err2 = encode(r.client, r.key, to)
	if err = errors.Join(err, err2); err != nil {
		return func(yield func(Entry[K, V], error) bool) { yield(Entry[K, V]{}, err) }
	}
	return r.ask(ctx, q)
}

// Owner says where k lives. Where a key's partition is not known by its bytes, because the topic's writer chooses it, that
// is an error.
func (r Rows[K, V]) Owner(ctx context.Context, k K) (h Host, err error) {
	q := r.q
	q.Op = "owner"
	if q.Key, err = encode(r.client, r.key, k); err != nil {
		return h, err
	}
	for a, err := range r.client.Ask(ctx, q) {
		if err == nil {
			err = json.Unmarshal(a.Value, &h)
		}
		return h, err
	}
	return h, ErrNoStore
}

// Local asks this instance alone; a key of another gives ErrNotLocal.
func (r Rows[K, V]) Local() Rows[K, V] { r.q.Local = true; return r }

// Stale lets standbys answer too: where this instance keeps a copy of a partition it answers from that, and another's
// where the owner cannot be asked. Copies have committed rows alone, of a moment ago; Owner says where they are.
func (r Rows[K, V]) Stale() Rows[K, V] { r.q.Stale = true; return r }

// After waits until what t stands for is in the store: reading one's own writes.
func (r Rows[K, V]) After(t Token) Rows[K, V] { r.q.After = t; return r }

// ask returns the typed rows that answer q.
func (r Rows[K, V]) ask(ctx context.Context, q Question) iter.Seq2[Entry[K, V], error] {
	if r.answer != nil {
		return r.answer(ctx, q, nil)
	}
	return func(yield func(Entry[K, V], error) bool) {
		if err := unready(r.client, r.key != nil && r.value != nil); err != nil {
			yield(Entry[K, V]{}, err)
			return
		}
		for a, err := range r.client.Ask(ctx, q) {
			e := Entry[K, V]{Time: a.Time}
			ok := err == nil
			if ok {
				e.Key, err = r.key.Decode(a.Key)
			}
			if ok && err == nil {
				e.Value, ok, err = r.value(e.Key, a.Value)
			}
			if err != nil {
				yield(Entry[K, V]{}, err)
				return
			}
			if ok && !yield(e, nil) {
				return
			}
		}
	}
}

// encode returns the bytes of a key to be asked for.
func encode[K any](c Client, s serde.Serde[K], k K) ([]byte, error) {
	if err := unready(c, s != nil); err != nil {
		return nil, err
	}
	b, err := s.Append([]byte{}, k)
	if err == nil && b == nil {
		err = errNullKey
	}
	return b, err
}
