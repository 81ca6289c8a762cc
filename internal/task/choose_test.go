package task_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/internal/task"
	"github.com/thalweg/thalweg/internal/task/tasktest"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

var at = tasktest.At

// texts is a topic of strings under string keys.
func texts(name string) topology.Topic[string, string] {
	return topology.NewTopic(name, serde.String, serde.String)
}

// merged reads two topics into one.
func merged(b *topology.Builder) {
	topology.Source(b, texts("a")).Merge(topology.Source(b, texts("b"))).Sink(texts("out"))
}

// values are the values of records in a row.
func values(rs []tasktest.Record) string {
	vs := make([]string, len(rs))
	for i, r := range rs {
		vs[i] = r.Value
	}
	return strings.Join(vs, " ")
}

func wantValues(t *testing.T, what string, rs []tasktest.Record, want string) {
	t.Helper()
	if got := values(rs); got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestSmallestTimeIsNext(t *testing.T) {
	b := tasktest.Open(t, merged, tasktest.Options{})
	b.Feed("a", 0, at(10, "k", "a10"), at(30, "k", "a30"), at(15, "k", "a15"))
	b.Feed("b", 0, at(20, "k", "b20"), at(40, "k", "b40"))
	if n := b.Run(); n != 5 {
		t.Errorf("%d records processed, want 5", n)
	}
	// a15 is behind a30 in its partition: offset order wins over time within one.
	wantValues(t, "order", b.Out("out").Open(), "a10 b20 a30 a15 b40")
	if got := b.StreamTime(); got != 40 {
		t.Errorf("stream time %d, want 40", got)
	}
}

func TestTiesGoByTheOrderOfSources(t *testing.T) {
	for _, first := range []string{"a", "b"} { // whichever arrives first
		b := tasktest.Open(t, merged, tasktest.Options{})
		second := map[string]string{"a": "b", "b": "a"}[first]
		b.Feed(first, 0, at(10, "k", first+"1"), at(20, "k", first+"2"))
		b.Feed(second, 0, at(10, "k", second+"1"), at(20, "k", second+"2"))
		b.Run()
		wantValues(t, first+" fed first", b.Out("out").Open(), "a1 b1 a2 b2")
	}
}

func TestEmptyInputIsWaitedForWhileItIsKnownToHaveMore(t *testing.T) {
	b := tasktest.Open(t, merged, tasktest.Options{})
	b.Feed("a", 0, at(50, "k", "a50"))
	if n := b.Run(); n != 0 {
		t.Fatalf("%d records processed while nothing is known of b", n)
	}
	b.Feed("b", 1)
	if n := b.Run(); n != 0 {
		t.Fatalf("%d records processed while b is known to have one more", n)
	}
	if b.Dry() || b.Idle() {
		t.Error("dry or idle with a record queued")
	}
	b.Feed("b", 0, at(10, "k", "b10"))
	if n := b.Run(); n != 2 {
		t.Fatalf("%d records processed, want 2", n)
	}
	wantValues(t, "order", b.Out("out").Open(), "b10 a50")
	if !b.Dry() || !b.Idle() {
		t.Error("neither dry nor idle with all read")
	}
}

func TestDryInputIsNotWaitedFor(t *testing.T) {
	b := tasktest.Open(t, merged, tasktest.Options{})
	b.Feed("b", 0)
	b.Feed("a", 7, at(50, "k", "a50"), at(60, "k", "a60"))
	if n := b.Run(); n != 2 {
		t.Errorf("%d records processed, want 2", n)
	}
	if b.Dry() {
		t.Error("dry with 7 records known to be in a")
	}
}

func TestOnlyInputIsNeverWaitedFor(t *testing.T) {
	b := tasktest.Open(t, func(b *topology.Builder) { topology.Source(b, texts("a")).Sink(texts("out")) }, tasktest.Options{})
	b.Feed("a", 100, at(1, "k", "x"))
	if n := b.Run(); n != 1 {
		t.Errorf("%d records processed, want 1", n)
	}
}

// TestCutsChangeNoResult feeds the same records in batches, fetches and turns of random sizes: the order of what comes
// out is always that of one record at a time.
func TestCutsChangeNoResult(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	all := map[string][]tasktest.Record{}
	for _, topic := range []string{"a", "b"} {
		for i := range 200 {
			all[topic] = append(all[topic], at(int64(r.IntN(500)), "k", fmt.Sprint(topic, i)))
		}
	}
	want := ""
	for round := range 20 {
		b := tasktest.Open(t, merged, tasktest.Options{})
		most := 1
		if round > 0 {
			most = 1 + r.IntN(60)
		}
		left := map[string][]tasktest.Record{"a": all["a"], "b": all["b"]}
		for len(left["a"])+len(left["b"]) > 0 {
			topic := []string{"a", "b"}[r.IntN(2)]
			n := min(len(left[topic]), 1+r.IntN(most))
			rs := left[topic][:n]
			left[topic] = left[topic][n:]
			b.Feed(topic, int64(len(left[topic])), rs...)
			if _, err := b.Process(1 + r.IntN(most)); err != nil {
				t.Fatal(err)
			}
		}
		b.Run()
		got := values(b.Out("out").Open())
		if round == 0 {
			want = got
		}
		if got != want {
			t.Fatalf("round %d, batches of up to %d:\n got %s\nwant %s", round, most, got, want)
		}
	}
}

// TestBatchBegunBeforeThePosition shows that of a batch which a fetch gives whole, the records before the position are
// left out.
func TestBatchBegunBeforeThePosition(t *testing.T) {
	b := tasktest.Open(t, func(b *topology.Builder) { topology.Source(b, texts("a")).Sink(texts("out")) }, tasktest.Options{})
	b.Seek("a", 12, "")
	batch := tasktest.Batch(t, 10, []tasktest.Record{at(1, "k", "x10"), at(2, "k", "x11"), at(3, "k", "x12"), at(4, "k", "x13")})
	b.Add("a", task.Fetched{Batches: [][]byte{batch}, Next: 14, End: 14})
	if n := b.Run(); n != 2 {
		t.Errorf("%d records processed, want 2", n)
	}
	wantValues(t, "records", b.Out("out").Open(), "x12 x13")
}

func TestBatchesAreReleased(t *testing.T) {
	b := tasktest.Open(t, func(b *topology.Builder) { topology.Source(b, texts("a")).Sink(texts("out")) }, tasktest.Options{})
	released := []int{}
	for i := range 3 {
		b.Add("a", task.Fetched{
			Batches: [][]byte{tasktest.Batch(t, int64(i), []tasktest.Record{at(1, "k", "v")})}, Next: int64(i) + 1, End: 3, Bytes: 100,
			Release: func() { released = append(released, i) },
		})
	}
	queued := func() (n int) { b.Inputs(func(i task.Input) { n = i.Bytes }); return n }
	if got := queued(); got != 300 {
		t.Errorf("%d bytes queued, want 300", got)
	}
	b.Run()
	if got := queued(); got != 0 || !slices.Equal(released, []int{0, 1, 2}) {
		t.Errorf("%d bytes queued, released %v, want 0 and all in order", got, released)
	}
}

func TestBatchThatCannotBeReadNamesItsPlace(t *testing.T) {
	b := tasktest.Open(t, func(b *topology.Builder) { topology.Source(b, texts("a")).Sink(texts("out")) }, tasktest.Options{})
	bytes := tasktest.Batch(t, 0, []tasktest.Record{at(1, "k", "v")})
	bytes[61] = 0x7e // the record's length
	b.Add("a", task.Fetched{Batches: [][]byte{bytes}, Next: 1, End: 1})
	if _, err := b.Process(1); err == nil || !strings.Contains(err.Error(), "a-0@0") {
		t.Errorf("%v, want an error that names a-0@0", err)
	}
}

// TestDryInputsAreWaitedForSoLong shows how long those read to their ends may hold the others up: together, not one after
// another, and from when they were first seen empty.
func TestDryInputsAreWaitedForSoLong(t *testing.T) {
	b := tasktest.Open(t, func(b *topology.Builder) {
		topology.Source(b, texts("a")).Merge(topology.Source(b, texts("b")), topology.Source(b, texts("c"))).Sink(texts("out"))
	}, tasktest.Options{MaxIdle: time.Second})
	b.Feed("b", 0)
	b.Feed("c", 0)
	b.Feed("a", 0, at(10, "k", "a10"), at(30, "k", "a30"))
	want := func(what string, n int, out string) {
		t.Helper()
		if got := b.Run(); got != n {
			t.Errorf("%s: %d records, want %d", what, got, n)
		}
		wantValues(t, what, b.Out("out").Open(), out)
	}
	want("at first", 0, "")
	b.Now = b.Now.Add(999 * time.Millisecond)
	want("just before", 0, "")
	b.Feed("b", 0, at(5, "k", "b5"))
	want("one has come, the other is awaited", 0, "")
	b.Now = b.Now.Add(time.Millisecond)
	want("c has been empty for so long, and b is again", 1, "b5")
	b.Now = b.Now.Add(time.Second)
	want("both", 2, "b5 a10 a30")
}

// TestBootstrapComesFirst shows that the topic of a table is read up to where it ended at the start before anything else,
// whatever the times, again after an abort, and no further.
func TestBootstrapComesFirst(t *testing.T) {
	b := tasktest.Open(t, func(b *topology.Builder) {
		names := table.From(b, texts("names"), state.Options{Bootstrap: true})
		stream.From(b, texts("a")).LeftJoinTable("j", names, func(v string, n serde.Opt[string]) string { return v + "/" + n.Or("-") }).To(texts("out"))
	}, tasktest.Options{})
	b.Feed("a", 0, at(10, "k", "a10"))
	if n := b.Run(); n != 0 {
		t.Errorf("%d records while nothing is known of the table", n)
	}
	feed := func() {
		b.Feed("names", 1, at(20, "k", "n20"), at(50, "x", "n50"))
		if n := b.Run(); n != 2 {
			t.Errorf("%d records while the table has one more", n)
		}
		b.Feed("names", 0, at(90, "k", "n90"))
	}
	feed()
	if n := b.Run(); n != 2 {
		t.Errorf("%d records, want the table's last and the stream's", n)
	}
	b.Feed("names", 0, at(95, "k", "n95"))
	b.Feed("a", 0, at(94, "k", "a94"))
	b.Run()
	wantValues(t, "out", b.Out("out").Open(), "a10/n90 a94/n90")
	b.Abort()
	b.Feed("a", 0, at(10, "k", "a10"))
	if n := b.Run(); n != 0 {
		t.Errorf("%d records after the abort, while nothing is known of the table", n)
	}
	feed()
	b.Run()
	wantValues(t, "out", b.Out("out").Open(), "a10/n90")
}
