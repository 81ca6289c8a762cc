package runtime

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/internal/task"
)

// worker is one goroutine with tasks, and the one producer whose transactions they share.
type worker struct {
	mailbox
	in       *Instance
	index    int
	producer *kafka.Producer
	tasks    []*assigned
	places   map[kafka.Place]*assigned

	last    time.Time // of the last commit
	checks  checkpoints
	stopped bool
	leaving bool // it gets no more tasks; protected by Instance.mu

	err error // what went wrong in the end; after done
}

// Bounds of one round of a worker.
const (
	roundRecords = 2048                 // records of a task before others get their turn
	dryPause     = 3 * time.Millisecond // least time between two commits of inputs that have run dry
	idleWait     = 50 * time.Millisecond
)

func newWorker(in *Instance, index int, p *kafka.Producer) *worker {
	w := &worker{in: in, index: index, producer: p, mailbox: newMailbox(), places: map[kafka.Place]*assigned{}, last: time.Now()}
	w.checks = checkpoints{in: in, poke: w.poke}
	return w
}

// deliver gives fetched batches to the worker whose task reads them.
func (in *Instance) deliver(f kafka.Fetched) {
	in.mu.Lock()
	key, _, ok := in.keyOf(f.Place)
	a := in.tasks[key]
	in.mu.Unlock()
	if !ok || a == nil || a.worker == nil {
		return
	}
	a.worker.post(f)
}

// give hands a restored task to the worker.
func (w *worker) give(a *assigned) {
	if !w.call(func() { w.add(a) }) {
		w.in.cfg.Logger.Debug("task restored too late", "task", a.name())
	}
}

func (w *worker) add(a *assigned) {
	w.tasks = append(w.tasks, a)
	a.task.Inputs(func(i task.Input) { w.seek(a, i) })
}

// seek begins to fetch an input where its task wants to read.
func (w *worker) seek(a *assigned, i task.Input) {
	p := kafka.Place{Topic: i.Topic, Partition: i.Partition}
	w.places[p] = a
	if err := w.in.fetcher.Seek(w.in.ctx, p, i.Fetched); err != nil && w.in.ctx.Err() == nil {
		w.in.fail(err)
	}
}

// takeBack ends tasks that go elsewhere: committed and checkpointed first, unless they are lost.
func (w *worker) takeBack(as []*assigned, commit bool) {
	ran := w.wait(func() {
		if commit && !w.stopped {
			if err := w.commit(w.in.ctx); err != nil {
				w.in.cfg.Logger.Warn("commit before tasks are handed over", "err", err)
				w.recover(err)
				commit = false
			}
		}
		if !commit {
			w.abandon(as)
		}
		for _, a := range as {
			if commit {
				w.checks.final(a)
			}
			w.drop(a)
		}
	})
	if !ran {
		for _, a := range as {
			w.in.closeUngiven(a) // the worker has ended, and has closed what it was given
		}
	}
}

// drop closes a task.
func (w *worker) drop(a *assigned) {
	if a.closed {
		return
	}
	a.closed = true
	w.checks.forget(a)
	w.tasks = slices.DeleteFunc(w.tasks, func(o *assigned) bool { return o == a })
	for _, p := range a.places {
		delete(w.places, p)
		w.in.fetcher.Remove(p)
	}
	w.in.stats.gone(a.task)
	if err := a.task.Close(); err != nil {
		w.in.cfg.Logger.Warn("closing", "task", a.name(), "err", err)
	}
}

// run is the worker's loop.
func (w *worker) run() {
	defer w.close()
	for {
		w.runCalls()
		if w.stopped || w.in.ctx.Err() != nil {
			w.shut()
			return
		}
		busy, err := w.round()
		if err == nil {
			err = w.maybeCommit(busy)
		}
		if err != nil && w.in.ctx.Err() == nil {
			w.recover(err)
			continue
		}
		if !busy && !w.checks.step(w.tasks) {
			w.in.stats.observe(w, true)
			w.rest()
		}
	}
}

