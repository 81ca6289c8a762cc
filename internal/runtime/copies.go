package runtime

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/internal/task"
)

// copier is one goroutine with copies of tasks' stores: standbys and warm-ups. They follow the changelogs, committed records
// alone, and are checkpointed as the stores of tasks are; nothing is processed. A copy of a task that comes here is handed
// over, rows and all.
type copier struct {
	mailbox
	in      *Instance
	fetcher *kafka.Fetcher
	room    chan struct{} // a token for each answer that waits to be applied
	checks  checkpoints
	stopped bool

	copies []*assigned // the goroutine's
	logs   map[kafka.Place]*changelog

	known sync.Mutex // protects following fields
	stand map[taskKey]*standing
	idle  map[string]kafka.Standing // of tasks that have state in the directory and are neither at work nor copied
}

// changelog is one that a copy follows.
type changelog struct {
	kafka.Place
	copy  *assigned
	store string
	input bool  // it is an input of the task: the copy follows up to the committed position
	limit int64 // of an input; -1: not known
	held  bool  // at the limit
	at    int64
	end   int64 // known to be readable; -1: unknown
	when  time.Time
}

// standing is where a copy stands, as others may know it.
type standing struct {
	copy     *assigned
	name     string
	warmUp   bool
	lag      int64
	size     int64
	asked    time.Time // when a rebalance was last asked for, since it is warm
	reported int64     // the lag as the group was last told
}

// Bounds of copying.
const (
	copyQueue   = 16          // answers of a megabyte or so that may wait to be applied
	copyLeast   = 256 << 10   // bytes that an answer waits for, unless it takes too long
	copyIdle    = time.Minute // how often the time is noted of a copy whose changelog has nothing new
	probeEvery  = time.Minute // a warm copy that the group has not moved its task to asks again
	followEvery = time.Second // how often committed positions are looked at
	idleEvery   = 30 * followEvery
	lagNotKnown = math.MaxInt64 / 4
)

func newCopier(in *Instance) *copier {
	c := &copier{in: in, mailbox: newMailbox(), room: make(chan struct{}, copyQueue), logs: map[kafka.Place]*changelog{}, stand: map[taskKey]*standing{}}
	c.checks = checkpoints{in: in, poke: c.poke}
	c.fetcher = in.cfg.Client.NewFetcher(c.deliver)
	c.fetcher.Least = copyLeast
	return c
}

// deliver takes what was fetched. It waits for room: this fetcher reads for copies alone.
func (c *copier) deliver(f kafka.Fetched) {
	select {
	case c.room <- struct{}{}:
		c.post(f)
	case <-c.done:
	}
}

// run is the copier's loop. It ends when it is stopped.
func (c *copier) run() {
	defer c.close()
	for {
		c.runCalls()
		if c.stopped {
			for len(c.copies) > 0 {
				c.end(c.copies[0])
			}
			c.checks.end()
			return
		}
		busy := c.apply()
		c.publish()
		if !c.checks.step(c.copies) && !busy {
			c.rest()
		}
	}
}

// rest waits until there is something to do.
func (c *copier) rest() {
	t := time.NewTimer(followEvery)
	defer t.Stop()
	if len(c.copies) == 0 {
		t.Stop()
	}
	select {
	case <-c.wake:
	case <-t.C:
	}
}

// stop ends the copier: copies are checkpointed and closed.
func (c *copier) stop() {
	c.call(func() { c.stopped = true })
	<-c.done
	c.fetcher.Close()
}

// want makes the copies those that the group has assigned. Tasks at work are none: a copy of one is about to be handed over.
func (c *copier) want(ks []kafka.Copy) {
	wanted := map[taskKey]kafka.Copy{}
	for _, k := range ks {
		if key, ok := c.in.taskNamed(k.Unit); ok && !c.in.has(key) {
			wanted[key] = k
		}
	}
	c.wait(func() {
		for _, a := range slices.Clone(c.copies) {
			if _, ok := wanted[a.key]; !ok && !c.in.has(a.key) {
				c.end(a)
			}
		}
		for key, k := range wanted {
			if !slices.ContainsFunc(c.copies, func(a *assigned) bool { return a.key == key }) {
				c.begin(key)
			}
			c.known.Lock()
			if s := c.stand[key]; s != nil {
				s.warmUp, s.asked = k.WarmUp, time.Time{}
				if s.reported <= c.in.cfg.Copies.AcceptableLag {
					s.asked = time.Now() // the group knows
				}
			}
			c.known.Unlock()
		}
	})
}

