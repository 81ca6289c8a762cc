package runtime

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
)

// reading is a topic that is read: one of a name, or one that matches a pattern.
type reading struct {
	topic      *edge.Topic
	partitions int32
}

// lookEvery is how often an instance looks for new topics that match a pattern. The leader of the group, and whoever is
// given a partition of a topic it does not know yet, learn of one at once.
const lookEvery = 10 * time.Second

// matching returns the topics that match the graph's patterns now.
func (in *Instance) matching(ctx context.Context) (names []string, err error) {
	if !in.cfg.Graph.Patterned() {
		return nil, nil
	}
	all, err := in.cfg.Client.ListTopics(ctx, false)
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		m, err := in.cfg.Graph.Match(t.Name)
		if err != nil {
			return nil, fmt.Errorf("runtime: %w", err)
		}
		if m != nil && t.Name != in.cfg.DeadLetter {
			names = append(names, t.Name)
		}
	}
	return names, nil
}

// read returns what a source's topic stands for: itself, or the topics that match its pattern, by name.
func (in *Instance) read(t *edge.Topic) []reading {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.readLocked(t)
}

func (in *Instance) readLocked(t *edge.Topic) (rs []reading) {
	if t.Pattern == nil {
		return []reading{{t, in.plan.partitions[t.Name]}}
	}
	for _, r := range in.bound {
		if r.topic.Source == t.Source {
			rs = append(rs, r)
		}
	}
	slices.SortFunc(rs, func(a, b reading) int { return strings.Compare(a.topic.Name, b.topic.Name) })
	return rs
}

// topicsOf returns the topics of a source among places.
func (in *Instance) topicsOf(n *edge.Node, places []kafka.Place) (ts []*edge.Topic) {
	for _, r := range in.read(n.Topic) {
		if slices.ContainsFunc(places, func(p kafka.Place) bool { return p.Topic == r.topic.Name }) {
			ts = append(ts, r.topic)
		}
	}
	return ts
}

// topic returns the topic of that name: the graph's, or one that matches a pattern.
func (in *Instance) topic(name string) *edge.Topic {
	in.mu.Lock()
	defer in.mu.Unlock()
	if r, ok := in.bound[name]; ok {
		return r.topic
	}
	return in.cfg.Graph.Topic(name)
}

// partitions returns how many partitions a topic had when it came to be known, 0 of one that is not.
func (in *Instance) partitions(name string) int32 {
	in.mu.Lock()
	defer in.mu.Unlock()
	if r, ok := in.bound[name]; ok {
		return r.partitions
	}
	return in.plan.partitions[name]
}

// bind makes topics known that match a pattern, given their partition counts.
func (in *Instance) bind(counts map[string]int32) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	for name, n := range counts {
		if _, known := in.bound[name]; known || n == 0 || in.plan.partitions[name] != 0 || name == in.cfg.DeadLetter {
			continue
		}
		t, err := in.cfg.Graph.Match(name)
		if err == nil && t != nil {
			err = t.Fits(name, n, in.plan.partitions[t.Name])
		}
		if err != nil {
			return fmt.Errorf("runtime: %w", err)
		}
		if t != nil {
			in.bound[name] = reading{t.Called(name), n}
			in.cfg.Logger.Info("reading a new topic", "topic", name, "pattern", t.Pattern)
		}
	}
	return nil
}

// bindPlaces is bind for places that the group's leader has assigned, which may know of a topic before this instance does.
func (in *Instance) bindPlaces(ctx context.Context, ps []kafka.Place) {
	if !in.cfg.Graph.Patterned() {
		return
	}
	var names []string
	for _, p := range ps {
		if in.partitions(p.Topic) == 0 && !slices.Contains(names, p.Topic) {
			names = append(names, p.Topic)
		}
	}
	if len(names) > 0 {
		in.learn(ctx, names)
	}
}

// learn binds topics and has the group know that they are read.
func (in *Instance) learn(ctx context.Context, names []string) {
	ts, err := in.cfg.Client.Topics(ctx, true, names...)
	if err != nil {
		if ctx.Err() == nil {
			in.cfg.Logger.Warn("looking for topics", "err", err)
		}
		return
	}
	counts := map[string]int32{}
	for name, t := range ts {
		counts[name] = int32(len(t.Leaders))
	}
	if err := in.bind(counts); err != nil {
		in.fail(err)
		return
	}
	in.mu.Lock()
	member := in.member
	in.mu.Unlock()
	member.Read(names...)
}

// Look looks for new topics that match a pattern soon: somebody has made one.
func (in *Instance) Look() {
	select {
	case in.look <- struct{}{}:
	default:
	}
}

// discover looks for new topics now and then.
func (in *Instance) discover() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-in.look:
		case <-in.ctx.Done():
			return
		}
		names, err := in.matching(in.ctx)
		if err != nil {
			if in.ctx.Err() == nil {
				in.cfg.Logger.Warn("looking for topics", "err", err)
			}
			continue
		}
		names = slices.DeleteFunc(names, func(name string) bool { return in.partitions(name) != 0 })
		if len(names) > 0 {
			in.learn(in.ctx, names)
		}
	}
}

// widen gives a task that has begun more to read: it is committed, checkpointed and closed, and begins anew with all of it.
func (in *Instance) widen(key taskKey, more []kafka.Place) {
	in.moving.Lock()
	defer in.moving.Unlock()
	in.mu.Lock()
	a := in.tasks[key]
	in.mu.Unlock()
	if a == nil || a.restoring == nil {
		return // it was taken away meanwhile, and is assigned with everything it reads the next time
	}
	a.cancel()
	<-a.restoring
	if a.task != nil {
		a.worker.takeBack([]*assigned{a}, true)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	b := &assigned{key: key, sub: a.sub, places: append(slices.Clone(a.places), more...), owned: a.owned}
	for _, p := range more {
		b.owned[p] = true
	}
	in.tasks[key] = b
	if b.whole() && in.ctx.Err() == nil {
		in.beginLocked(b)
	}
}