// rest waits until there is something to do.
func (w *worker) rest() {
	d := idleWait
	for _, a := range w.tasks {
		if a.task.Dirty() {
			d = min(d, dryPause)
		}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-w.wake:
	case <-t.C:
	case <-w.in.ctx.Done():
	}
}

// round gives every task what was fetched for it, and a turn. It reports whether any has done something.
func (w *worker) round() (busy bool, err error) {
	if err := w.unpack(); err != nil {
		return false, err
	}
	if w.in.paused.Load() {
		return false, nil
	}
	for _, a := range w.tasks {
		n, err := a.task.Process(roundRecords)
		if n > 0 {
			busy = true
			w.in.stats.records.Add(int64(n))
			w.breathe(a)
		}
		if err == nil {
			err = a.task.Punctuate()
		}
		worked := false
		if err == nil {
			worked, err = a.task.Turn()
			busy = busy || worked
		}
		if err != nil {
			return busy, err
		}
	}
	if busy {
		w.checks.step(w.tasks)
		w.in.stats.observe(w, false)
	}
	return busy, nil
}

// unpack hands the inbox to the tasks.
func (w *worker) unpack() error {
	for _, f := range w.posted() {
		a := w.places[f.Place]
		if a == nil {
			continue
		}
		if f.Err != nil {
			return w.unreadable(a, f)
		}
		var at task.Input
		a.task.Inputs(func(i task.Input) {
			if i.Topic == f.Topic {
				at = i
			}
		})
		// Around a rewind two answers can cover the same offsets. What is known already is passed over in the task; a gap
		// must never be.
		if f.From > at.Fetched {
			w.seek(a, at)
			continue
		}
		if f.Next < at.Fetched {
			continue
		}
		err := a.task.Add(f.Topic, task.Fetched{Batches: f.Batches, Next: f.Next, End: f.End, Bytes: f.Bytes})
		if err != nil {
			return err
		}
		w.breathe(a)
	}
	return nil
}

// unreadable answers a partition that cannot be read on.
func (w *worker) unreadable(a *assigned, f kafka.Fetched) error {
	if !errors.Is(f.Err, kafka.ErrOutOfRange) {
		return stopError{f.Err}
	}
	return stopError{inputGap(a, f)}
}

// breathe lets inputs rest that have enough queued, and go on that want more.
func (w *worker) breathe(a *assigned) {
	limit := w.in.queueLimit()
	a.task.Inputs(func(i task.Input) {
		p := kafka.Place{Topic: i.Topic, Partition: i.Partition}
		switch {
		case i.Bytes > limit:
			w.in.fetcher.Pause(p, true)
		case i.Bytes < limit/2:
			w.in.fetcher.Pause(p, false)
		}
	})
}

// Bounds of what is queued for an input.
const (
	queueAll   = 64 << 20
	queueMost  = 4 << 20
	queueLeast = 256 << 10
)

// queueLimit is how much of one partition may wait to be processed.
func (in *Instance) queueLimit() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := 0
	for _, a := range in.tasks {
		n += len(a.places)
	}
	return max(queueLeast, min(queueMost, queueAll/max(n, 1)))
}

// finish has the worker stop: with a last commit, if all is well.
func (w *worker) finish(ctx context.Context, commit bool) {
	ok := w.call(func() {
		if commit {
			if err := w.commit(ctx); err != nil {
				w.err = err
			}
		}
		w.stopped = true
	})
	if !ok {
		return
	}
	select {
	case <-w.done:
	case <-ctx.Done():
	}
}

// shut closes what the worker has. Tasks that are committed are checkpointed, so that the next start is quick.
func (w *worker) shut() {
	if w.err != nil || !w.stopped {
		w.abandon(w.tasks)
	}
	for len(w.tasks) > 0 {
		a := w.tasks[0]
		if w.err == nil && w.stopped {
			w.checks.final(a)
		}
		w.drop(a)
	}
	w.checks.end()
}
