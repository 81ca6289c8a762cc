package stream_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

var (
	rates     = topology.Topic[string, int64]{Name: "rates", Key: serde.String, Value: serde.Int64, Partitions: 3}
	purchases = topology.Topic[string, string]{Name: "purchases", Key: serde.String, Value: serde.String, Partitions: 3}
	buyers    = topology.Topic[string, string]{Name: "buyers", Key: serde.String, Value: serde.String, Partitions: 2}
	priced    = topology.NewTopic("priced", serde.String, serde.String)
	bills     = topology.NewTopic("bills", serde.String, serde.String)
)

// shop prices purchases with rates that every instance has, and bills them to the buyers they name.
func shop(b *topology.Builder) {
	same := func(_, v string) (string, bool) { return v, true }
	all := table.GlobalFrom(b, rates)
	bought := table.From(b, purchases)
	stream.Updates(bought).
		JoinGlobal(all, same, func(v string, rate int64) string { return fmt.Sprint(v, " at ", rate) }).
		To(priced)
	bought.JoinForeign("bills", table.From(b, buyers), same, func(v, buyer string) string { return v + " to " + buyer }).To(bills)
}

// put writes records of a topic.
func put[V any](ctx context.Context, t *testing.T, a *stream.App, topic topology.Topic[string, V], n int, value func(i int) (string, V)) {
	t.Helper()
	w := stream.NewWriter(a, topic)
	for i := range n {
		k, v := value(i)
		if err := w.Put(ctx, k, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// read waits for the values of n keys.
func read(ctx context.Context, t *testing.T, a *stream.App, topic topology.Topic[string, string], n int) map[string]string {
	t.Helper()
	rows := map[string]string{}
	for r, err := range stream.Read(ctx, a, topic) {
		if err != nil {
			t.Fatal(err)
		}
		if rows[r.Key] = r.Value; len(rows) == n {
			break
		}
	}
	return rows
}

// TestJoinsOnTheBundledEngine puts a global table, a foreign-key join and their topics through the engine. After a restart
// the global table is there before the first record is processed.
func TestJoinsOnTheBundledEngine(t *testing.T) {
	const n = 40
	cfg := stream.Config{Dir: t.TempDir(), Workers: 2}
	ctx := limit(t)
	named := func(i int) string { return fmt.Sprint("c", i%10) }
	a, stop := start(t, shop, cfg)
	put(ctx, t, a, rates, 10, func(i int) (string, int64) { return named(i), int64(i) })
	put(ctx, t, a, buyers, 10, func(i int) (string, string) { return named(i), fmt.Sprint("buyer ", i) })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	a, _ = start(t, shop, cfg)
	put(ctx, t, a, purchases, n, func(i int) (string, string) { return fmt.Sprint("p", i), named(i) })
	at, to := read(ctx, t, a, priced, n), read(ctx, t, a, bills, n)
	for i := range n {
		k := fmt.Sprint("p", i)
		if want := fmt.Sprint(named(i), " at ", i%10); at[k] != want {
			t.Errorf("%s is %q, want %q", k, at[k], want)
		}
		if want := fmt.Sprint(named(i), " to buyer ", i%10); to[k] != want {
			t.Errorf("%s is billed %q, want %q", k, to[k], want)
		}
	}
}
