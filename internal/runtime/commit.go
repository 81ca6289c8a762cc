package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/internal/task"
)

// stopError ends the instance: nothing that a new try would mend.
type stopError struct{ error }

func (e stopError) Unwrap() error { return e.error }

// inputGap says what a partition has lost before it was read.
func inputGap(a *assigned, f kafka.Fetched) error {
	return fmt.Errorf("runtime: task %s: %s-%d@%d is not in the log any more, which begins at %d: records were removed before they were processed; "+
		"give the topic more retention, or reset the app to go on without them", a.name(), f.Topic, f.Partition, f.From, f.Start)
}

// maybeCommit commits when it is time: the interval is over, the inputs have run dry, memory or the transaction's own time
// runs out, or user code has asked.
func (w *worker) maybeCommit(busy bool) error {
	dirty, asked, bytes := false, false, int64(0)
	for _, a := range w.tasks {
		if a.task.Dirty() {
			dirty = true
			bytes += a.task.DirtyBytes()
		}
		asked = asked || a.task.Asked()
	}
	if !dirty {
		return nil
	}
	since := time.Since(w.last)
	due := since >= w.in.cfg.Commit || asked || bytes > w.in.cfg.Memory/8 || !busy && since >= dryPause
	if !due {
		if _, open := w.producer.Pending(); !open.IsZero() && time.Since(open) > w.in.transactionTimeout()/2 {
			due = true
		}
	}
	if !due {
		return nil
	}
	return w.commit(w.in.ctx)
}

// commit ends the worker's transaction: changelogs, outputs and positions of all its tasks, or nothing of them.
func (w *worker) commit(ctx context.Context) error {
	var dirty []*assigned
	for _, a := range w.tasks {
		if a.task.Dirty() {
			dirty = append(dirty, a)
		}
	}
	w.last = time.Now()
	if len(dirty) == 0 {
		return nil
	}
	began := w.last
	ctx, cancel := context.WithTimeout(ctx, w.in.transactionTimeout())
	defer cancel()
	for _, a := range dirty {
		err := a.task.Flush(func(changelog string) (edge.Out, error) { return w.producer.Out(ctx, changelog) })
		if err != nil {
			return err
		}
	}
	if err := w.producer.Flush(ctx); err != nil {
		return err
	}
	if err := w.commitOffsets(ctx, dirty); err != nil {
		return err
	}
	written := w.written(dirty)
	if err := w.producer.Commit(ctx); err != nil {
		return err
	}
	for _, a := range dirty {
		a.task.Ended(func(changelog string) (int64, [16]byte, bool) {
			next, ok := written[kafka.Place{Topic: changelog, Partition: a.key.partition}]
			return next, w.in.plan.ids[changelog], ok
		})
		a.logged.Store(a.task.Logged())
	}
	w.last = time.Now()
	w.checks.failing = time.Time{}
	w.tellDropped(dirty)
	took := w.last.Sub(began)
	w.in.stats.committed(took)
	w.in.stats.observe(w, false)
	if f := w.in.cfg.Events.Committed; f != nil {
		f(len(dirty), took)
	}
	return nil
}

// tellDropped says how many records the tasks have dropped since it was last said.
func (w *worker) tellDropped(as []*assigned) {
	f := w.in.cfg.Events.Dropped
	if f == nil {
		return
	}
	for _, a := range as {
		a.task.Counters(func(node, reason string, dropped bool, n int64) {
			k := [2]string{node, reason}
			if more := n - a.told[k]; dropped && more > 0 {
				f(node, reason, more)
				if a.told == nil {
					a.told = map[[2]string]int64{}
				}
				a.told[k] = n
			}
		})
	}
}

