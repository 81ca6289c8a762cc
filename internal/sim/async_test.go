package sim

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

const (
	askingSession = 6 * time.Second // the timeout of transactions is three quarters of it
	askingLong    = askingSession + time.Second
	askingRecords = 24
	askingKeys    = 4
)

var (
	asked    = topology.Topic[int64, int64]{Name: "asked", Key: serde.Int64, Value: serde.Int64, Partitions: 2}
	answered = topology.Topic[int64, int64]{Name: "answered", Key: serde.Int64, Value: serde.Int64, Partitions: 2}
)

// asking puts numbers in, each under one of a few keys, and maps them by calls, the first of each key a long one. It
// prints "calling N" and "called N" around each. The argument is the directory.
func asking(args []string) error {
	topo, err := topology.Define("asking", func(b *topology.Builder) {
		stream.From(b, asked).MapValuesAsync("ask", askingKeys, func(ctx context.Context, n int64) (int64, error) {
			fmt.Println("calling", n)
			d := time.Millisecond
			if n < askingKeys {
				d = askingLong
			}
			select {
			case <-time.After(d):
				fmt.Println("called", n)
				return n, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}).To(answered)
	})
	if err != nil {
		return err
	}
	a, err := stream.New(topo, stream.Config{Dir: args[0], Workers: 1, SessionTime: askingSession, Logger: slog.New(slog.NewTextHandler(os.Stdout, nil))})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	f, err := stream.NewFeed(ctx, a, "numbers", asked)
	if err != nil {
		return err
	}
	if f.Position() == "" {
		for n := range int64(askingRecords) {
			if err := f.Put(ctx, n%askingKeys, n); err != nil {
				return err
			}
		}
		if err := f.Commit(ctx, "all"); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	return <-done
}

// TestKilledCallsGiveEachResultOnce has calls that last longer than a transaction may, and kills the process with SIGKILL
// in the middle of them, and again when some have a result: every result comes once, in the order of its key.
func TestKilledCallsGiveEachResultOnce(t *testing.T) {
	r := seeded(t)
	dir := t.TempDir()
	for life, after := range []string{"calling 3", "called 3"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		p := play(t, "asking", dir)
		if _, err := p.line(ctx, after); err != nil {
			t.Fatal(err)
		}
		cancel()
		wait := time.Duration(r.Int64N(int64(askingLong / 2)))
		if life > 0 {
			wait = time.Duration(r.Int64N(int64(20 * time.Millisecond)))
		}
		if p.sleepUnless(wait) {
			t.Fatalf("it ended by itself: %v\n%s", p.err, tail(p.out.String()))
		}
		p.kill()
		if strings.Contains(p.out.String(), "transaction taken back") {
			t.Errorf("a transaction was taken back because of a slow call:\n%s", tail(p.out.String()))
		}
	}
	checkAnswers(t, dir)
}

// checkAnswers runs the app once more, makes the calls that are left, and reads: each number once, in the order of its key.
func checkAnswers(t *testing.T, dir string) {
	t.Helper()
	a, ended, _ := runs(t, func(b *topology.Builder) {
		stream.From(b, asked).MapValuesAsync("ask", 1, func(_ context.Context, n int64) (int64, error) { return n, nil }).To(answered)
	}, stream.Config{App: "asking", Dir: dir, SessionTime: askingSession})
	ready(t, a, ended)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	next := map[int64]int64{}
	seen := 0
	for rec, err := range stream.Read(ctx, a, answered) {
		if err != nil {
			t.Fatalf("after %d answers: %v", seen, err)
		}
		seen++
		if want := rec.Key + askingKeys*next[rec.Key]; rec.Value != want {
			t.Fatalf("key %d has the answer %d, want %d", rec.Key, rec.Value, want)
		}
		next[rec.Key]++
		if seen == askingRecords {
			break
		}
	}
}
