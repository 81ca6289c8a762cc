package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/state/statetest"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

const (
	tieredKeys   = 60_000
	tieredFeed   = 3000                  // numbers of one commit of the feed
	tieredPace   = 10 * time.Millisecond // between two of them
	tieredMemory = 16 << 20              // so little that rows are checkpointed often, and read from below
	tieredDigits = 400                   // of a count: rows are large
)

var (
	tieredIn  = topology.Topic[int64, int64]{Name: "tiered-in", Key: serde.Int64, Value: serde.Int64, Partitions: 2}
	tieredOut = topology.Topic[int64, string]{Name: "tiered-out", Key: serde.Int64, Value: serde.String, Partitions: 2}
)

// tieredKey is the key of a number: those near each other have others.
func tieredKey(n int64) int64 { return n * 7919 % tieredKeys }

// tieredCounts counts the numbers of each key.
func tieredCounts(b *topology.Builder) table.Table[int64, string] {
	t := stream.From(b, tieredIn).GroupByKey().Aggregate("counts", func() string { return "0" }, func(_, _ int64, at string) string {
		n, _ := countOf(at)
		return fmt.Sprintf("%0*d", tieredDigits, n+1)
	})
	t.To(tieredOut)
	return t
}

func countOf(text string) (int64, error) {
	return strconv.ParseInt(text[max(0, len(text)-18):], 10, 64)
}

func tieredConfig(dir string, below state.Backend) stream.Config {
	return stream.Config{App: "tiered", Dir: dir, Workers: 2, Memory: tieredMemory, Backend: below,
		Logger: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug}))}
}

// tiered counts numbers without an end. Arguments: directory, and where rows go that do not fit into memory: "pebble", or
// into a tier of its own, with the Apply of it in which it kills itself.
func tiered(args []string) error {
	var below state.Backend
	if args[1] != "pebble" {
		dieAt, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return err
		}
		below = &logged{dieAt: dieAt}
	}
	topo, err := topology.Define("tiered", func(b *topology.Builder) { tieredCounts(b) })
	if err != nil {
		return err
	}
	a, err := stream.New(topo, tieredConfig(args[0], below))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	if _, err := feedTiered(ctx, a, func(int64) bool { return true }, tieredPace); err != nil {
		return errors.Join(err, <-done)
	}
	return <-done
}

