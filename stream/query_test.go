package stream_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

// freePort returns a loopback address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// until calls f until it reports true, while ErrRebalancing says to try again.
func until(t *testing.T, ctx context.Context, f func() (bool, error)) {
	t.Helper()
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for {
		ok, err := f()
		if ok {
			return
		}
		if err != nil && !errors.Is(err, state.ErrRebalancing) {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain: %v, %v", context.Cause(ctx), err)
		case <-every.C:
		}
	}
}

// rowsOf reads a whole table.
func rowsOf(ctx context.Context, r state.Rows[string, int64]) (map[string]int64, error) {
	m := map[string]int64{}
	for e, err := range r.All(ctx) {
		if err != nil {
			return nil, err
		}
		if _, twice := m[e.Key]; twice {
			return nil, fmt.Errorf("key %q came twice", e.Key)
		}
		m[e.Key] = e.Value
	}
	return m, nil
}

// putSums writes values of keys k0, k1, … and waits until they are summed.
func putSums(t *testing.T, ctx context.Context, a *stream.App, n int, v int64) {
	t.Helper()
	w := stream.NewWriter(a, amounts)
	var err error
	for i := range n {
		err = errors.Join(err, w.Put(ctx, fmt.Sprint("k", i), v))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	token, err := a.Token(ctx)
	if err == nil {
		err = a.WaitFor(ctx, token)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestQueriesReachEveryInstance asks two instances and a client outside for keys that either of them may have, while one
// comes and goes, in answers of few rows. A copy kept by WatchAll follows through it all.
func TestQueriesReachEveryInstance(t *testing.T) {
	const keys = 60
	ctx, broker := limit(t), freePort(t)
	served := stream.Ops{Addr: "127.0.0.1:0", Queries: true, Token: "secret", ScanLimit: 7}
	var s, s2 summed
	a, _ := start(t, s.topology, stream.Config{Dir: t.TempDir(), Workers: 2, Listen: broker, Ops: served})
	putSums(t, ctx, a, keys, 1)
	want := map[string]int64{}
	for i := range keys {
		want[fmt.Sprint("k", i)] = 1
	}
	mirror := follow(t, s.total.Query(a))
	mirror.wait(t, ctx, want)

	b, stopB := start(t, s2.topology, stream.Config{Dir: t.TempDir(), Workers: 1, Brokers: []string{broker}, Ops: served})
	hosts := map[string]string{} // address of the owner by key
	until(t, ctx, func() (bool, error) {
		return twoOwners(ctx, s.total.Query(a), keys, hosts)
	})
	addrs := map[string]bool{}
	for _, h := range hosts {
		addrs[h] = true
	}
	outside := dial(t, "secret", append([]string{freePort(t)}, sorted(addrs)...)...)
	for name, c := range map[string]state.Client{"a": a, "b": b, "outside": outside} {
		askAll(t, ctx, name, s.total.Query(c), want)
	}
	refusals(t, ctx, s, a, b, hosts, outside)

	putSums(t, ctx, b, keys, 10)
	for k := range want {
		want[k] += 10
	}
	mirror.wait(t, ctx, want)
	if err := stopB(); err != nil {
		t.Fatal(err)
	}
	putSums(t, ctx, a, keys, 100)
	for k := range want {
		want[k] += 100
	}
	mirror.wait(t, ctx, want)
	askAll(t, ctx, "a alone", s.total.Query(a), want)
}

// twoOwners reports whether the keys are spread over two instances, both of which have their state.
func twoOwners(ctx context.Context, r state.Rows[string, int64], keys int, hosts map[string]string) (bool, error) {
	seen := map[string]bool{}
	for i := range keys {
		k := fmt.Sprint("k", i)
		h, err := r.Owner(ctx, k)
		if err != nil {
			return false, err
		}
		if _, _, err := r.Get(ctx, k); err != nil {
			return false, err
		}
		seen[h.Addr], hosts[k] = true, h.Addr
	}
	return len(seen) == 2, nil
}

// askAll compares every row, asked for together and one by one.
func askAll(t *testing.T, ctx context.Context, name string, r state.Rows[string, int64], want map[string]int64) {
	t.Helper()
	until(t, ctx, func() (bool, error) {
		got, err := rowsOf(ctx, r)
		if err == nil && !maps.Equal(got, want) {
			t.Fatalf("%s: all rows: %v, want %v", name, got, want)
		}
		return err == nil, err
	})
	for k, v := range want {
		until(t, ctx, func() (bool, error) {
			n, ok, err := r.Get(ctx, k)
			if err == nil && (n != v || !ok) {
				t.Fatalf("%s: %s = %d, %v; want %d", name, k, n, ok, v)
			}
			return err == nil, err
		})
	}
	n := 0
	for e, err := range r.Range(ctx, "k1", "k19") {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n++; e.Key < "k1" || e.Key > "k19" {
			t.Errorf("%s: %q is not in the range", name, e.Key)
		}
	}
	if n != 11 {
		t.Errorf("%s: %d rows in the range, want 11", name, n)
	}
}

// refusals asks for what may not be had.
func refusals(t *testing.T, ctx context.Context, s summed, a, b *stream.App, hosts map[string]string, outside state.Client) {
	t.Helper()
	if _, _, err := s.total.Query(dial(t, "guess", sorted(map[string]bool{hosts["k0"]: true})...)).Get(ctx, "k0"); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a wrong token: %v", err)
	}
	if _, _, err := state.RowsOf(outside, "total", serde.String, serde.String).Get(ctx, "k0"); err == nil || !strings.Contains(err.Error(), "string to int64") {
		t.Errorf("as of another type: %v", err)
	}
	if _, _, err := state.RowsOf(outside, "totals", serde.String, serde.Int64).Get(ctx, "k0"); !errors.Is(err, state.ErrNoStore) {
		t.Errorf("of a store that is not there: %v", err)
	}
	all := 0
	for _, app := range []*stream.App{a, b} {
		rows, err := rowsOf(ctx, s.total.Query(app).Local())
		if err != nil || len(rows) == 0 || len(rows) == len(hosts) {
			t.Errorf("an instance has %d rows of its own, %v", len(rows), err)
		}
		all += len(rows)
	}
	if all != len(hosts) {
		t.Errorf("the instances have %d rows of their own, want %d", all, len(hosts))
	}
}

func dial(t *testing.T, token string, addrs ...string) state.Client {
	t.Helper()
	c, err := stream.Dial(stream.Ops{Token: token}, addrs...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sorted(set map[string]bool) (ss []string) {
	for s := range maps.Keys(set) {
		ss = append(ss, s)
	}
	return ss
}

// copied is a copy of a table that follows it.
type copied struct {
	rows map[string]int64
	news chan state.Entry[string, serde.Opt[int64]]
}

// follow begins a copy, which follows until the test ends.
func follow(t *testing.T, r state.Rows[string, int64]) *copied {
	ctx, cancel := context.WithCancel(context.Background())
	c := &copied{map[string]int64{}, make(chan state.Entry[string, serde.Opt[int64]])}
	done := make(chan error, 1)
	go func() {
		for e, err := range r.WatchAll(ctx) {
			if err != nil {
				done <- err
				return
			}
			select {
			case c.news <- e:
			case <-ctx.Done():
			}
		}
		done <- nil
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the watch ended with %v", err)
		}
	})
	return c
}

// wait takes news until the copy is as wanted.
func (c *copied) wait(t *testing.T, ctx context.Context, want map[string]int64) {
	t.Helper()
	for !maps.Equal(c.rows, want) {
		select {
		case e := <-c.news:
			if e.Value.OK {
				c.rows[e.Key] = e.Value.Value
			} else {
				delete(c.rows, e.Key)
			}
		case <-ctx.Done():
			t.Fatalf("the copy is %v, want %v", c.rows, want)
		}
	}
}

// TestQueriesAreClosedByDefault refuses what would let anybody ask, or nobody.
func TestQueriesAreClosedByDefault(t *testing.T) {
	var s summed
	topo, err := topology.Define("sums", s.topology)
	if err != nil {
		t.Fatal(err)
	}
	mutual := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13}
	for _, c := range []struct {
		ops  stream.Ops
		want string // "": taken
	}{
		{stream.Ops{Addr: "127.0.0.1:0", Queries: true}, ""},
		{stream.Ops{Advertise: "localhost:1", Queries: true}, ""}, // on a server of the caller's own
		{stream.Ops{Addr: "10.0.0.1:1", Queries: true, Token: "t"}, ""},
		{stream.Ops{Addr: "10.0.0.1:1", Queries: true, TLS: mutual}, ""},
		{stream.Ops{Addr: "10.0.0.1:1", Queries: true, TLS: &tls.Config{MinVersion: tls.VersionTLS13}}, "RequireAndVerifyClientCert"},
		{stream.Ops{Addr: "127.0.0.1:0", Advertise: "10.0.0.1:1", Queries: true}, "beyond loopback"},
		{stream.Ops{Addr: ":1", Token: "t", Queries: true}, "set Ops.Advertise"},
		{stream.Ops{Queries: true}, "set Ops.Advertise"},
		{stream.Ops{Addr: "127.0.0.1:0", Advertise: "localhost:1"}, "set Ops.Queries"},
		{stream.Ops{ScanLimit: -1}, "ScanLimit"},
	} {
		_, err := stream.New(topo, stream.Config{Ops: c.ops})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.ops, err, c.want)
		}
	}
	if _, err := stream.Dial(stream.Ops{}); err == nil {
		t.Error("Dial without an address was taken")
	}
}

