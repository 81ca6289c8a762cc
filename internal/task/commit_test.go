package task_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/task"
	"github.com/thalweg/thalweg/internal/task/tasktest"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// counting counts by key in a store of the Processor API and emits each new count.
func counting(b *topology.Builder) {
	rows := state.NewTimestamped("counts", serde.String, serde.Int64)
	open := func(ctx *topology.Context[string, int64]) (topology.Processor[string, string], error) {
		counts := ctx.Store(rows)
		return topology.ProcessorFunc[string, string](func(r topology.Record[string, string]) error {
			n, _, _, err := counts.Get(r.Key)
			if err != nil {
				return err
			}
			if err := counts.Put(r.Key, n+1, r.Time); err != nil {
				return err
			}
			return ctx.Forward(topology.Record[string, int64]{Key: r.Key, Value: n + 1, Time: r.Time})
		}), nil
	}
	topology.Source(b, texts("a")).Process("count", open, rows).Sink(topology.NewTopic("out", serde.String, serde.Int64))
}

// latest are the last values of keys.
func latest(rs []tasktest.Record) map[string]int64 {
	m := map[string]int64{}
	for _, r := range rs {
		n, err := serde.Int64.Decode([]byte(r.Value))
		if err != nil {
			panic(err)
		}
		m[r.Key] = n
	}
	return m
}

// TestEveryRecordCountsOnce commits and aborts at random: outputs, changelog, positions and times are those of a run
// without aborts.
func TestEveryRecordCountsOnce(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	const n = 2000
	records := make([]tasktest.Record, n)
	want, highest := map[string]int64{}, int64(-1)
	for i := range records {
		records[i] = at(int64(r.IntN(10*n)), fmt.Sprintf("key-%d", r.IntN(50)), "v")
		want[records[i].Key]++
		highest = max(highest, records[i].Time)
	}
	b := tasktest.Open(t, counting, tasktest.Options{})
	aborts := 0
	position, committed := int64(0), int64(0)
	for committed < n {
		b.Inputs(func(i task.Input) {
			for at := i.Fetched; at < n; {
				size := min(int64(1+r.IntN(300)), n-at)
				b.Feed("a", n-at-size, records[at:at+size]...)
				at += size
			}
		})
		took, err := b.Process(1 + r.IntN(400))
		if err != nil {
			t.Fatal(err)
		}
		position += int64(took)
		if aborts == 0 || r.IntN(3) == 0 {
			b.Abort()
			aborts++
			position = committed
			b.Inputs(func(i task.Input) {
				if i.Position != committed || i.Fetched != committed {
					t.Fatalf("after an abort at %d, read on at %d", i.Position, i.Fetched)
				}
			})
			continue
		}
		offsets := b.Commit()
		committed = position
		if len(offsets) != 1 || offsets[0].Offset != committed || offsets[0].Topic != "a" || b.Dirty() {
			t.Fatalf("committed %v, dirty %v, want offset %d", offsets, b.Dirty(), committed)
		}
	}
	if got := latest(b.Out("out").Committed()); !maps.Equal(got, want) || len(b.Out("out").Committed()) != n {
		t.Errorf("%d outputs, last %v, want %d, %v", len(b.Out("out").Committed()), got, n, want)
	}
	if got := latest(b.Out("test-counts-changelog").Committed()); !maps.Equal(got, want) {
		t.Errorf("changelog %v, want %v", got, want)
	}
	if got := b.StreamTime(); got != highest {
		t.Errorf("stream time %d, want %d", got, highest)
	}
}

func TestAbortTakesTimesBack(t *testing.T) {
	b := tasktest.Open(t, counting, tasktest.Options{})
	b.Feed("a", 0, at(10, "k", "v"))
	b.Run()
	first := b.Commit()
	b.Feed("a", 0, at(99, "k", "v"))
	b.Run()
	if b.StreamTime() != 99 {
		t.Fatalf("stream time %d", b.StreamTime())
	}
	b.Abort()
	if b.StreamTime() != 10 || b.Dirty() {
		t.Errorf("stream time %d, dirty %v, want 10 and clean", b.StreamTime(), b.Dirty())
	}
	if os := b.Offsets(); len(os) != 0 {
		t.Errorf("%v to commit after an abort", os)
	}
	if got := timeOf(t, first[0].Metadata); got != 10 {
		t.Errorf("committed partition time %d, want 10", got)
	}
}