// begin opens a copy. One that cannot be had is not worth the instance: the task restores without.
func (c *copier) begin(key taskKey) {
	a := &assigned{key: key, sub: c.in.subOf(key.sub), copies: c}
	a.places = c.in.places(a.sub, key.partition)
	t, err := task.OpenCopy(c.in.env(a))
	if err != nil {
		c.in.cfg.Logger.Error("opening a copy", "task", a.name(), "err", err)
		return
	}
	a.task = t
	c.copies = append(c.copies, a)
	c.known.Lock()
	c.stand[key] = &standing{copy: a, name: a.name(), lag: lagNotKnown, reported: lagNotKnown}
	delete(c.idle, a.name())
	c.known.Unlock()
	for _, r := range t.Restores() {
		if err := c.follow(a, r); err != nil {
			c.giveUp(a, err)
			return
		}
	}
	c.in.cfg.Logger.Info("copying", "task", a.name())
}

// follow begins to read a changelog from where its store stands.
func (c *copier) follow(a *assigned, r task.Restore) error {
	if why := c.in.stale(r, c.in.plan.ids[r.Topic]); why != "" {
		c.in.cfg.Logger.Warn("rebuilding a copy", "store", r.Store, "task", a.name(), "why", why)
		if err := a.task.Forget(r.Store); err != nil {
			return err
		}
		r.From = store.Position{}
	}
	l := &changelog{Place: kafka.Place{Topic: r.Topic, Partition: a.key.partition}, copy: a, store: r.Store, input: r.Input, limit: -1, at: r.From.Offset, end: -1}
	c.logs[l.Place] = l
	return c.seek(l)
}

// seek begins to read a changelog where it stands, or lets it rest at its limit.
func (c *copier) seek(l *changelog) error {
	if l.held = l.input && l.at >= l.limit; l.held {
		c.fetcher.Remove(l.Place)
		return nil
	}
	return c.fetcher.Seek(c.in.ctx, l.Place, l.at)
}

// apply replays what was fetched. It reports whether there was any.
func (c *copier) apply() (busy bool) {
	for _, f := range c.posted() {
		<-c.room
		l := c.logs[f.Place]
		if l == nil {
			continue
		}
		if err := c.replay(l, f); err != nil {
			c.giveUp(l.copy, err)
			continue
		}
		busy = busy || f.Bytes > 0
	}
	return busy
}

func (c *copier) replay(l *changelog, f kafka.Fetched) error {
	switch {
	case f.From > l.at: // never a gap
		return c.seek(l)
	case errors.Is(f.Err, kafka.ErrOutOfRange):
		return c.rebuild(l, f)
	case f.Err != nil:
		return f.Err
	}
	l.end = f.End
	next, upTo := f.Next, int64(math.MaxInt64)
	if l.input {
		next, upTo = min(next, l.limit), l.limit
	}
	if next < l.at || next == l.at && time.Since(l.when) < copyIdle {
		return nil
	}
	n, err := l.copy.task.Replay(l.store, f.Batches, l.at, upTo)
	if err != nil {
		return err
	}
	c.in.stats.copied.Add(n)
	l.at, l.when = next, time.Now()
	if err := l.copy.task.Restored(l.store, store.Position{Offset: next, TopicID: c.in.plan.ids[l.Topic], At: l.when.UnixMilli()}); err != nil {
		return err
	}
	if next < f.Next {
		return c.seek(l)
	}
	return nil
}

// rebuild begins a store anew whose changelog does not have what comes next.
func (c *copier) rebuild(l *changelog, f kafka.Fetched) error {
	if f.From < l.at {
		return nil // it has been overtaken
	}
	if l.at > 0 {
		c.in.cfg.Logger.Warn("rebuilding a copy", "store", l.store, "task", l.copy.name(), "why", "its changelog has moved past it", "at", l.at, "start", f.Start)
	}
	c.checks.forget(l.copy)
	if err := l.copy.task.Forget(l.store); err != nil {
		return err
	}
	l.at = f.Start
	return c.seek(l)
}

// limits are the committed positions of inputs that copies follow.
func (c *copier) limits(committed map[kafka.Place]kafka.Committed) {
	for p, k := range committed {
		if l := c.logs[p]; l != nil && l.input {
			l.limit = max(l.limit, k.Offset, 0) // without a commit there is nothing to follow
			if l.held {
				if err := c.seek(l); err != nil {
					c.giveUp(l.copy, err)
				}
			}
		}
	}
}