// feedTiered puts numbers in from where the feed stood, as long as more says so of how many there are.
func feedTiered(ctx context.Context, a *stream.App, more func(n int64) bool, pace time.Duration) (n int64, err error) {
	f, err := stream.NewFeed(ctx, a, "numbers", tieredIn)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if p := f.Position(); p != "" {
		if n, err = strconv.ParseInt(p, 10, 64); err != nil {
			return 0, err
		}
	}
	tick := time.NewTicker(max(pace, 1))
	defer tick.Stop()
	for more(n) {
		for range tieredFeed {
			if err := f.Put(ctx, tieredKey(n), n); err != nil {
				return 0, err
			}
			n++
		}
		if err := f.Commit(ctx, strconv.FormatInt(n, 10)); err != nil {
			return 0, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return n, nil
}

// TestLogTierIsATier holds the tier of this test against what a tier has to do.
func TestLogTierIsATier(t *testing.T) { statetest.Tier(t, &logged{}) }

var tieredRestored = regexp.MustCompile(`msg=restored store=counts task=\S+ records=\d+ from=\d+ to=\d+ checkpoint=([1-9]\d*)`)

// TestKilledOverATierCountsExactly kills a count whose rows do not fit into memory, over a tier of the caller's own, at random
// moments, and has it kill itself in the middle of an Apply. In the end every number has counted once: in the order of each
// key's counts, in the rows, in all.
func TestKilledOverATierCountsExactly(t *testing.T) { killOver(t, true) }

// TestKilledOverPebbleCountsExactly is the same over Pebble, killed from without.
func TestKilledOverPebbleCountsExactly(t *testing.T) { killOver(t, false) }

func killOver(t *testing.T, tier bool) {
	kills := defaultKills / 2
	if *flagKills > 0 {
		kills = *flagKills
	}
	r := seeded(t)
	dir := filepath.Join(t.TempDir(), "app")
	killed, resumed, cut := 0, 0, 0
	for killed < kills || (resumed < kills/3 || tier && cut < 1) && killed < 4*kills {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		dieAt := 0
		if tier && killed%3 == 2 {
			dieAt = 1 + r.IntN(4)
		}
		below := "pebble"
		if tier {
			below = strconv.Itoa(dieAt)
		}
		p := play(t, "tiered", dir, below)
		switch {
		case dieAt > 0:
			select {
			case <-p.done:
			case <-ctx.Done():
				t.Fatalf("it has not come to its Apply number %d:\n%s", dieAt, tail(p.out.String()))
			}
			if s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGKILL {
				t.Fatalf("it ended by itself: %v\n%s", p.err, tail(p.out.String()))
			}
		case r.IntN(4) > 0: // the others die while they start and recover
			if _, err := p.line(ctx, "msg=checkpoint"); err != nil {
				t.Fatalf("after %d kills: %v", killed, err)
			}
			fallthrough
		default:
			if p.sleepUnless(time.Duration(r.Int64N(int64(700 * time.Millisecond)))) {
				t.Fatalf("after %d kills it ended by itself: %v\n%s", killed, p.err, tail(p.out.String()))
			}
		}
		p.kill()
		cancel()
		killed++
		resumed += len(tieredRestored.FindAllString(p.out.String(), -1))
		cut += strings.Count(p.out.String(), "cut a frame")
	}
	if !tier {
		n, aborted := finishTiered(t, dir, nil)
		t.Logf("%d numbers, %d kills, %d restores from a checkpoint, %d aborted transactions", n, killed, resumed, aborted)
		if resumed < kills/3 || aborted < 1 {
			t.Errorf("void: that is too little for %d kills", kills)
		}
		return
	}
	own := &logged{}
	n, aborted := finishTiered(t, dir, own)
	gets := own.gets.Load()
	t.Logf("%d numbers, %d kills, %d restores from a tier, %d frames cut, %d aborted transactions, %d reads of the tier in the last life", n, killed, resumed, cut, aborted, gets)
	if resumed < kills/3 || cut < 1 || aborted < 1 || gets < 1 {
		t.Errorf("void: that is too little for %d kills", kills)
	}
}

// finishTiered runs the app for the last time, without a kill, and compares all that it gives.
func finishTiered(t *testing.T, dir string, below state.Backend) (n int64, aborted int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cfg := tieredConfig(dir, below)
	cfg.Listen = freeAddr(t)
	var counts table.Table[int64, string]
	a, ended, _ := runs(t, func(b *topology.Builder) { counts = tieredCounts(b) }, cfg)
	ready(t, a, ended)
	rounds := 0
	n, err := feedTiered(ctx, a, func(int64) bool { rounds++; return rounds <= 10 }, 0)
	if err != nil {
		t.Fatal(err)
	}
	token, err := a.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want, seen := map[int64]int64{}, map[int64]int64{}
	for i := range n {
		want[tieredKey(i)]++
	}
	if err := a.WaitFor(ctx, token); err != nil {
		t.Fatal(err)
	}
	left := n
	readCommitted(ctx, t, cfg.Listen, tieredOut.Name, func(rec *kgo.Record) bool {
		k, err := serde.Int64.Decode(rec.Key)
		if err != nil {
			t.Fatal(err)
		}
		seen[k]++
		if n, err := countOf(string(rec.Value)); n != seen[k] || err != nil {
			t.Fatalf("key %d has the count %d, %v, after %d", k, n, err, seen[k]-1)
		}
		left--
		return left > 0
	})
	compareCounts(t, "the output", seen, want)
	rows := map[int64]int64{}
	for e, err := range counts.Query(a).After(token).All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if rows[e.Key], err = countOf(e.Value); err != nil {
			t.Fatal(err)
		}
	}
	compareCounts(t, "the rows", rows, want)
	return n, abortedTransactions(t, cfg.Listen, "tiered")
}

// readCommitted reads the committed records of a topic from its beginning, by a client of its own, until f returns false.
func readCommitted(ctx context.Context, t *testing.T, addrs, topic string, f func(*kgo.Record) bool) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(addrs, ",")...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for more := true; more; {
		fs := c.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("reading %s: %v", topic, err)
		}
		fs.EachRecord(func(r *kgo.Record) { more = more && f(r) })
	}
}

func compareCounts[K comparable](t *testing.T, what string, got, want map[K]int64) {
	t.Helper()
	wrong := 0
	for k, n := range want {
		if got[k] != n {
			if wrong++; wrong < 10 {
				t.Errorf("%s: key %v is counted %d times, want %d", what, k, got[k], n)
			}
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d keys, want %d", what, len(got), len(want))
	}
}

// freeAddr is a loopback address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr())
}
