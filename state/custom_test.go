package state_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// totals sums by key, and keeps the sum of all sums: what is told is put right must fit what follows from it.
type totals struct {
	env   state.Env
	sums  map[string]int64
	total int64
	lazy  bool // it tells before a commit only
	dirty map[string]bool
	at    window.Instant
	fault string // where it fails
}

func (x *totals) add(k string, v int64, at window.Instant) {
	x.set(k, x.sums[k]+v)
	x.at = max(x.at, at)
	if x.dirty[k] = true; !x.lazy {
		x.tell()
	}
}

func (x *totals) set(k string, v int64) {
	x.total += v - x.sums[k]
	if x.sums[k] = v; v == 0 {
		delete(x.sums, k)
	}
}

func (x *totals) tell() {
	for k := range x.dirty {
		var value []byte
		if v, ok := x.sums[k]; ok {
			value = binary.BigEndian.AppendUint64(nil, uint64(v))
		}
		x.env.Changelog([]byte(k), value, x.at)
	}
	clear(x.dirty)
}

func (x *totals) Restore(key, value []byte) error {
	switch x.fault {
	case "restore":
		return errors.New("no room")
	case "panic":
		panic("no room")
	case "tell":
		x.env.Changelog(key, value, 0)
	}
	if value == nil {
		value = make([]byte, 8)
	}
	x.set(string(key), int64(binary.BigEndian.Uint64(value)))
	return nil
}

func (x *totals) Flush() error {
	if x.fault == "flush" {
		return errors.New("no wind")
	}
	x.tell()
	return nil
}

func newTotals(env state.Env) *totals {
	return &totals{env: env, sums: map[string]int64{}, dirty: map[string]bool{}}
}

var (
	amounts = topology.NewTopic("amounts", serde.String, serde.Int64)
	sums    = topology.NewTopic("sums", serde.String, serde.Int64)
)

// TestStoreOfOnesOwnKindIsExactlyOnce runs a store beside a model, through crashes, lost disks and moves. A record of 99 fails and is
// skipped.
func TestStoreOfOnesOwnKindIsExactlyOnce(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			spec := state.New("totals", func(env state.Env) (*totals, error) {
				x := newTotals(env)
				x.lazy = seed%2 == 1
				return x, nil
			}, state.Options{InMemory: seed%3 == 2})
			d := streamtest.New(t, func(b *topology.Builder) {
				topology.Source(b, amounts).Process("sum", func(ctx *topology.Context[string, int64]) (topology.Processor[string, int64], error) {
					x := ctx.Store(spec)
					return topology.ProcessorFunc[string, int64](func(r topology.Record[string, int64]) error {
						x.add(r.Key, r.Value, r.Time)
						return ctx.Forward(topology.Record[string, int64]{Key: "total", Value: x.total, Time: r.Time})
					}), nil
				}, spec).Sink(sums)
			}, streamtest.Options{Partitions: 1, Instances: 2, CommitEvery: 1 + r.IntN(7), Seed: seed + 1})
			model, want := int64(0), []streamtest.Pair[string, int64]{}
			by := map[string]int64{}
			for range 150 {
				k, v := fmt.Sprint(r.IntN(9)), int64(r.IntN(7)-3)
				if r.IntN(5) == 0 {
					v = -by[k] // the row goes
				}
				by[k] += v
				model += v
				want = append(want, streamtest.KV("total", model))
				d.Topic(amounts).Put(k, v)
				disturb(d, r)
			}
			d.Commit()
			d.Topic(sums).Want(want...)
		})
	}
}

// disturb does to a driver of two instances, now and then, what may happen to a deployment.
func disturb(d *streamtest.Driver, r *rand.Rand) {
	switch i := r.IntN(2); r.IntN(12) {
	case 0:
		d.Crash(i)
		d.Restart(i)
	case 1:
		d.Crash(i)
		d.Wipe(i)
		d.Restart(i)
	case 2:
		d.Scale(1)
		d.Scale(2)
	case 3:
		d.Restart(i)
	}
}

// rows is the changelog of a test: committed rows.
type rows map[string][]byte

func (r rows) Append(_ int64, key, value []byte) error {
	if r[string(key)] = append([]byte{}, value...); value == nil {
		delete(r, string(key))
	}
	return nil
}

// openTotals opens the store alone, on what fault says is broken in it.
func openTotals(t *testing.T, fault string, log rows) (*totals, store.Store, error) {
	t.Helper()
	spec := state.New("totals", func(env state.Env) (*totals, error) { return newTotals(env), nil })
	h, st, err := state.Open(spec, store.Env{Hasher: hashed.NewHasher(1, 2), Partition: 7})
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	x := h.(*totals)
	x.fault = fault
	return x, st, st.Replay(func(yield func(store.Logged) bool) {
		for k, v := range log {
			if !yield(store.Logged{Key: []byte(k), Value: v}) {
				return
			}
		}
	})
}

func TestAbortPutsAStoreOfOnesOwnKindRight(t *testing.T) {
	log := rows{}
	x, st, err := openTotals(t, "", log)
	if err != nil {
		t.Fatal(err)
	}
	x.add("a", 1, 5)
	x.add("b", 2, 5)
	if err := st.Flush(log); err != nil {
		t.Fatal(err)
	}
	st.Ended(store.Position{Offset: 2})
	x.add("a", 10, 6)
	x.add("b", -2, 6)
	x.add("c", 4, 6)
	st.Abort()
	if want := map[string]int64{"a": 1, "b": 2}; !maps.Equal(x.sums, want) || x.total != 3 {
		t.Errorf("after the abort %v, total %d, want %v", x.sums, x.total, want)
	}
	y, _, err := openTotals(t, "", log)
	if err != nil || !maps.Equal(y.sums, x.sums) {
		t.Errorf("restored %v, %v, want %v", y.sums, err, x.sums)
	}
	if err := st.Reset(); err != nil || len(x.sums) != 0 || x.total != 0 {
		t.Errorf("after a reset %v, total %d, %v", x.sums, x.total, err)
	}
}

