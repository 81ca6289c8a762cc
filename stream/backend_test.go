package stream_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/state/statetest"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

// counting is a backend that knows how many tiers were opened.
type counting struct {
	statetest.Files
	opened chan string
}

func (c counting) Open(dir, store string, partition int32) (state.Tier, error) {
	select {
	case c.opened <- store:
	default:
	}
	return c.Files.Open(dir, store, partition)
}

// TestAppKeepsItsStateInABackend counts over a tier of the caller's own, and goes on after a restart.
func TestAppKeepsItsStateInABackend(t *testing.T) {
	b := counting{opened: make(chan string, 64)}
	cfg := stream.Config{Dir: t.TempDir(), Backend: b}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for round := range int64(3) {
		a, stop := start(t, words, cfg)
		w := stream.NewWriter(a, lines)
		for range 50 {
			if err := w.Put(ctx, serde.Void{}, "one two two"); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		awaitLatest(t, ctx, a, counts, map[string]int64{"one": 50 * (round + 1), "two": 100 * (round + 1)})
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if len(b.opened) == 0 {
			t.Fatal("the app has opened no tier")
		}
		for len(b.opened) > 0 {
			<-b.opened
		}
	}
}

func TestBackendThatIsNilIsRefused(t *testing.T) {
	topo, err := topology.Define("words", words)
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.New(topo, stream.Config{Backend: (*counting)(nil)})
	if err == nil || !strings.Contains(err.Error(), "stream: Config.Backend is a nil *stream_test.counting") {
		t.Error(err)
	}
}

// ownSums are sums in a store of one's own kind.
var ownSums = state.New("own", func(env state.Env) (*adder, error) { return &adder{env, map[string]int64{}}, nil })

type adder struct {
	env state.Env
	at  map[string]int64
}

// Restore implements state.Restorer.
func (a *adder) Restore(key, value []byte) (err error) {
	if delete(a.at, string(key)); value != nil {
		a.at[string(key)], err = serde.Int64.Decode(value)
	}
	return err
}

// adding passes on the sum of each key so far.
func adding(ctx *topology.ValueContext[int64]) (topology.Processor[string, int64], error) {
	a := ctx.Store(ownSums)
	return topology.ProcessorFunc[string, int64](func(r topology.Record[string, int64]) error {
		a.at[r.Key] += r.Value
		sum, err := serde.Int64.Append(nil, a.at[r.Key])
		if err != nil {
			return err
		}
		a.env.Changelog([]byte(r.Key), sum, r.Time)
		return ctx.Forward(a.at[r.Key])
	}), nil
}

// TestStoreOfOnesOwnKindIsNotQueried asks an app for rows of a store that the program has made, from inside and from outside.
func TestStoreOfOnesOwnKindIsNotQueried(t *testing.T) {
	addr := freePort(t)
	a, _ := start(t, func(b *topology.Builder) {
		stream.From(b, amounts).ProcessValues("add", adding, ownSums).To(sums)
	}, stream.Config{Dir: t.TempDir(), Workers: 1, Ops: stream.Ops{Addr: addr, Queries: true, Token: "secret"}})
	<-a.Ready()
	for from, c := range map[string]state.Client{"inside": a, "outside": dial(t, "secret", addr)} {
		for _, op := range []string{"get", "all", "owner", "watch"} {
			err := errors.New("no answer")
			for _, err = range c.Ask(limit(t), state.Question{Store: "own", Op: op, Key: []byte("k")}) {
				break
			}
			if err == nil || !strings.Contains(err.Error(), `store "own" is of the program's own kind, which answers no queries`) {
				t.Errorf("%s from %s: %v", op, from, err)
			}
		}
	}
}