func TestNothingIsProcessedBetweenFlushAndTheEnd(t *testing.T) {
	b := tasktest.Open(t, counting, tasktest.Options{})
	b.Feed("a", 0, at(10, "k", "v"), at(11, "k", "v"))
	if _, err := b.Process(1); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(func(topic string) (edge.Out, error) { return b.Out(topic), nil }); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Process(1); n != 0 || err == nil {
		t.Errorf("%d records, %v, want a refusal", n, err)
	}
	b.Task.Ended(func(string) (int64, [16]byte, bool) { return 1, [16]byte{}, true })
	if n, err := b.Process(1); n != 1 || err != nil {
		t.Errorf("%d records, %v after the end", n, err)
	}
}

// TestPositionPassesMarkers shows that offsets without a record, of markers and aborted batches, are committed too.
func TestPositionPassesMarkers(t *testing.T) {
	b := tasktest.Open(t, func(b *topology.Builder) { topology.Source(b, texts("a")).Sink(texts("out")) }, tasktest.Options{})
	batch := tasktest.Batch(t, 5, []tasktest.Record{at(1, "k", "v")})
	b.Add("a", task.Fetched{Batches: [][]byte{batch}, Next: 7, End: 7})
	b.Run()
	if os := b.Commit(); len(os) != 1 || os[0].Offset != 7 {
		t.Fatalf("%v, want offset 7, behind the marker", os)
	}
	b.Add("a", task.Fetched{Next: 9, End: 9}) // aborted records alone
	if n := b.Run(); n != 0 || !b.Dirty() {
		t.Fatalf("%d records, dirty %v, want none, and a position to commit", n, b.Dirty())
	}
	if os := b.Commit(); len(os) != 1 || os[0].Offset != 9 {
		t.Errorf("%v, want offset 9", os)
	}
}

// TestOffsetOfTheHead shows that a record which is queued and not yet taken is not committed.
func TestOffsetOfTheHead(t *testing.T) {
	b := tasktest.Open(t, merged, tasktest.Options{})
	b.Feed("a", 0, at(1, "k", "a0"), at(2, "k", "a1"), at(9, "k", "a2"))
	b.Feed("b", 1)
	b.Feed("b", 1, at(5, "k", "b0"))
	b.Run() // a2 waits for what b has to say
	got := map[string]int64{}
	for _, o := range b.Commit() {
		got[o.Topic] = o.Offset
	}
	if want := map[string]int64{"a": 2, "b": 1}; !maps.Equal(got, want) {
		t.Errorf("committed %v, want %v", got, want)
	}
}

// timeOf is the stream time of a task that goes on from a position with that metadata.
func timeOf(t *testing.T, metadata string) int64 {
	t.Helper()
	b := tasktest.Open(t, func(b *topology.Builder) { topology.Source(b, texts("a")).Sink(texts("out")) }, tasktest.Options{})
	b.Seek("a", 0, metadata)
	return b.StreamTime()
}

func TestTimeInOffsetMetadata(t *testing.T) {
	b := tasktest.Open(t, func(b *topology.Builder) { topology.Source(b, texts("a")).Sink(texts("out")) }, tasktest.Options{})
	for _, want := range []int64{0, 1, 1_700_000_000_000, math.MaxInt64} {
		b.Feed("a", 0, at(want, "k", "v"))
		b.Run()
		os := b.Commit()
		if got := timeOf(t, os[0].Metadata); got != want {
			t.Errorf("%q is %d, want %d", os[0].Metadata, got, want)
		}
		raw, err := base64.StdEncoding.DecodeString(os[0].Metadata)
		if err != nil || len(raw) != 9 || raw[0] != 2 {
			t.Errorf("metadata %x, %v, want the byte 2 and eight more", raw, err)
		}
	}
	later := base64.StdEncoding.EncodeToString([]byte{3, 0, 0, 0, 0, 0, 0, 0, 9})
	for _, other := range []string{"", "text", "AgAA", "AAAAAAAAAAAJ", later} {
		if got := timeOf(t, other); got != -1 {
			t.Errorf("metadata %q is time %d, want none", other, got)
		}
	}
	// What Kafka Streams appends to the time is passed over.
	if got := timeOf(t, base64.StdEncoding.EncodeToString([]byte{2, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0})); got != 9 {
		t.Errorf("time %d of longer metadata, want 9", got)
	}
	if got := timeOf(t, base64.StdEncoding.EncodeToString([]byte{1, 0, 0, 0, 0, 0, 0, 0, 9})); got != 9 {
		t.Errorf("time %d of version 1, want 9", got)
	}
}