// giveUp ends a copy that cannot be followed. Until the group assigns anew there is none.
func (c *copier) giveUp(a *assigned, err error) {
	if c.in.ctx.Err() == nil {
		c.in.cfg.Logger.Error("a copy is given up", "task", a.name(), "err", err)
	}
	c.release(a)
	if err := a.task.Close(); err != nil {
		c.in.cfg.Logger.Warn("closing a copy", "task", a.name(), "err", err)
	}
}

// end checkpoints a copy and closes it.
func (c *copier) end(a *assigned) {
	c.checks.final(a)
	c.release(a)
	if err := a.task.Close(); err != nil {
		c.in.cfg.Logger.Warn("closing a copy", "task", a.name(), "err", err)
	}
	c.in.cfg.Logger.Info("copy ended", "task", a.name())
}

// release lets go of a copy's task, which stays open.
func (c *copier) release(a *assigned) {
	a.leave()
	c.checks.forget(a)
	c.copies = slices.DeleteFunc(c.copies, func(o *assigned) bool { return o == a })
	for p, l := range c.logs {
		if l.copy == a {
			c.fetcher.Remove(p)
			delete(c.logs, p)
		}
	}
	c.known.Lock()
	defer c.known.Unlock()
	delete(c.stand, a.key)
}

// take hands over the copy of a task that is about to be at work here; nil if there is none.
func (c *copier) take(key taskKey) (t *task.Task) {
	c.wait(func() {
		for _, a := range c.copies {
			if a.key == key {
				c.release(a)
				t = a.task
				return
			}
		}
	})
	return t
}

// publish notes where the copies stand, and asks for a rebalance once a warm-up is warm.
func (c *copier) publish() {
	probe := false
	c.known.Lock()
	for _, s := range c.stand {
		s.lag, s.size = 0, 0
	}
	for _, l := range c.logs {
		s, end := c.stand[l.copy.key], l.end
		if l.input {
			end = l.limit
		}
		if end < 0 {
			s.lag = lagNotKnown
			continue
		}
		s.lag = min(lagNotKnown, s.lag+max(0, end-l.at))
		s.size += max(end, l.at)
	}
	for _, s := range c.stand {
		if s.warmUp && s.lag <= c.in.cfg.Copies.AcceptableLag && time.Since(s.asked) >= probeEvery {
			s.asked, probe = time.Now(), true
		}
	}
	c.known.Unlock()
	if probe {
		c.in.cfg.Logger.Info("a copy is warm: asking for its task")
		c.in.rejoin()
	}
}

// stats says where the copies stand.
func (c *copier) stats() (cs []CopyStats) {
	c.known.Lock()
	defer c.known.Unlock()
	for _, s := range c.stand {
		lag := s.lag
		if lag == lagNotKnown {
			lag = -1
		}
		cs = append(cs, CopyStats{s.name, lag, s.warmUp})
	}
	return cs
}

// copyOf returns the copy of a task, nil if there is none.
func (c *copier) copyOf(key taskKey) *assigned {
	c.known.Lock()
	defer c.known.Unlock()
	if s := c.stand[key]; s != nil {
		return s.copy
	}
	return nil
}

// leave has a task be no longer answered from by this goroutine: rows that are being read end here.
func (a *assigned) leave() {
	a.closed = true
	for _, stop := range a.reading {
		stop()
	}
	a.reading = nil
}

// taskNamed returns the task of a name.
func (in *Instance) taskNamed(name string) (key taskKey, ok bool) {
	if _, err := fmt.Sscanf(name, "%d_%d", &key.sub, &key.partition); err != nil {
		return key, false
	}
	sub := in.subOf(key.sub)
	return key, sub != nil && key.partition < tasksOf(sub, in.plan.partitions)
}

func (in *Instance) subOf(id int) *edge.Sub {
	for _, s := range in.cfg.Graph.Subs {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// has reports whether some of a task is the instance's.
func (in *Instance) has(key taskKey) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.tasks[key] != nil
}

// rejoin asks for a rebalance.
func (in *Instance) rejoin() {
	in.mu.Lock()
	m := in.member
	in.mu.Unlock()
	if m != nil {
		m.Rejoin()
	}
}
