package state_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/state/statetest"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

// named is a backend that knows what it was asked for.
type named struct {
	opened map[string]int
	err    error
}

func (n *named) Open(dir, store string, partition int32) (state.Tier, error) {
	if n.opened[fmt.Sprint(store, "/", partition)]++; n.err != nil {
		return nil, n.err
	}
	return statetest.Files{}.Open(dir, store, partition)
}

// TestBackendOfAStoreGoesBeforeThatOfTheApp shows which tier a store gets: memory, its own, the app's.
func TestBackendOfAStoreGoesBeforeThatOfTheApp(t *testing.T) {
	for _, c := range []struct {
		o         state.Options
		own, apps int
	}{{state.Options{}, 0, 1}, {state.Options{InMemory: true}, 0, 0}} {
		for _, with := range []bool{false, true} {
			own, apps := &named{opened: map[string]int{}}, &named{opened: map[string]int{}}
			if with {
				if c.o.Backend = own; !c.o.InMemory {
					c.own, c.apps = 1, 0
				}
			}
			dir := t.TempDir()
			env := store.Env{Hasher: hashed.NewHasher(1, 2), Partition: 2, Below: state.Below(apps), Dir: func() string { return dir }}
			_, st, err := state.Open(state.NewKeyValue("s", serde.String, serde.Int64, c.o), env)
			if err != nil {
				t.Fatal(err)
			}
			if err := st.Close(); err != nil {
				t.Error(err)
			}
			if own.opened["s/2"] != c.own || apps.opened["s/2"] != c.apps {
				t.Errorf("%+v: own %v, the app's %v, want %d and %d", c.o, own.opened, apps.opened, c.own, c.apps)
			}
		}
	}
}

func TestBackendThatFailsIsReported(t *testing.T) {
	for _, c := range []struct {
		o    state.Options
		want string
	}{
		{state.Options{Backend: &named{opened: map[string]int{}, err: errors.New("no such bucket")}}, `state: store: the tier of "s" partition 0: Open: no such bucket`},
		{state.Options{Backend: (*named)(nil)}, `state: "s": its Backend is a nil *state_test.named`},
	} {
		_, _, err := state.Open(state.NewKeyValue("s", serde.String, serde.Int64, c.o), store.Env{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// TestAppOverABackendIsExactlyOnce counts and sums over a tier of the caller's own, through crashes, lost disks and moves.
func TestAppOverABackendIsExactlyOnce(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 7))
		d := streamtest.New(t, func(b *topology.Builder) {
			stream.From(b, amounts).GroupByKey().Reduce("sums", func(x, y int64) int64 { return x + y }).To(sums)
		}, streamtest.Options{Partitions: 2, Instances: 2, CommitEvery: 1 + r.IntN(7), Seed: seed + 1, Backend: statetest.Files{}})
		want := map[string]int64{}
		for range 120 {
			k, v := fmt.Sprint(r.IntN(9)), int64(r.IntN(100))
			want[k] += v
			d.Topic(amounts).Put(k, v)
			disturb(d, r)
		}
		d.Commit()
		for k, v := range streamtest.Latest(d.Topic(sums)) {
			if v != want[k] {
				t.Errorf("seed %d: the sum of %s is %d, want %d", seed, k, v, want[k])
			}
			delete(want, k)
		}
		if len(want) > 0 {
			t.Errorf("seed %d: without a sum: %v", seed, want)
		}
	}
}
