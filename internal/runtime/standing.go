package runtime

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
)

// stateful reports whether others can have a copy of what a task of the sub-topology keeps.
func stateful(s *edge.Sub) bool {
	for _, st := range s.Stores {
		if st.FromTopic != nil || st.Changelog != "" {
			return true
		}
	}
	return false
}

// changelogOf is the topic that a store is restored from, "" if there is none.
func changelogOf(s *edge.Store) string {
	if s.FromTopic != nil {
		return s.FromTopic.Name
	}
	return s.Changelog
}

// standings says how far the instance's state is behind, by task: that of tasks at work, of copies, and of what else lies here.
func (in *Instance) standings() map[string]kafka.Standing {
	c := in.copies
	m := map[string]kafka.Standing{}
	c.known.Lock()
	for name, s := range c.idle {
		m[name] = s
	}
	for _, s := range c.stand {
		s.reported = s.lag
		m[s.name] = kafka.Standing{Lag: s.lag, Size: s.size}
	}
	c.known.Unlock()
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, a := range in.tasks {
		if !stateful(a.sub) {
			continue
		}
		if a.task != nil {
			m[a.name()] = kafka.Standing{Size: a.logged.Load()}
		} else if s, ok := in.stats.restoringOf(a); ok {
			m[a.name()] = s
		}
	}
	return m
}

// restoringOf is how far the restore of a task is, if it has begun.
func (s *Stats) restoringOf(a *assigned) (st kafka.Standing, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range a.sub.Stores {
		if r, found := s.restores[kafka.Place{Topic: changelogOf(d), Partition: a.key.partition}]; found {
			st.Lag += max(0, r.To-r.At)
			st.Size += r.To
			ok = true
		}
	}
	return st, ok
}

// findTiers learns what tiers of the caller's own stand for. It comes before there are tasks: a tier is not opened twice at a
// time. One that cannot be read counts for nothing until its task is opened, and says why.
func (in *Instance) findTiers() {
	for _, sub := range in.cfg.Graph.Subs {
		for p := range tasksOf(sub, in.plan.partitions) {
			a := &assigned{key: taskKey{sub.ID, p}, sub: sub}
			for _, s := range sub.Stores {
				if changelogOf(s) == "" {
					continue
				}
				if err := in.env(a).FindTier(s); err != nil {
					in.cfg.Logger.Warn("looking at a tier", "store", s.Name, "task", a.name(), "err", err)
				}
			}
		}
	}
}

// idleState is where the state stands that lies here, of tasks that are neither at work nor copied: by task, the offsets of their
// changelogs.
func (in *Instance) idleState() (map[string]map[kafka.Place]int64, error) {
	at := map[string]map[kafka.Place]int64{}
	for _, sub := range in.cfg.Graph.Subs {
		for p := range tasksOf(sub, in.plan.partitions) {
			a := &assigned{key: taskKey{sub.ID, p}, sub: sub}
			if in.has(a.key) || in.copies.copyOf(a.key) != nil {
				continue
			}
			found, some := map[kafka.Place]int64{}, false
			for _, s := range sub.Stores {
				topic := changelogOf(s)
				if topic == "" {
					continue
				}
				offset, err := in.env(a).OffsetOf(s)
				if err != nil {
					return nil, err
				}
				some = some || offset > 0
				found[kafka.Place{Topic: topic, Partition: p}] = offset
			}
			if some {
				at[a.name()] = found
			}
		}
	}
	return at, nil
}

// lookAtIdle notes how far behind the state is that lies here, of tasks that are neither at work nor copied.
func (in *Instance) lookAtIdle(ctx context.Context) error {
	at, err := in.idleState()
	if err != nil {
		return err
	}
	var places []kafka.Place
	for _, found := range at {
		places = slices.AppendSeq(places, maps.Keys(found))
	}
	ends, err := in.cfg.Client.Ends(ctx, kafka.Stable, places...)
	if err != nil {
		return err
	}
	idle := map[string]kafka.Standing{}
	for name, found := range at {
		var s kafka.Standing
		for p, offset := range found {
			s.Lag += max(0, ends[p]-offset)
			s.Size += ends[p]
		}
		idle[name] = s
	}
	in.copies.known.Lock()
	in.copies.idle = idle
	in.copies.known.Unlock()
	return nil
}

// attend looks now and then at what copies cannot see in their changelogs: the committed positions of inputs, and how far idle
// state has fallen behind.
func (in *Instance) attend() {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-tick.C:
		case <-in.ctx.Done():
			return
		}
		err := in.copies.lookAtCommitted()
		if err == nil && time.Since(last) >= idleEvery {
			last = time.Now()
			err = in.lookAtIdle(in.ctx)
		}
		if err != nil && in.ctx.Err() == nil {
			in.cfg.Logger.Warn("looking after copies", "err", err)
		}
	}
}

// lookAtCommitted has copies of tables that are restored from their topic follow up to where their tasks have committed.
func (c *copier) lookAtCommitted() error {
	var places []kafka.Place
	c.wait(func() {
		for p, l := range c.logs {
			if l.input {
				places = append(places, p)
			}
		}
	})
	if len(places) == 0 {
		return nil
	}
	committed, err := c.in.cfg.Client.CommittedSoFar(c.in.ctx, c.in.cfg.App, places...)
	if err != nil {
		return err
	}
	c.wait(func() { c.limits(committed) })
	return nil
}
