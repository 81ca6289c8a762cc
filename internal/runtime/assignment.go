package runtime

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/internal/task"
)

// taskKey names a task.
type taskKey struct {
	sub       int
	partition int32
}

// assigned is a task that is this instance's at the moment.
type assigned struct {
	key    taskKey
	sub    *edge.Sub
	places []kafka.Place        // what it reads
	owned  map[kafka.Place]bool // those of places that are the instance's already
	worker *worker
	cancel context.CancelFunc // ends the restore

	// task is nil until it is opened. While restoring is open the restoring goroutine owns it, then the worker.
	task      *task.Task
	restoring chan struct{} // closed when the restore has ended, well or not
	closed    bool
	logged    atomic.Int64        // how far its changelogs have been written or read, added up
	copies    *copier             // it is a copy of the task's stores, and this is its goroutine; nil: it is the task
	reading   map[*asking]func()  // questions that are being answered, and what stops them; of the task's goroutine
	told      map[[2]string]int64 // records dropped, by node and reason, as Events.Dropped has been told
}

// box is that of the goroutine that has the task.
func (a *assigned) box() *mailbox {
	if a.copies != nil {
		return &a.copies.mailbox
	}
	return &a.worker.mailbox
}

// whole reports whether all that the task reads is the instance's.
func (a *assigned) whole() bool { return len(a.owned) == len(a.places) }

func (a *assigned) name() string { return fmt.Sprintf("%d_%d", a.key.sub, a.key.partition) }

// units are the tasks as the group assigns them. A topic whose partitions have changed in number stops the instance.
func (in *Instance) units(seen map[string]int32) (us []kafka.Unit) {
	if err := in.bind(seen); err != nil {
		in.fail(err)
	}
	for name, n := range seen {
		if want := in.partitions(name); want != 0 && n != 0 && n != want {
			in.fail(fmt.Errorf("runtime: topic %q has %d partitions now, it had %d when the app started: stop every instance and reset the app, "+
				"or put the input through a topic of fixed partitions", name, n, want))
		}
	}
	for _, s := range in.cfg.Graph.Subs {
		for p := range tasksOf(s, in.plan.partitions) {
			us = append(us, kafka.Unit{Name: fmt.Sprintf("%d_%d", s.ID, p), Places: in.places(s, p), Stateful: stateful(s)})
		}
	}
	return us
}

// places are the partitions that a task reads.
func (in *Instance) places(s *edge.Sub, partition int32) (ps []kafka.Place) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.placesLocked(s, partition)
}

func (in *Instance) placesLocked(s *edge.Sub, partition int32) (ps []kafka.Place) {
	for _, src := range s.Sources {
		for _, r := range in.readLocked(src.Topic) {
			if partition < r.partitions {
				ps = append(ps, kafka.Place{Topic: r.topic.Name, Partition: partition})
			}
		}
	}
	return ps
}

// join makes the instance a member of its group.
func (in *Instance) join() (err error) {
	in.mu.Lock() // the first assignment may come before Join has returned
	defer in.mu.Unlock()
	in.member, err = in.cfg.Client.Join(kafka.GroupConfig{
		Group: in.cfg.App, Instance: in.id.process, Addr: in.cfg.Addr, Topics: in.plan.sources, Session: in.cfg.Session, Assign: in.units,
		Copies: in.cfg.Copies, Standings: in.standings, Assigned: in.assigned, Revoked: in.revoked, Lost: in.lost, Failed: in.fail,
	})
	return err
}

// keyOf returns the task that reads a place. The caller holds mu.
func (in *Instance) keyOf(p kafka.Place) (taskKey, *edge.Sub, bool) {
	if r, ok := in.bound[p.Topic]; ok {
		s := r.topic.Source.Sub
		return taskKey{s.ID, p.Partition}, s, true
	}
	for _, s := range in.cfg.Graph.Subs {
		for _, src := range s.Sources {
			if src.Topic.Name == p.Topic {
				return taskKey{s.ID, p.Partition}, s, true
			}
		}
	}
	return taskKey{}, nil, false
}

// assigned takes partitions in: a task begins once all it reads is here. Copies are made of what else the group says. An
// instance that is given nothing, and will not be, is ready.
func (in *Instance) assigned(ctx context.Context, ps []kafka.Place, copies []kafka.Copy, more bool) {
	in.bindPlaces(ctx, ps)
	grown := in.takeIn(ps)
	for key, more := range grown {
		in.widen(key, more)
	}
	in.copies.want(copies)
	if !more {
		in.checkReady()
	}
}

