package streamtest

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/internal/task"
	"github.com/thalweg/thalweg/state"
)

// instance is one instance of the app: a disk, tasks, and one transaction for all of them.
type instance struct {
	d       *Driver
	index   int
	alive   bool
	fs      *vfs.MemFS
	db      *store.DB
	budget  *store.Budget
	tasks   []*task.Task
	globals []*global
	pending []written // in the open transaction, in order
	since   int       // records since the last commit
	taken   []taken   // since the last commit, if somebody asks
}

type taskKey struct {
	sub       int
	partition int32
}

func keyOf(t *task.Task) taskKey { return taskKey{t.Sub().ID, t.Partition()} }

func compareTasks(a, b *task.Task) int {
	x, y := keyOf(a), keyOf(b)
	return cmp.Or(cmp.Compare(x.sub, y.sub), cmp.Compare(x.partition, y.partition))
}

// memory is the budget of an instance's hot tables.
const memory = 64 << 20

// checkpointOdds is how many commits there are to a checkpoint, by chance.
const checkpointOdds = 8

// newDisk gives the instance an empty disk. Directories of tasks are real ones, for processors that write files.
func (in *instance) newDisk() {
	in.fs = vfs.NewCrashableMem()
	if in.d.dir == "" {
		return
	}
	if err := os.RemoveAll(in.dir("")); err != nil {
		in.d.t.Fatalf("streamtest: instance %d: %v", in.index, err)
	}
}

// dir returns the directory of a task. Few tests have one, and to make it takes a tenth of New's time.
func (in *instance) dir(task string) string {
	if in.d.dir == "" {
		dir, err := os.MkdirTemp("", "streamtest")
		if err != nil {
			in.d.t.Fatalf("streamtest: %v", err)
		}
		in.d.dir = dir
	}
	return filepath.Join(in.d.dir, fmt.Sprint("instance-", in.index), task)
}

func (in *instance) start() {
	in.d.t.Helper()
	in.pending = nil
	in.budget = store.NewBudget(memory)
	in.alive = true
	in.openGlobals()
	if len(in.d.graph.Stores) == 0 {
		return
	}
	db, err := store.OpenDB(in.fs, "state", store.Options{Logger: in.d.logger(), Now: in.clock})
	if err != nil {
		in.d.t.Fatalf("streamtest: instance %d: %v", in.index, err)
	}
	in.db = db
}

func (in *instance) clock() time.Time { return in.d.now }

// stop ends the instance in good order: commit, checkpoint, close.
func (in *instance) stop() {
	in.d.t.Helper()
	in.commit()
	for _, t := range in.tasks {
		in.checkpoint(t)
	}
	in.drop()
}

// crash ends it with what is synced, and its open transaction lost.
func (in *instance) crash() {
	in.d.t.Helper()
	if !in.alive {
		in.d.t.Fatalf("streamtest: instance %d is down already", in.index)
	}
	disk := in.fs.CrashClone(vfs.CrashCloneCfg{})
	in.drop()
	in.fs = disk
}

// drop closes everything without a commit.
func (in *instance) drop() {
	for len(in.tasks) > 0 {
		in.forget(in.tasks[0])
	}
	in.closeGlobals()
	if in.db != nil {
		if err := in.db.Close(); err != nil {
			in.d.t.Errorf("streamtest: instance %d: %v", in.index, err)
		}
		in.db = nil
	}
	in.undo()
	in.alive = false
}

// undo forgets the open transaction.
func (in *instance) undo() {
	in.pending, in.since, in.taken = nil, 0, nil
}

// forget closes a task and keeps its counts.
func (in *instance) forget(t *task.Task) {
	t.Counters(func(_, name string, dropped bool, n int64) {
		if dropped && n > 0 {
			in.d.dropped[name] += n
		}
	})
	if err := t.Close(); err != nil {
		in.d.t.Errorf("streamtest: %v", err)
	}
	in.tasks = slices.DeleteFunc(in.tasks, func(o *task.Task) bool { return o == t })
}

func (in *instance) has(k taskKey) *task.Task {
	for _, t := range in.tasks {
		if keyOf(t) == k {
			return t
		}
	}
	return nil
}

// closeTask hands a task over: commit, checkpoint, close.
func (in *instance) closeTask(k taskKey) {
	t := in.has(k)
	if t == nil {
		return
	}
	in.commit()
	in.checkpoint(t)
	in.forget(t)
}