// TestWithoutQueriesAnInstanceAnswersForItself asks for a key that another instance has, where neither serves queries.
func TestWithoutQueriesAnInstanceAnswersForItself(t *testing.T) {
	ctx, broker := limit(t), freePort(t)
	var s, s2 summed
	a, _ := start(t, s.topology, stream.Config{Dir: t.TempDir(), Workers: 1, Listen: broker})
	putSums(t, ctx, a, 20, 1)
	b, _ := start(t, s2.topology, stream.Config{Dir: t.TempDir(), Workers: 1, Brokers: []string{broker}})
	until(t, ctx, func() (bool, error) {
		mine, err := rowsOf(ctx, s.total.Query(a).Local())
		if err != nil {
			return false, err
		}
		theirs, err := rowsOf(ctx, s2.total.Query(b).Local())
		return len(mine) > 0 && len(theirs) > 0 && len(mine)+len(theirs) == 20, err
	})
	if _, err := rowsOf(ctx, s.total.Query(a)); !errors.Is(err, state.ErrNotLocal) {
		t.Errorf("all rows of one instance of two: %v, want ErrNotLocal", err)
	}
	if h, err := s.total.Query(a).Owner(ctx, "k1"); err != nil || h.Addr != "" {
		t.Errorf("the owner is %+v, %v; want one without an address", h, err)
	}
}