// takeIn is assigned but for places of tasks that run without them, which it returns.
func (in *Instance) takeIn(ps []kafka.Place) (grown map[taskKey][]kafka.Place) {
	in.mu.Lock()
	defer in.mu.Unlock()
	var names []string
	grown = map[taskKey][]kafka.Place{}
	for _, p := range ps {
		key, sub, ok := in.keyOf(p)
		if !ok {
			continue
		}
		a := in.tasks[key]
		if a == nil {
			a = &assigned{key: key, sub: sub, places: in.placesLocked(sub, key.partition), owned: map[kafka.Place]bool{}}
			in.tasks[key] = a
		}
		if a.owned[p] {
			continue // the client says so again of topics that it came to read while it was given them
		}
		if !slices.Contains(a.places, p) { // of a topic that came to be known after the task
			if a.restoring != nil {
				grown[key] = append(grown[key], p)
				continue
			}
			a.places = append(slices.Clone(a.places), p)
		}
		if a.owned[p] = true; a.whole() {
			names = append(names, a.name())
			in.beginLocked(a)
		}
	}
	in.stats.rebalances.Add(1)
	in.cfg.Logger.Info("assigned", "generation", in.member.Generation().Generation, "tasks", names)
	if in.cfg.Events.Assigned != nil && len(names) > 0 {
		slices.Sort(names)
		in.cfg.Events.Assigned(names)
	}
	return grown
}

// beginLocked gives a task to the worker with the fewest, and starts its restore.
func (in *Instance) beginLocked(a *assigned) {
	load := map[*worker]int{}
	for _, o := range in.tasks {
		if o.worker != nil {
			load[o.worker]++
		}
	}
	for _, w := range in.workers {
		if !w.leaving && (a.worker == nil || load[w] < load[a.worker]) {
			a.worker = w
		}
	}
	in.restoreLocked(a)
}

// restoreLocked starts to restore a task, which goes to its worker when it is done.
func (in *Instance) restoreLocked(a *assigned) {
	var ctx context.Context
	ctx, a.cancel = context.WithCancel(in.ctx)
	a.restoring = make(chan struct{})
	a.task, a.closed, a.told = nil, false, nil
	in.phase(Restoring)
	in.wg.Go(func() {
		defer close(a.restoring)
		t, err := in.restore(ctx, a)
		if err != nil {
			if ctx.Err() == nil {
				in.fail(err)
			}
			return
		}
		in.mu.Lock()
		a.task = t
		a.logged.Store(t.Logged())
		in.mu.Unlock()
		a.worker.give(a)
		in.checkReady()
	})
}

// idleStep is the most that counts as silence between two looks of a task at the clock: a worker looks more often, unless it
// is kept from it.
const idleStep = time.Second

// settled reports whether nothing is paused or being restored.
func (in *Instance) settled() bool {
	if in.paused.Load() {
		return false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.restoringLocked()
}

// restoringLocked reports whether a task of the instance is not there yet.
func (in *Instance) restoringLocked() bool {
	for _, a := range in.tasks {
		if a.whole() && a.task == nil {
			return true
		}
	}
	return false
}

// checkReady closes ready once nothing is being restored.
func (in *Instance) checkReady() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.restoringLocked() {
		return
	}
	in.phase(Running)
	if in.first {
		in.first = false
		close(in.ready)
	}
}

// take returns the tasks that read some of the places, and forgets them.
func (in *Instance) take(ps []kafka.Place) (as []*assigned) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, p := range ps {
		key, _, ok := in.keyOf(p)
		a := in.tasks[key]
		if !ok || a == nil {
			continue
		}
		delete(a.owned, p)
		if !slices.Contains(as, a) {
			as = append(as, a)
		}
		if len(a.owned) == 0 {
			delete(in.tasks, key)
		}
	}
	return as
}

// revoked hands tasks over: each is committed, checkpointed and closed before the group goes on.
func (in *Instance) revoked(ctx context.Context, ps []kafka.Place) { in.release(ctx, ps, true) }

// lost drops tasks that others may have already.
func (in *Instance) lost(ctx context.Context, ps []kafka.Place) { in.release(ctx, ps, false) }

func (in *Instance) release(_ context.Context, ps []kafka.Place, commit bool) {
	in.moving.Lock()
	defer in.moving.Unlock()
	in.phase(Rebalancing)
	as := in.take(ps)
	byWorker := map[*worker][]*assigned{}
	var names []string
	for _, a := range as {
		names = append(names, a.name())
		if a.restoring == nil {
			continue // not begun
		}
		a.cancel()
		<-a.restoring
		if a.task != nil {
			byWorker[a.worker] = append(byWorker[a.worker], a)
		}
	}
	for w, as := range byWorker {
		w.takeBack(as, commit)
	}
	if in.cfg.Events.Revoked != nil && len(names) > 0 {
		slices.Sort(names)
		in.cfg.Events.Revoked(names)
	}
	in.phase(Running)
}