// openTask opens a task, restores its stores and finds its place.
func (in *instance) openTask(sub *edge.Sub, partition int32) {
	d := in.d
	d.t.Helper()
	if in.has(taskKey{sub.ID, partition}) != nil {
		return
	}
	t, err := task.Open(task.Env{
		Graph: d.graph, Sub: sub, Partition: partition, Context: context.Background(), Logger: d.logger(), Dir: func() string { return in.dir(fmt.Sprint(sub.ID, "_", partition)) }, Now: in.clock,
		Wake: d.wake, Strict: true, Hasher: d.hasher, DB: in.db, Below: state.Below(d.opts.Backend), Budget: in.budget, Globals: in.tasksGlobals(),
		Out: func(topic string) (edge.Out, error) {
			l := d.topics[topic]
			if l == nil {
				return nil, fmt.Errorf("streamtest: no topic %q", topic)
			}
			return &writer{in, topic, l}, nil
		},
		Reads:  func(n *edge.Node) []*edge.Topic { return d.reads(n, partition) },
		Decide: in.decide,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	in.tasks = append(in.tasks, t)
	t.Inputs(func(i task.Input) {
		c := d.offsets[place{i.Topic, i.Partition}]
		t.Seek(i.Topic, c.offset, c.metadata)
	})
	in.restore(t)
}

func (in *instance) decide(f task.Failure) task.Action {
	if in.d.opts.Errors != nil && in.d.opts.Errors(f.Node, f.Err) {
		return task.Skip
	}
	return task.Stop
}

func (in *instance) restore(t *task.Task) {
	d := in.d
	d.t.Helper()
	for _, r := range t.Restores() {
		at := place{r.Topic, t.Partition()}
		log := &d.topics[r.Topic].parts[at.partition]
		end := log.end
		if r.Input {
			end = d.offsets[at].offset
		}
		if _, err := t.Replay(r.Store, log.fetch(r.From.Offset).Batches, r.From.Offset, end); err != nil {
			d.t.Fatal(err)
		}
		if err := t.Restored(r.Store, store.Position{Offset: end, At: d.now.UnixMilli()}); err != nil {
			d.t.Fatal(err)
		}
	}
}

// work feeds and runs every task once, and commits when it is time to.
func (in *instance) work() (busy bool) {
	d := in.d
	d.t.Helper()
	busy = in.fillGlobals()
	for _, t := range in.tasks {
		var more []task.Input
		t.Inputs(func(i task.Input) {
			if l := &d.topics[i.Topic].parts[i.Partition]; i.Fetched < l.end || i.End < 0 {
				more = append(more, i)
			}
		})
		for _, i := range more {
			if err := t.Add(i.Topic, d.topics[i.Topic].parts[i.Partition].fetch(i.Fetched)); err != nil {
				d.t.Fatal(err)
			}
			busy = true
		}
		n, err := in.process(t, d.opts.CommitEvery-in.since)
		if err != nil {
			d.t.Fatal(err)
		}
		in.since += n
		if d.opts.AtLeastOnce {
			if err := in.publish(); err != nil {
				d.t.Fatal(err)
			}
		}
		if d.boundary() {
			return true
		}
		if err := t.Punctuate(); err != nil {
			d.t.Fatal(err)
		}
		worked, err := t.Turn()
		if err != nil {
			d.t.Fatal(err)
		}
		busy = busy || n > 0 || worked
		if in.since >= d.opts.CommitEvery || t.Asked() {
			in.commit()
		}
	}
	if !busy && in.dirty() {
		in.commit()
		return true
	}
	return busy
}

func (in *instance) dirty() bool {
	return slices.ContainsFunc(in.tasks, (*task.Task).Dirty)
}

// commit makes visible what was written since the last one, together with the positions it stands for.
func (in *instance) commit() {
	d := in.d
	d.t.Helper()
	in.since = 0
	if !in.alive || !in.dirty() {
		return
	}
	for _, t := range in.tasks {
		err := t.Flush(func(changelog string) (edge.Out, error) { return &writer{in, changelog, d.topics[changelog]}, nil })
		if err != nil {
			d.t.Fatal(err)
		}
	}
	if err := in.publish(); err != nil {
		d.t.Fatal(err)
	}
	for _, t := range in.tasks {
		for _, o := range t.Offsets() {
			d.offsets[place{o.Topic, o.Partition}] = commit{o.Offset, o.Metadata}
		}
		t.Ended(func(changelog string) (int64, [16]byte, bool) {
			return d.topics[changelog].parts[t.Partition()].end, [16]byte{}, true
		})
		if d.rng.IntN(checkpointOdds) == 0 {
			in.checkpoint(t)
		}
	}
}

// publish appends what is pending to the logs, one batch a partition.
func (in *instance) publish() error {
	d, by := in.d, map[place][]raw{}
	for _, w := range in.pending {
		by[w.place] = append(by[w.place], w.raw)
	}
	for at, rs := range by {
		if err := d.topics[at.topic].parts[at.partition].append(rs); err != nil {
			return err
		}
	}
	if d.processed != nil {
		for _, x := range in.taken {
			d.processed(x.task, x.at, x.record)
		}
		in.taken = in.taken[:0]
	}
	if d.written != nil {
		for _, w := range in.pending {
			r, err := w.record()
			if err != nil {
				return err
			}
			d.written(w.topic, r)
		}
	}
	d.recording.take(in.pending)
	in.pending = in.pending[:0]
	return nil
}

// checkpoint writes the task's stores to the instance's disk.
func (in *instance) checkpoint(t *task.Task) {
	in.d.t.Helper()
	t.Stores(func(_ *edge.Store, s store.Store, _ int64) {
		c := s.BeginCheckpoint()
		if c == nil {
			return
		}
		for !c.Encode(1024) {
		}
		err := c.Write()
		c.Finish(err)
		if err != nil {
			in.d.t.Fatalf("streamtest: checkpoint: %v", err)
		}
	})
}