// TestFaultsOfAStoreOfOnesOwnKindStopTheTask shows that an error of the user's is reported with the store and partition, and that nothing
// is committed after it.
func TestFaultsOfAStoreOfOnesOwnKindStopTheTask(t *testing.T) {
	for fault, want := range map[string]string{
		"restore": `store: "totals" partition 7: Restore: no room`,
		"panic":   `store: "totals" partition 7: Restore: panic: no room`,
		"tell":    `Changelog of key "a": it was called while the store was opened or restored`,
		"flush":   `store: "totals" partition 7: Flush: no wind`,
	} {
		x, st, err := openTotals(t, "", rows{})
		if err != nil {
			t.Fatal(err)
		}
		x.add("a", 1, 5)
		if x.fault = fault; fault != "flush" {
			st.Abort()
		}
		if err := st.Flush(rows{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Flush says %v, want %q", fault, err, want)
		}
		told := st.(interface{ Failed() error }).Failed()
		if fault != "flush" && (told == nil || !strings.Contains(told.Error(), want)) {
			t.Errorf("%s: the record fails with %v, want %q", fault, told, want)
		}
		if fault == "tell" || fault == "flush" {
			continue
		}
		if _, _, err := openTotals(t, fault, rows{"a": make([]byte, 8)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Replay says %v, want %q", fault, err, want)
		}
	}
}

func TestStoreOfOnesOwnKindIsDeclaredWell(t *testing.T) {
	none := func(state.Env) (map[string]int, error) { return nil, nil }
	for _, c := range []struct {
		spec state.AnySpec
		want string
	}{
		{state.New[*totals]("x", nil), `state: "x": New without a function that opens the store`},
		{state.New("x", none), `state: "x": a map[string]int has no method Restore(key, value []byte) error, by which it would be filled from its changelog: give it one, or set NoChangelog`},
		{state.New("x", none, state.Options{NoChangelog: true, TTL: 1e9}), "TTL is for maps and tables"},
		{state.New("x", none, state.Options{NoChangelog: true, Coalesce: true}), "Coalesce is for tables"},
		{state.New("x", func(state.Env) (any, error) { return 1, nil }), "a int has no method Restore"},
		{state.New("x", func(state.Env) (any, error) { return nil, nil }), "the function that opens the store returned nil"},
		{state.New("x", func(state.Env) (any, error) { return nil, errors.New("no key") }), `"x" partition 0: open: no key`},
	} {
		_, _, err := state.Open(c.spec, store.Env{Hasher: hashed.NewHasher(1, 2)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	h, st, err := state.Open(state.New("x", none, state.Options{NoChangelog: true}), store.Env{Hasher: hashed.NewHasher(1, 2)})
	if err != nil || h.(map[string]int) != nil {
		t.Fatal(h, err)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

// mapped is a store of one's own kind that has the methods of one of the library's.
type mapped struct{ state.KeyValue[string, int64] }

// TestStoreOfOnesOwnKindIsNotQueried asks for its rows by a handle, though the store is one by its methods, and by the bytes.
func TestStoreOfOnesOwnKindIsNotQueried(t *testing.T) {
	const want = `state: store "own" is of the program's own kind, which answers no queries: keep what is to be asked for in one of NewKeyValue beside it`
	kv := state.New("own", func(state.Env) (state.KeyValue[string, int64], error) { return mapped{}, nil }, state.Options{NoChangelog: true})
	windows := state.New("own", func(state.Env) (state.Window[string, int64], error) { return nil, nil }, state.Options{NoChangelog: true})
	sessions := state.New("own", func(state.Env) (state.Session[string, int64], error) { return nil, nil }, state.Options{NoChangelog: true})
	d := streamtest.New(t, func(b *topology.Builder) {
		topology.Source(b, amounts).Process("put", func(ctx *topology.Context[string, int64]) (topology.Processor[string, int64], error) {
			ctx.Store(kv)
			return topology.ProcessorFunc[string, int64](func(topology.Record[string, int64]) error { return nil }), nil
		}, kv)
	})
	d.Topic(amounts).Put("a", 1)
	d.Commit()
	_, _, get := state.QueryKeyValue(kv, d).Get(t.Context(), "a")
	_, owner := state.QueryKeyValue(kv, d).Owner(t.Context(), "a")
	_, _, start := state.QueryWindow(windows, d).Get(t.Context(), "a", 0)
	errs := map[string]error{"get": get, "owner": owner, "of a window": start}
	for _, err := range state.QueryKeyValue(kv, d).All(t.Context()) {
		errs["all"] = err
	}
	for _, err := range state.QueryKeyValue(kv, d).WatchAll(t.Context()) {
		errs["watch"] = err
	}
	for _, err := range state.QuerySession(sessions, d).FetchAll(t.Context(), 0, 1) {
		errs["of sessions"] = err
	}
	for _, op := range []string{"get", "all", "range", "owner", "watch"} {
		for _, err := range d.Ask(t.Context(), state.Question{Store: "own", Op: op, Key: []byte("a")}) {
			errs["asked in bytes: "+op] = err
		}
	}
	if len(errs) != 11 {
		t.Errorf("%d answers, want 11: %v", len(errs), errs)
	}
	for what, err := range errs {
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
}
