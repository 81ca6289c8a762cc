package stream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// awaitLatest reads a topic until the latest value of each key in want is that.
func awaitLatest(t *testing.T, ctx context.Context, a *stream.App, topic topology.Topic[string, int64], want map[string]int64) {
	t.Helper()
	left := maps.Clone(want)
	for r, err := range stream.Read(ctx, a, topic) {
		if err != nil {
			t.Fatalf("waiting for %v: %v", left, err)
		}
		if v, ok := want[r.Key]; ok && v == r.Value {
			delete(left, r.Key)
		} else if ok {
			left[r.Key] = v
		}
		if len(left) == 0 {
			return
		}
	}
}

// start runs a topology until the test ends, and returns what stops it earlier.
func start(t *testing.T, define func(*topology.Builder), cfg stream.Config) (*stream.App, func() error) {
	t.Helper()
	topo, err := topology.Define("words", define)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, err := stream.New(topo, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	stop := func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return a, stop
}

// ready waits until apps are.
func ready(t *testing.T, apps ...*stream.App) {
	t.Helper()
	ctx := limit(t)
	for i, a := range apps {
		select {
		case <-a.Ready():
		case <-ctx.Done():
			t.Fatalf("instance %d does not become ready", i)
		}
	}
}

// TestInstancesWithoutTasksAreReady starts more instances than there are partitions.
func TestInstancesWithoutTasksAreReady(t *testing.T) {
	broker := freePort(t)
	one := lines
	one.Partitions = 1
	define := func(b *topology.Builder) {
		stream.From(b, one).To(topology.NewTopic("copies", serde.None, serde.String))
	}
	a, stopA := start(t, define, stream.Config{Dir: t.TempDir(), Listen: broker})
	ready(t, a)
	cfg := stream.Config{Brokers: []string{broker}, CreateTopics: true}
	cfg.Dir = t.TempDir()
	b, stopB := start(t, define, cfg)
	cfg.Dir = t.TempDir()
	c, stopC := start(t, define, cfg)
	ready(t, b, c)
	if err := errors.Join(stopC(), stopB(), stopA()); err != nil { // the first has the engine
		t.Error(err)
	}
}

// TestAppCountsOnTheBundledEngine feeds an app, reads its results, and does so again after a restart in the same directory.
func TestAppCountsOnTheBundledEngine(t *testing.T) {
	cfg := stream.Config{Dir: t.TempDir(), Workers: 2}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for round := range int64(3) {
		a, stop := start(t, words, cfg)
		f, err := stream.NewFeed(ctx, a, "lines", lines)
		if err != nil {
			t.Fatal(err)
		}
		if want := ""; round > 0 {
			want = fmt.Sprint(round - 1)
			if f.Position() != want {
				t.Errorf("round %d: position %q, want %q", round, f.Position(), want)
			}
		}
		for range 100 {
			if err := f.PutRecord(ctx, topology.Record[serde.Void, string]{Value: "one two two", Time: window.At(time.Now()), NoKey: true}); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Commit(ctx, fmt.Sprint(round)); err != nil {
			t.Fatal(err)
		}
		awaitLatest(t, ctx, a, counts, map[string]int64{"one": 100 * (round + 1), "two": 200 * (round + 1)})
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOnStartRunsBesideTheApp writes and reads in Config.OnStart, whose error ends the app.
func TestOnStartRunsBesideTheApp(t *testing.T) {
	topo, err := topology.Define("words", words)
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	cfg := stream.Config{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), OnStart: func(ctx context.Context, a *stream.App) error {
		w := stream.NewWriter(a, lines)
		if err := errors.Join(w.Put(ctx, serde.Void{}, "one"), w.Close()); err != nil {
			return err
		}
		for r, err := range stream.Read(ctx, a, counts) {
			if err != nil || r.Key != "one" || r.Value != 1 {
				return fmt.Errorf("read %q %d: %w", r.Key, r.Value, err)
			}
			break
		}
		return enough
	}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := stream.Run(ctx, topo, cfg); !errors.Is(err, enough) {
		t.Errorf("Run returned %v, want what OnStart did", err)
	}
	ended := false
	cfg.Dir, cfg.OnStart = t.TempDir(), func(ctx context.Context, _ *stream.App) error {
		cancel()
		<-ctx.Done()
		ended = true
		return ctx.Err()
	}
	if err := stream.Run(ctx, topo, cfg); err != nil || !ended {
		t.Errorf("stopped: %v, OnStart has ended: %v", err, ended)
	}
}