// commitOffsets puts the tasks' positions into the transaction. Between two generations of the group it waits for the
// next: the tasks are still the worker's, or it would have been asked for them.
func (w *worker) commitOffsets(ctx context.Context, dirty []*assigned) error {
	var ps []kafka.Position
	for _, a := range dirty {
		for _, o := range a.task.Offsets() {
			ps = append(ps, kafka.Position{Place: kafka.Place{Topic: o.Topic, Partition: o.Partition}, Offset: o.Offset, Metadata: o.Metadata})
		}
	}
	for {
		err := w.producer.CommitOffsets(ctx, w.in.member.Generation(), ps)
		if !errors.Is(err, kafka.ErrGeneration) {
			return err
		}
		t := time.NewTimer(generationPause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("%w: %w", kafka.ErrFenced, err)
		}
	}
}

// generationPause is how often a commit looks whether the group has settled.
const generationPause = 20 * time.Millisecond

// written returns the positions behind what the transaction has put into the tasks' changelogs.
func (w *worker) written(as []*assigned) map[kafka.Place]int64 {
	m := map[kafka.Place]int64{}
	for _, a := range as {
		for _, s := range a.sub.Stores {
			p := kafka.Place{Topic: s.Changelog, Partition: a.key.partition}
			if next, ok := w.producer.Written(p); ok && s.Changelog != "" {
				m[p] = next
			}
		}
	}
	return m
}

// recover answers a failed round or commit.
func (w *worker) recover(err error) {
	var stop stopError
	known := errors.Is(err, kafka.ErrAborted) || errors.Is(err, kafka.ErrFenced) || errors.Is(err, kafka.ErrUnknown)
	if errors.As(err, &stop) || !known {
		w.in.fail(err)
		return
	}
	if w.checks.failing.IsZero() {
		w.checks.failing = time.Now()
	}
	if retry := w.in.cfg.Retry; time.Since(w.checks.failing) >= retry {
		w.in.fail(fmt.Errorf("runtime: no commit has succeeded for %v: %w", retry, err))
		return
	}
	w.in.stats.aborted.Add(1)
	w.in.cfg.Logger.Warn("transaction taken back", "worker", w.index, "err", err)
	keep := errors.Is(err, kafka.ErrAborted)
	if keep {
		for _, a := range w.tasks {
			a.task.Abort()
		}
	}
	if e := w.producer.Abort(w.in.ctx); e != nil {
		if w.in.ctx.Err() == nil && !errors.Is(e, kafka.ErrFenced) {
			w.in.fail(e)
			return
		}
		keep = false
	}
	if keep {
		for _, a := range w.tasks {
			a.task.Inputs(func(i task.Input) { w.seek(a, i) })
		}
		return
	}
	w.restart()
}

// restart gives up what the tasks hold in memory and restores them: the outcome of their transaction is another's to
// say, or unknown. What is checkpointed is committed, so it stays.
func (w *worker) restart() {
	as := append([]*assigned{}, w.tasks...)
	for _, a := range as {
		w.drop(a)
	}
	w.in.mu.Lock()
	defer w.in.mu.Unlock()
	for _, a := range as {
		if w.in.tasks[a.key] == a && w.in.ctx.Err() == nil {
			w.in.restoreLocked(a)
		}
	}
}

// abandon takes back the open transaction, of tasks that will be closed.
func (w *worker) abandon(as []*assigned) {
	dirty := false
	for _, a := range as {
		dirty = dirty || !a.closed && a.task.Dirty()
	}
	if !dirty {
		return
	}
	limit := w.in.transactionTimeout()
	if w.in.ctx.Err() != nil {
		limit = min(limit, failedDrain) // the next start aborts it all the same
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.in.ctx), limit)
	defer cancel()
	for _, a := range w.tasks {
		a.task.Abort()
	}
	if err := w.producer.Abort(ctx); err != nil {
		w.in.cfg.Logger.Warn("abort", "worker", w.index, "err", err)
	}
	w.in.stats.aborted.Add(1)
	if w.in.ctx.Err() != nil {
		return
	}
	for _, a := range w.tasks {
		a.task.Inputs(func(i task.Input) { w.seek(a, i) })
	}
}
