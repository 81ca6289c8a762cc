package stream_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

// shops are the orders of every shop: a topic each.
var shops = topology.Topic[string, int64]{Pattern: regexp.MustCompile(`^orders-\w+$`), Key: serde.String, Value: serde.Int64}

func ordersOf(name string) topology.Topic[string, int64] {
	return topology.NewTopic("orders-"+name, serde.String, serde.Int64)
}

// TestPatternReadsTopicsThatCome counts over topics of which one comes later, across a crash.
func TestPatternReadsTopicsThatCome(t *testing.T) {
	d := streamtest.New(t, func(b *topology.Builder) {
		stream.From(b, shops).GroupByKey().Count("orders").To(counts)
	}, streamtest.Options{Instances: 2})
	out := d.Topic(counts)
	d.Topic(ordersOf("rome")).Put("ann", 1)
	d.Topic(ordersOf("oslo")).Put("ann", 1)
	d.Crash(0)
	d.Topic(ordersOf("rome")).Put("bob", 1)
	d.Topic(topology.NewTopic("bills-rome", serde.String, serde.Int64)).Put("ann", 1) // does not match
	d.Restart(0)
	d.Topic(ordersOf("bonn")).Put("ann", 1)
	if got := fmt.Sprint(streamtest.Latest(out)); got != "map[ann:3 bob:1]" {
		t.Error(got)
	}
}

// TestPatternIsDescribed compares with the form of Kafka Streams.
func TestPatternIsDescribed(t *testing.T) {
	topo, err := topology.Define("test", func(b *topology.Builder) { stream.From(b, shops).To(counts) })
	if err != nil {
		t.Fatal(err)
	}
	if want := `Source: KSTREAM-SOURCE-0000000000 (topics: ^orders-\w+$)`; !strings.Contains(topo.String(), want) {
		t.Errorf("%s\nwant %s", topo.String(), want)
	}
}

