package runtime

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/internal/task"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/state/statetest"
	"github.com/thalweg/thalweg/topology"
)

// openTiers are files of which none may be open twice. They count how often one was opened.
type openTiers struct {
	t      *testing.T
	open   map[string]bool
	opened int
}

func (b *openTiers) Open(dir, store string, partition int32) (state.Tier, error) {
	if b.open[dir] {
		b.t.Errorf("%s is open already", dir)
	}
	b.open[dir] = true
	b.opened++
	f, err := statetest.Files{}.Open(dir, store, partition)
	return openTier{f, func() { delete(b.open, dir) }}, err
}

type openTier struct {
	state.Tier
	closed func()
}

func (f openTier) Close() error { f.closed(); return f.Tier.Close() }

// TestIdleStateIsKnown wants to be known what lies here of a task that is neither at work nor copied: in Pebble, in a tier of the
// store's own and in one of the app's; after the task has been here, in a later life, and not while it is here.
func TestIdleStateIsKnown(t *testing.T) {
	tiers := &openTiers{t, map[string]bool{}, 0}
	for what, where := range map[string]struct {
		opts  state.Options
		below state.Backend
	}{
		"Pebble":                {},
		"a tier of the store's": {opts: state.Options{Backend: tiers}},
		"a tier of the app's":   {below: tiers},
	} {
		t.Run(what, func(t *testing.T) {
			tiers.opened = 0
			in := newIdle(t, t.TempDir(), where.opts, where.below)
			in.want(t, nil)
			in.life(t, 2, 7)
			in.want(t, map[int32]int64{2: 7})
			in.life(t, 0, 9)
			in.life(t, 2, 12)
			in.want(t, map[int32]int64{0: 9, 2: 12})
			in.tasks[taskKey{0, 0}] = &assigned{}
			in.want(t, map[int32]int64{2: 12})
			delete(in.tasks, taskKey{0, 0})
			before := tiers.opened
			in.want(t, map[int32]int64{0: 9, 2: 12})
			if tiers.opened != before {
				t.Error("a tier is opened for a look while there are tasks")
			}

			must(t, in.db.Close())
			next := newIdle(t, in.cfg.Dir, where.opts, where.below)
			next.want(t, map[int32]int64{0: 9, 2: 12})
			if want := 2; next.tier && tiers.opened != before+want {
				t.Errorf("%d tiers are opened at the start, want those %d that have been here", tiers.opened-before, want)
			}
			next.life(t, 2, 20)
			next.want(t, map[int32]int64{0: 9, 2: 20})
		})
	}
}

// TestTierThatCannotBeReadIsNoState has the file of a tier damaged: the instance starts, and counts on nothing.
func TestTierThatCannotBeReadIsNoState(t *testing.T) {
	b := statetest.Files{}
	in := newIdle(t, t.TempDir(), state.Options{}, b)
	in.life(t, 0, 9)
	in.life(t, 2, 12)
	files, err := filepath.Glob(filepath.Join(in.cfg.Dir, "apps", "idle", "tasks", "0_0", "tiers", "*", "rows"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	must(t, os.WriteFile(files[0], []byte("damaged"), 0o644))
	must(t, in.db.Close())
	newIdle(t, in.cfg.Dir, state.Options{}, b).want(t, map[int32]int64{2: 12})
}

// idling is an instance of one store in three partitions, which has no tasks.
type idling struct {
	*Instance
	store *edge.Store
	tier  bool
}

func newIdle(t *testing.T, dir string, opts state.Options, below state.Backend) *idling {
	t.Helper()
	topo, err := topology.Define("idle", func(b *topology.Builder) {
		spec := state.NewKeyValue("kept", serde.String, serde.String, opts)
		topology.Source(b, topology.NewTopic("in", serde.String, serde.String)).
			Process("keeps", func(*topology.Context[string, string]) (topology.Processor[string, string], error) { return nil, nil }, spec)
	})
	if err != nil {
		t.Fatal(err)
	}
	g := topo.Graph()
	in := New(Config{App: "idle", Dir: dir, Logger: slog.New(slog.DiscardHandler), Graph: g, Below: state.Below(below)})
	in.ctx, in.cancel = context.WithCancelCause(t.Context())
	in.now = time.Now
	in.plan = plan{partitions: map[string]int32{"in": 3, g.Stores[0].Changelog: 3}}
	in.budget = store.NewBudget(0)
	if in.db, err = store.OpenDB(vfs.Default, filepath.Join(dir, "state"), store.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, in.db.Close()) })
	in.copies = &copier{in: in, checks: checkpoints{in: in, poke: func() {}}}
	in.findTiers()
	return &idling{in, g.Stores[0], opts.Backend != nil || below != nil}
}

// life has a copy of the task of a partition be here for a while, until its store stands for an offset.
func (in *idling) life(t *testing.T, partition int32, offset int64) {
	t.Helper()
	a := &assigned{key: taskKey{0, partition}, sub: in.cfg.Graph.Subs[0]}
	var err error
	if a.task, err = task.OpenCopy(in.env(a)); err != nil {
		t.Fatal(err)
	}
	must(t, a.task.Restored(in.store.Name, store.Position{Offset: offset, At: 1}))
	if got, err := in.env(a).OffsetOf(in.store); got == offset || in.tier && got > 0 || err != nil {
		t.Errorf("an open store stands for %d, %v: it has no checkpoint yet, and of an open tier nothing is known", got, err)
	}
	in.copies.checks.final(a)
	must(t, a.task.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want compares what is known with offsets by partition.
func (in *idling) want(t *testing.T, offsets map[int32]int64) {
	t.Helper()
	all, err := in.idleState()
	if err != nil {
		t.Fatal(err)
	}
	got := map[int32]int64{}
	for _, at := range all {
		for p, offset := range at {
			if p.Topic != in.store.Changelog {
				t.Errorf("the topic %q, want the changelog", p.Topic)
			}
			got[p.Partition] = offset
		}
	}
	if !maps.Equal(got, offsets) {
		t.Errorf("idle state at %v, want %v", got, offsets)
	}
}
