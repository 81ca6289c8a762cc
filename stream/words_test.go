package stream_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

var (
	lines  = topology.NewTopic("lines", serde.None, serde.String)
	counts = topology.NewTopic("word-counts", serde.String, serde.Int64)
)

func words(b *topology.Builder) {
	stream.From(b, lines).
		MapValues(strings.ToLower).
		FlatMapValues(strings.FieldsSeq).
		GroupBy(func(_ serde.Void, word string) string { return word }).
		Count("counts").
		To(counts)
}

// TestCountsSurviveCrashes runs the word count with a crash and a restart in the middle.
func TestCountsSurviveCrashes(t *testing.T) {
	d := streamtest.New(t, words)
	in, out := d.Topic(lines), d.Topic(counts)
	in.Put(serde.Void{}, "all that is gold does not glitter")
	d.Crash(0)
	d.Restart(0)
	in.Put(serde.Void{}, "Gold")
	if got := streamtest.Latest(out)["gold"]; got != 2 {
		t.Errorf("gold = %d, want 2", got)
	}
	if got := streamtest.Latest(out)["all"]; got != 1 {
		t.Errorf("all = %d, want 1", got)
	}
}

// TestCountsEqualAMapUnderCrashes compares the word count with a plain map, over random lines, crashes, restarts, lost
// disks and changes of scale.
func TestCountsEqualAMapUnderCrashes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	d := streamtest.New(t, words, streamtest.Options{Instances: 3, CommitEvery: 5, Seed: seed})
	in, out := d.Topic(lines), d.Topic(counts)
	want := map[string]int64{}
	alive := []bool{true, true, true}
	for range 300 {
		switch i := r.IntN(3); r.IntN(12) {
		case 0:
			if alive[i] && (alive[(i+1)%3] || alive[(i+2)%3]) {
				d.Crash(i)
				alive[i] = false
			}
		case 1:
			d.Restart(i)
			alive[i] = true
		case 2:
			if r.IntN(4) == 0 {
				d.Wipe(i)
				alive[i] = true
			}
		default:
			var rs []topology.Record[serde.Void, string]
			for range r.IntN(20) {
				a, b := fmt.Sprintf("w%d", r.IntN(50)), fmt.Sprintf("w%d", r.IntN(50))
				want[a]++
				want[b]++
				rs = append(rs, topology.Record[serde.Void, string]{Value: a + " " + b, Time: d.Now(), NoKey: true})
			}
			in.PutAll(rs...)
		}
	}
	got := streamtest.Latest(out)
	for w, n := range want {
		if got[w] != n {
			t.Errorf("%s = %d, want %d", w, got[w], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d words, want %d", len(got), len(want))
	}
}

// TestWindowsCloseByStreamTime shows late records dropped once for each window that has closed.
func TestWindowsCloseByStreamTime(t *testing.T) {
	clicks := topology.NewTopic("clicks", serde.String, serde.Int64)
	out := topology.NewTopic("out", serde.String, serde.String)
	d := streamtest.New(t, func(b *topology.Builder) {
		stream.From(b, clicks).GroupByKey().Windowed(window.Tumbling(10 * time.Millisecond)).Count("per-window").
			Then(stream.WindowUpdates).
			Map(func(k window.Key[string], n int64) (string, string) {
				return k.Key, fmt.Sprintf("%d-%d:%d", k.Start, k.End, n)
			}).
			To(out)
	})
	in := d.Topic(clicks)
	in.PutAt(3, "a", 1)
	in.PutAt(12, "a", 1)
	in.PutAt(8, "a", 1)
	in.PutAt(13, "a", 1)
	d.Topic(out).Want(streamtest.KV("a", "0-10:1"), streamtest.KV("a", "10-20:1"), streamtest.KV("a", "10-20:2"))
	if n := d.Dropped()["late"]; n != 1 {
		t.Errorf("%d late, want 1", n)
	}
}

// TestJoinTableSeesTheRowOfTheMoment joins orders with prices, through a repartition and over a crash.
func TestJoinTableSeesTheRowOfTheMoment(t *testing.T) {
	prices := topology.NewTopic("prices", serde.String, serde.Int64)
	orders := topology.NewTopic("orders", serde.Int64, serde.String)
	out := topology.NewTopic("out", serde.String, serde.Int64)
	left := topology.NewTopic("left", serde.String, serde.Int64)
	d := streamtest.New(t, func(b *topology.Builder) {
		p := table.From(b, prices).Filter(func(_ string, n int64) bool { return n > 0 })
		o := stream.From(b, orders).SelectKey(func(_ int64, item string) string { return item })
		o.JoinTable("orders-prices", p, func(_ string, n int64) int64 { return n }).To(out)
		o.LeftJoinTable("orders-left", p, func(_ string, n serde.Opt[int64]) int64 { return n.Or(-1) }).To(left)
	})
	d.Topic(prices).Put("lamp", 20)
	d.Topic(prices).Put("free", 0)
	d.Topic(orders).Put(1, "lamp")
	d.Crash(0)
	d.Restart(0)
	d.Topic(orders).Put(2, "lamp")
	d.Topic(orders).Put(3, "desk")
	d.Topic(orders).Put(4, "free")
	d.Topic(prices).Delete("lamp")
	d.Topic(orders).Put(5, "lamp")
	d.Topic(out).Want(streamtest.KV("lamp", int64(20)), streamtest.KV("lamp", int64(20)))
	d.Topic(left).Want(streamtest.KV("lamp", int64(20)), streamtest.KV("lamp", int64(20)), streamtest.KV("desk", int64(-1)),
		streamtest.KV("free", int64(-1)), streamtest.KV("lamp", int64(-1)))
}

// TestQueriesSeeCommittedRows asks a table from outside.
func TestQueriesSeeCommittedRows(t *testing.T) {
	var total table.Table[string, int64]
	sums := topology.NewTopic("amounts", serde.String, serde.Int64)
	d := streamtest.New(t, func(b *topology.Builder) {
		total = stream.From(b, sums).GroupByKey().Reduce("total", func(a, v int64) int64 { return a + v })
	})
	d.Topic(sums).Put("alice", 3)
	d.Topic(sums).Put("bob", 1)
	d.Topic(sums).Put("alice", 4)
	n, ok, err := total.Query(d).Get(t.Context(), "alice")
	if n != 7 || !ok || err != nil {
		t.Errorf("alice = %d, %v, %v; want 7", n, ok, err)
	}
	rows := map[string]int64{}
	for e, err := range total.MapValues(func(n int64) int64 { return n * 10 }).Query(d).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		rows[e.Key] = e.Value
	}
	if len(rows) != 2 || rows["alice"] != 70 || rows["bob"] != 10 {
		t.Errorf("rows %v", rows)
	}
}
