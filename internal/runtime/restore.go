package runtime

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/internal/task"
)

// restore opens a task and brings its stores in step with their changelogs.
//
// The order matters. First the committed positions, stable: a dead owner's transaction that holds some is resolved by
// then. Then the end of each changelog, uncommitted records included, since the markers of one transaction reach
// positions and changelog at different times. Then the changelog is read, committed records alone, until the position
// reaches that end.
func (in *Instance) restore(ctx context.Context, a *assigned) (t *task.Task, err error) {
	select {
	case in.restores <- struct{}{}:
		defer func() { <-in.restores }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	starts, err := in.starts(ctx, a)
	if err != nil {
		return nil, err
	}
	env := in.env(a)
	env.Out = func(topic string) (edge.Out, error) { return a.worker.producer.Out(in.ctx, topic) }
	env.Wake = a.worker.poke
	if t = in.copies.take(a.key); t != nil {
		err = t.Promote(env)
	} else {
		t, err = task.Open(env)
	}
	if err != nil {
		return nil, err
	}
	for p, c := range starts {
		t.Seek(p.Topic, c.Offset, c.Metadata)
	}
	for _, r := range t.Restores() {
		if err := in.restoreStore(ctx, t, r, starts); err != nil {
			return nil, errors.Join(err, t.Close())
		}
	}
	return t, nil
}

// env is what a task, or a copy of its stores, is opened in.
func (in *Instance) env(a *assigned) task.Env {
	return task.Env{
		Graph: in.cfg.Graph, Sub: a.sub, Partition: a.key.partition, Context: in.ctx, Logger: in.cfg.Logger, Now: in.now,
		Dir:    func() string { return filepath.Join(in.cfg.Dir, "apps", in.cfg.App, "tasks", a.name()) },
		Hasher: in.hasher, DB: in.db, Below: in.cfg.Below, Left: &in.left, Budget: in.budget, Globals: in.globals,
		Reads:   func(n *edge.Node) []*edge.Topic { return in.topicsOf(n, a.places) },
		MaxIdle: in.cfg.MaxIdle, Settled: in.settled, IdleStep: idleStep,
		Decide: in.cfg.Decide, DeadLetter: in.cfg.DeadLetter,
	}
}

// starts returns where each input of a task begins.
func (in *Instance) starts(ctx context.Context, a *assigned) (map[kafka.Place]kafka.Committed, error) {
	starts, err := in.cfg.Client.Committed(ctx, in.cfg.App, a.places...)
	if err != nil {
		return nil, err
	}
	for _, p := range a.places {
		if c, ok := starts[p]; ok && c.Offset >= 0 {
			continue
		}
		offset, err := in.reset(ctx, p)
		if err != nil {
			return nil, err
		}
		starts[p] = kafka.Committed{Offset: offset}
	}
	return starts, nil
}

// reset says where to begin a partition without a committed position.
func (in *Instance) reset(ctx context.Context, p kafka.Place) (int64, error) {
	topic := in.topic(p.Topic)
	w := kafka.Begin
	switch r := topic.Reset; {
	case r.None:
		return 0, fmt.Errorf("runtime: %s-%d has no committed offset, and its topic says NoReset (%s)", p.Topic, p.Partition, topic.Pos)
	case r.Latest:
		w = kafka.Stable
	case r.Back > 0:
		w = kafka.Where(time.Now().Add(-r.Back).UnixMilli())
	}
	ends, err := in.cfg.Client.Ends(ctx, w, p)
	return ends[p], err
}

// restoreStore reads what a store lacks.
func (in *Instance) restoreStore(ctx context.Context, t *task.Task, r task.Restore, starts map[kafka.Place]kafka.Committed) error {
	p := kafka.Place{Topic: r.Topic, Partition: t.Partition()}
	id := in.plan.ids[r.Topic]
	begin, err := in.cfg.Client.Ends(ctx, kafka.Begin, p)
	if err != nil {
		return err
	}
	end, err := in.cfg.Client.Ends(ctx, kafka.End, p)
	if err != nil {
		return err
	}
	from := r.From.Offset
	why := in.stale(r, id)
	switch {
	case why != "" || from == 0:
	case from < begin[p]:
		why = "its changelog has moved past its checkpoint"
	case from > end[p]:
		why = "its changelog ends before its checkpoint: it has lost records, or a backup was put in its place"
	}
	if why != "" {
		in.cfg.Logger.Warn("rebuilding a store", "store", r.Store, "task", t.ID(), "why", why, "checkpoint", from, "start", begin[p], "end", end[p])
		if err := t.Forget(r.Store); err != nil {
			return err
		}
		from = 0
	}
	from = max(from, begin[p])
	to := end[p]
	if r.Input {
		to = starts[p].Offset
	}
	return in.replay(ctx, t, r, p, from, to, id)
}

// askForWarmth asks for a rebalance if the first thing that this instance has to do is a long restore, for which the others may
// have a copy. A static member that comes back is given what it had, whatever has become of its directory: its group neither
// looks at what it says of itself nor asks its leader (KIP-345, KIP-814).
func (in *Instance) askForWarmth(lag int64) {
	if in.cfg.Copies.Standbys == 0 || lag <= in.cfg.Copies.AcceptableLag {
		return
	}
	in.mu.Lock()
	ask := in.first && !in.cold
	in.cold = in.cold || ask
	in.mu.Unlock()
	if ask {
		in.cfg.Logger.Info("asking whether others have the state that is missing here", "offsets", lag)
		in.rejoin()
	}
}

// stale says why a store's content below cannot be gone on with, "" if it can.
func (in *Instance) stale(r task.Restore, id [16]byte) string {
	switch {
	case r.From.Offset == 0:
		return ""
	case r.From.TopicID != [16]byte{} && id != [16]byte{} && r.From.TopicID != id:
		return "its changelog was made anew"
	}
	keep := 24 * time.Hour
	if ms, err := strconv.ParseInt(in.plan.settings[r.Topic]["delete.retention.ms"], 10, 64); err == nil {
		keep = time.Duration(ms) * time.Millisecond
	}
	if away := time.Since(time.UnixMilli(r.From.At)); r.From.At > 0 && away > keep {
		return fmt.Sprintf("it was last in step %v ago, and deletions are kept for %v", away.Round(time.Second), keep)
	}
	return ""
}

// replay reads a changelog from from until its position reaches to.
func (in *Instance) replay(ctx context.Context, t *task.Task, r task.Restore, p kafka.Place, from, to int64, id [16]byte) error {
	ev := in.cfg.Events
	began := time.Now()
	if ev.RestoreBegin != nil {
		ev.RestoreBegin(r.Store, t.ID(), from, to)
	}
	var records int64
	in.stats.restoring(Restore{p, from, from, to})
	defer in.stats.restoreEnded(p)
	in.askForWarmth(to - from)
	next, err := in.cfg.Client.ReadRange(ctx, p, from, to, func(f kafka.Fetched) error {
		limit := int64(1<<63 - 1)
		if r.Input {
			limit = to // what lies behind is for the task to read
		}
		n, err := t.Replay(r.Store, f.Batches, from, limit)
		records += n
		in.stats.restored.Add(n)
		if ev.RestoreBatch != nil {
			ev.RestoreBatch(r.Store, t.ID(), f.Next)
		}
		// After the event, which may take its time: until it has returned nothing says that this instance has the state.
		in.stats.restoring(Restore{p, from, f.Next, to})
		return err
	})
	if err != nil {
		return err
	}
	if r.Input {
		next = to
	}
	if err := t.Restored(r.Store, store.Position{Offset: next, TopicID: id, At: time.Now().UnixMilli()}); err != nil {
		return err
	}
	if ev.RestoreEnd != nil {
		ev.RestoreEnd(r.Store, t.ID(), records)
	}
	in.cfg.Logger.Info("restored", "store", r.Store, "task", t.ID(), "records", records, "from", from, "to", next, "checkpoint", r.From.Offset,
		"took", time.Since(began).Round(time.Millisecond))
	return nil
}