// keeping counts its records, the first as 0, in a value that it keeps.
func keeping(b *topology.Builder, topics ...string) {
	in := topology.Source(b, texts(topics[0]))
	for _, t := range topics[1:] {
		in = in.Merge(topology.Source(b, texts(t)))
	}
	in.Apply[string, string](edge.Op{Kind: "KEEP"}, func(at edge.Place, next edge.Emit[string, string]) (edge.Emit[string, string], error) {
		n, other := at.Keep("count"), at.Keep("never")
		return func(m *edge.Meta, k, v string) error {
			*n++
			if *other != -1 {
				return fmt.Errorf("a value never set is %d", *other)
			}
			return next(m, k, fmt.Sprint(*n))
		}, nil
	}).Sink(texts("out"))
}

// TestKeptValuesGoWithThePositions shows that what a node keeps is committed with the positions that moved, goes back with
// an abort, and that the newest commit of any partition has all of it.
func TestKeptValuesGoWithThePositions(t *testing.T) {
	graph := func(b *topology.Builder) { keeping(b, "a", "b") }
	first := tasktest.Open(t, graph, tasktest.Options{})
	committed := map[string]task.Offset{}
	commit := func(b *tasktest.Bed) {
		for _, o := range b.Commit() {
			committed[o.Topic] = o
		}
	}
	first.Feed("a", 0, at(1, "k", ""), at(2, "k", ""))
	first.Feed("b", 0, at(1, "k", ""))
	first.Run()
	commit(first)
	first.Feed("b", 0, at(3, "k", ""))
	first.Run()
	first.Abort()
	first.Feed("a", 0)
	first.Feed("b", 0, at(3, "k", ""))
	first.Run()
	commit(first)
	if a, b := committed["a"], committed["b"]; a.Metadata == b.Metadata {
		t.Fatalf("the same metadata for both: %v %v", a, b)
	}
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		next := tasktest.Open(t, graph, tasktest.Options{})
		for _, topic := range order {
			o := committed[topic]
			next.Seek(topic, o.Offset, o.Metadata)
		}
		a, b := committed["a"].Offset, committed["b"].Offset
		next.Add("a", task.Fetched{Batches: [][]byte{tasktest.Batch(t, a, []tasktest.Record{at(9, "k", "")})}, Next: a + 1, End: a + 1})
		next.Add("b", task.Fetched{Next: b, End: b})
		next.Run()
		out := next.Out("out").Open()
		if len(out) != 1 || out[0].Value != "4" {
			t.Errorf("restored in the order %v: %v, want 4", order, out)
		}
	}
}

// TestMetadataFits shows that what the most nodes keep is within what brokers take.
func TestMetadataFits(t *testing.T) {
	b := tasktest.Open(t, func(b *topology.Builder) {
		topology.Source(b, texts("a")).Apply[string, string](edge.Op{Kind: "KEEP"}, func(at edge.Place, next edge.Emit[string, string]) (edge.Emit[string, string], error) {
			for i := range task.MaxKept {
				*at.Keep(fmt.Sprint(i)) = int64(i)
			}
			return next, nil
		}).Sink(texts("out"))
	}, tasktest.Options{})
	b.Feed("a", 0, at(1, "k", ""))
	b.Run()
	if os := b.Commit(); len(os) != 1 || len(os[0].Metadata) > 4096 || len(os[0].Metadata) < 4000 {
		t.Errorf("metadata of %d bytes for %d values, want at most 4096", len(os[0].Metadata), task.MaxKept)
	}
}