// TestAppReadsTopicsThatCome starts two instances before there is any topic to read, and has topics made while they run. Every
// record counts once: the instances' tasks are committed, and begin anew with more to read.
func TestAppReadsTopicsThatCome(t *testing.T) {
	ctx, broker := limit(t), freePort(t)
	all := shops
	all.Partitions = 4
	define := func(b *topology.Builder) {
		stream.From(b, all).GroupByKey().Count("orders").To(counts)
	}
	cfg := stream.Config{Dir: t.TempDir(), Workers: 2, Listen: broker}
	a, stopA := start(t, define, cfg)
	b, stopB := start(t, define, stream.Config{Dir: t.TempDir(), Workers: 1, Brokers: []string{broker}, CreateTopics: true})
	ready(t, a, b) // with nothing to read
	sum := int64(0)
	for round, name := range []string{"rome", "oslo", "rome", "bonn", "rome"} {
		to := ordersOf(name)
		to.Partitions = 4
		w := stream.NewWriter(a, to)
		for i := range 200 {
			if err := w.Put(ctx, fmt.Sprint("k", i%20), 1); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		sum += 10
		latest := map[string]int64{}
		settled := func() bool {
			for i := range 20 {
				if latest[fmt.Sprint("k", i)] != sum {
					return false
				}
			}
			return true
		}
		for r, err := range stream.Read(ctx, a, counts) {
			if err != nil {
				t.Fatalf("round %d (%s): %v: want %d of each: %v", round, name, err, sum, latest)
			}
			if r.Value > sum {
				t.Fatalf("round %d (%s): %s is counted %d times, want %d", round, name, r.Key, r.Value, sum)
			}
			if latest[r.Key] = r.Value; settled() {
				break
			}
		}
	}
	if err := errors.Join(stopB(), stopA()); err != nil { // the first has the engine
		t.Error(err)
	}
}

// TestPatternOfUnequalPartitionCounts is refused where a store keeps rows by key.
func TestPatternOfUnequalPartitionCounts(t *testing.T) {
	topo, err := topology.Define("test", func(b *topology.Builder) {
		stream.From(b, shops).GroupByKey().Count("orders").To(counts)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		have map[string]int32
		want string
	}{
		{map[string]int32{"orders-rome": 4, "orders-oslo": 3, "word-counts": 1}, `unequal partition counts, "orders-oslo" has 3 and another 4, so that equal keys do not meet: Repartition the stream`},
		{map[string]int32{"bills": 4, "word-counts": 1}, `no topic matches the pattern "^orders-\\w+$"`},
		{map[string]int32{"orders-rome": 4, "test-orders-changelog": 1, "word-counts": 1}, ""},
	} {
		n, err := topo.Graph().Partitions(c.have)
		switch {
		case c.want == "" && (err != nil || n["/"+shops.Pattern.String()+"/"] != 4):
			t.Errorf("%v: %v, %v", c.have, n, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v: %v, want %s", c.have, err, c.want)
		}
	}
}

// TestTopicThatAPatternMayNotRead is refused: it would be read twice, or has partitions that no task is there for.
func TestTopicThatAPatternMayNotRead(t *testing.T) {
	topo, err := topology.Define("test", func(b *topology.Builder) {
		stream.From(b, shops).To(counts)
		stream.From(b, topology.Topic[string, int64]{Pattern: regexp.MustCompile(`-rome$`), Key: serde.String, Value: serde.Int64}).To(counts)
	})
	if err != nil {
		t.Fatal(err)
	}
	g := topo.Graph()
	_, err = g.Partitions(map[string]int32{"orders-rome": 4, "orders-oslo": 4, "bills-rome": 4, "word-counts": 1})
	if want := `topic "orders-rome" matches two patterns, "^orders-\\w+$" (`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	oslo, err := g.Match("orders-oslo")
	if err != nil || oslo == nil {
		t.Fatalf("orders-oslo: %v, %v", oslo, err)
	}
	if err := oslo.Fits("orders-oslo", 4, 4); err != nil {
		t.Error(err)
	}
	err = oslo.Fits("orders-oslo", 5, 4)
	if want := `has 5 partitions, there are 4 tasks for them: stop every instance, and start again`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// The orders of all shops, of those too that come to be while the program runs.
func ExampleFrom_pattern() {
	streamtest.Example(func(b *topology.Builder) {
		all := topology.Topic[string, int64]{Pattern: regexp.MustCompile(`^orders-`), Key: serde.String, Value: serde.Int64}
		stream.From(b, all).GroupByKey().Sum("spent", func(n int64) int64 { return n }).To(results)
	}, func(d *streamtest.Driver) {
		d.Topic(ordersOf("rome")).Put("ann", 3)
		d.Topic(ordersOf("oslo")).Put("ann", 4)
		d.Topic(results).Print()
	})
	// Output:
	// ann 3
	// ann 7
}

// TestPatternDoesNotReadDeadLetters has an app whose pattern matches its dead-letter topic too, before that is there and
// after: what was put aside once is not read, and put aside, again.
func TestPatternDoesNotReadDeadLetters(t *testing.T) {
	all := topology.Topic[string, int64]{Pattern: regexp.MustCompile(`^orders-|-dead-letter$`), Key: serde.String, Value: serde.Int64, Partitions: 1}
	text := topology.Topic[string, string]{Name: "orders-rome", Key: serde.String, Value: serde.String, Partitions: 1}
	ctx, dir := limit(t), t.TempDir()
	for round := range 2 {
		a, stop := start(t, func(b *topology.Builder) {
			stream.From(b, all).Filter(func(_ string, n int64) bool { return n > 0 }).To(counts)
		},
			stream.Config{Dir: dir, Workers: 1, Errors: stream.Errors{Decode: stream.DeadLetter}})
		w := stream.NewWriter(a, text)
		for _, v := range []string{"five", "\x00\x00\x00\x00\x00\x00\x00\x06"} { // the first is no number
			if err := w.Put(ctx, fmt.Sprint(round), v); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for r, err := range stream.Read(ctx, a, counts) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Key == fmt.Sprint(round) {
				break
			}
		}
		letters := 0
		for r, err := range stream.Read(ctx, a, topology.NewTopic("words-dead-letter", serde.String, serde.String)) {
			if err != nil {
				t.Fatal(err)
			}
			if letters++; r.Key != fmt.Sprint(letters-1) || r.Headers.Get("thalweg.topic") == nil || string(r.Headers.Get("thalweg.topic")) != text.Name {
				t.Errorf("round %d: letter %d: %+v", round, letters, r)
			}
			if letters > round {
				break
			}
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}
