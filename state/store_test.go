package state_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/window"
)

// open opens a store in memory. The time of the record at hand is *now.
func open[S any](t *testing.T, spec state.Spec[S], now *int64) (S, store.Store) {
	t.Helper()
	h, st, err := state.Open(spec, store.Env{Hasher: hashed.NewHasher(1, 2), Time: func() int64 { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	return h.(S), st
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logged is a changelog as text: key=value@time, sorted.
type logged []string

func (l *logged) Append(at int64, key, value []byte) error {
	v := "null"
	if value != nil {
		v = string(value)
	}
	*l = append(*l, string(key)+"="+v+"@"+time.UnixMilli(at).UTC().Format("05"))
	return nil
}

func flushed(t *testing.T, s store.Store) []string {
	t.Helper()
	var l logged
	must(t, s.Flush(&l))
	s.Ended(store.Position{Offset: 1})
	slices.Sort(l)
	return l
}

// Rows of plain stores bear the time of the record at hand, those of timestamped ones their own; deletions always the
// former.
func TestChangelogTimes(t *testing.T) {
	now := int64(1000)
	kv, st := open(t, state.NewKeyValue("plain", serde.String, serde.String), &now)
	must(t, kv.Put("a", "1"))
	must(t, kv.Put("b", "2"))
	if got := flushed(t, st); !slices.Equal(got, []string{"a=1@01", "b=2@01"}) {
		t.Error(got)
	}
	now = 7000
	must(t, kv.Delete("a"))
	must(t, kv.Delete("never"))
	must(t, kv.Put("c", "3"))
	must(t, kv.Delete("c"))
	if got := flushed(t, st); !slices.Equal(got, []string{"a=null@07"}) {
		t.Error(got)
	}
	ts, st := open(t, state.NewTimestamped("times", serde.String, serde.String), &now)
	must(t, ts.Put("a", "1", 3000))
	if got := flushed(t, st); !slices.Equal(got, []string{"a=1@03"}) {
		t.Error(got)
	}
	must(t, ts.Delete("a"))
	if got := flushed(t, st); !slices.Equal(got, []string{"a=null@07"}) {
		t.Error(got)
	}
}

// The key of a window in its changelog is the key, the start and a zero.
func TestWindowChangelogKey(t *testing.T) {
	now := int64(9000)
	w, st := open(t, state.NewWindow("w", time.Second, time.Hour, serde.String, serde.String), &now)
	must(t, w.Put("k", 258, "v"))
	if got := flushed(t, st); !slices.Equal(got, []string{"k\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00=v@09"}) {
		t.Errorf("%q", got)
	}
}

func TestNullValueDeletes(t *testing.T) {
	now := int64(0)
	kv, st := open(t, state.NewKeyValue("s", serde.String, serde.Optional(serde.String)), &now)
	must(t, kv.Put("a", serde.Some("x")))
	flushed(t, st)
	must(t, kv.Put("a", serde.Opt[string]{}))
	if _, ok, err := kv.Get("a"); ok || err != nil {
		t.Error(ok, err)
	}
	if got := flushed(t, st); !slices.Equal(got, []string{"a=null@00"}) {
		t.Error(got)
	}
	void, _ := open(t, state.NewKeyValue("v", serde.None, serde.String), &now)
	if err := void.Put(serde.Void{}, "x"); err == nil {
		t.Error("a null key is put")
	}
}

func TestPlans(t *testing.T) {
	compact := map[string]string{"cleanup.policy": "compact", "message.timestamp.type": "CreateTime"}
	p := state.PlanOf(state.NewKeyValue("a", serde.String, serde.Int64))
	if p.Err != nil || !p.Changelog || p.InMemory || !maps.Equal(p.Settings, compact) {
		t.Errorf("%+v", p)
	}
	w := state.PlanOf(state.NewWindow("w", time.Minute, time.Hour, serde.String, serde.Int64, state.Options{
		NoChangelog: true, InMemory: true, Retention: 2 * time.Hour}))
	if w.Err != nil || w.Changelog || !w.InMemory || w.Retention != 7_200_000 || w.Size != 60_000 ||
		w.Settings["cleanup.policy"] != "compact,delete" || w.Settings["retention.ms"] != "93600000" {
		t.Errorf("%+v", w)
	}
	o := state.PlanOf(state.NewKeyValue("o", serde.String, serde.Int64, state.Options{Changelog: map[string]string{"cleanup.policy": "delete"}}))
	if o.Settings["cleanup.policy"] != "delete" {
		t.Errorf("%+v", o)
	}
	for what, s := range map[string]state.AnySpec{
		"without a name": state.NewKeyValue("", serde.String, serde.Int64),
		"2 Options":      state.NewKeyValue("x", serde.String, serde.Int64, state.Options{}, state.Options{}),
		"no serde":       state.NewTimestamped[string, int64]("x", nil, nil),
		"for 1000 ms":    state.NewWindow("x", time.Minute, time.Second, serde.String, serde.Int64),
		"Retention is":   state.NewKeyValue("x", serde.String, serde.Int64, state.Options{Retention: 1}),
		"not declared":   state.Spec[int]{},
	} {
		err := state.PlanOf(s).Err
		if err == nil {
			_, _, err = state.Open(s, store.Env{})
		}
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// An iteration that meets an error ends, and the handle says so once.
func TestFailedIteration(t *testing.T) {
	now := int64(0)
	broken := errors.New("broken")
	bad := serde.Of(func(dst []byte, k string) ([]byte, error) { return append(dst, k...), nil },
		func(b []byte) (string, error) {
			if string(b) == "b" {
				return "", broken
			}
			return string(b), nil
		})
	kv, _ := open(t, state.NewKeyValue("s", bad, serde.String), &now)
	for _, k := range []string{"a", "b", "c"} {
		must(t, kv.Put(k, "v"))
	}
	n := 0
	for range kv.All() {
		n++
	}
	f := kv.(interface{ Failed() error })
	if err := f.Failed(); n != 1 || !errors.Is(err, broken) {
		t.Errorf("%d rows, %v", n, err)
	}
	if err := f.Failed(); err != nil {
		t.Errorf("the error is told twice: %v", err)
	}
}

// asked is a client over one store.
type asked struct{ store.Store }

func (a asked) Ask(_ context.Context, q state.Question) iter.Seq2[state.Answer, error] {
	return func(yield func(state.Answer, error) bool) {
		if q.Store != a.Name() {
			yield(state.Answer{}, state.ErrNoStore)
			return
		}
		for r, err := range a.Committed(state.QueryOf(q)) {
			if !yield(state.AnswerOf(r), err) {
				return
			}
		}
	}
}

func TestQueriesSeeWhatIsCommitted(t *testing.T) {
	ctx, now := t.Context(), int64(5)
	spec := state.NewKeyValue("s", serde.String, serde.Int64)
	kv, st := open(t, spec, &now)
	rows := state.QueryKeyValue(spec, asked{st})
	must(t, kv.Put("a", 1))
	must(t, kv.Put("b", 2))
	if _, ok, err := rows.Get(ctx, "a"); ok || err != nil {
		t.Errorf("an open transaction is seen: %v %v", ok, err)
	}
	flushed(t, st)
	must(t, kv.Put("a", 10))
	must(t, kv.Delete("b"))
	if v, ok, err := rows.Get(ctx, "a"); v != 1 || !ok || err != nil {
		t.Errorf("Get: %d %v %v", v, ok, err)
	}
	double := state.MapRows(rows, func(k string, v int64) (int64, bool) { return 2 * v, k != "a" })
	var got []state.Entry[string, int64]
	for e, err := range double.All(ctx) {
		must(t, err)
		got = append(got, e)
	}
	if !slices.Equal(got, []state.Entry[string, int64]{{Key: "b", Value: 4, Time: 5}}) {
		t.Error(got)
	}
	n := 0
	for e, err := range rows.Range(ctx, "a", "a") {
		if n++; err != nil || e.Key != "a" {
			t.Error(e, err)
		}
	}
	if n != 1 {
		t.Errorf("Range gave %d rows", n)
	}
	if _, _, err := state.RowsOf(asked{st}, "other", serde.String, serde.Int64).Get(ctx, "a"); !errors.Is(err, state.ErrNoStore) {
		t.Errorf("another store: %v", err)
	}
	if _, _, err := state.QueryKeyValue(spec, nil).Get(ctx, "a"); err == nil {
		t.Error("a query without a client is answered")
	}
}

func TestWindowQueries(t *testing.T) {
	ctx, now := t.Context(), int64(5)
	spec := state.NewWindow("w", time.Second, time.Hour, serde.String, serde.Int64)
	w, st := open(t, spec, &now)
	for i := range window.Instant(3) {
		must(t, w.Put("a", 1000*i, int64(i)))
		must(t, w.Put("b", 1000*i, int64(i)))
	}
	flushed(t, st)
	must(t, w.Put("a", 1000, 100))
	rows := state.QueryWindow(spec, asked{st})
	if v, ok, err := rows.Get(ctx, "a", 1000); v != 1 || !ok || err != nil {
		t.Errorf("Get: %d %v %v", v, ok, err)
	}
	var got []window.Key[string]
	for e, err := range rows.Fetch(ctx, "a", 1000, 5000) {
		must(t, err)
		got = append(got, e.Key)
	}
	for e, err := range rows.FetchAll(ctx, 0, 0) {
		must(t, err)
		got = append(got, e.Key)
	}
	want := []window.Key[string]{{Key: "a", Start: 1000, End: 2000}, {Key: "a", Start: 2000, End: 3000}, {Key: "a", End: 1000}, {Key: "b", End: 1000}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
