package runtime

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
)

// waitPause is how often it is looked whether positions have been reached.
const waitPause = 20 * time.Millisecond

// SourceEnds returns the present ends of the topics that the topology reads from outside. They are the high watermarks:
// a commit returns before its markers have reached every partition, so what is committed may lie behind the last stable
// offset.
func (in *Instance) SourceEnds(ctx context.Context) (map[kafka.Place]int64, error) {
	return in.cfg.Client.Ends(ctx, kafka.End, in.partitionsOf(func(t *edge.Topic) bool { return !t.Internal })...)
}

func (in *Instance) partitionsOf(which func(*edge.Topic) bool) (ps []kafka.Place) {
	for _, t := range in.cfg.Graph.Topics {
		if t.Source == nil && !t.Global || !which(t) {
			continue
		}
		for _, r := range in.read(t) {
			for p := range r.partitions {
				ps = append(ps, kafka.Place{Topic: r.topic.Name, Partition: p})
			}
		}
	}
	return ps
}

// WaitFor waits until the group has committed past the given positions of the sources, and then, topic by topic in the
// order of the flow, past what lies in the internal topics by then. Nobody commits positions of global topics: of those it
// waits for what this instance has read.
func (in *Instance) WaitFor(ctx context.Context, at map[kafka.Place]int64) error {
	global := func(p kafka.Place) bool {
		t := in.cfg.Graph.Topic(p.Topic)
		return t != nil && t.Global
	}
	globals := maps.Clone(at)
	maps.DeleteFunc(globals, func(p kafka.Place, _ int64) bool { return !global(p) })
	if err := in.reached(ctx, globals, func([]kafka.Place) (map[kafka.Place]int64, error) { return in.passed.all(), nil }); err != nil {
		return err
	}
	at = maps.Clone(at)
	maps.DeleteFunc(at, func(p kafka.Place, _ int64) bool { return global(p) })
	committed := func(ps []kafka.Place) (map[kafka.Place]int64, error) { return in.committed(ctx, ps) }
	if err := in.reached(ctx, at, committed); err != nil {
		return err
	}
	for _, level := range in.levels() {
		ends, err := in.cfg.Client.Ends(ctx, kafka.End, in.partitionsOf(func(t *edge.Topic) bool { return level[t] })...)
		if err != nil {
			return err
		}
		if err := in.reached(ctx, ends, committed); err != nil {
			return err
		}
	}
	return nil
}

// levels orders the internal topics: each comes after those that its writers read.
func (in *Instance) levels() (ls []map[*edge.Topic]bool) {
	depth := map[*edge.Topic]int{}
	for range in.cfg.Graph.Topics { // a path is not longer than there are topics
		for _, t := range in.cfg.Graph.Topics {
			for _, s := range t.Sinks {
				for _, src := range s.Sub.Sources {
					if t.Internal && src.Topic != t {
						depth[t] = max(depth[t], depth[src.Topic]+1)
					}
				}
			}
		}
	}
	for t, d := range depth {
		for len(ls) < d {
			ls = append(ls, map[*edge.Topic]bool{})
		}
		ls[d-1][t] = true
	}
	return ls
}

// committed returns the positions that the group has committed.
func (in *Instance) committed(ctx context.Context, ps []kafka.Place) (map[kafka.Place]int64, error) {
	got, err := in.cfg.Client.Committed(ctx, in.cfg.App, ps...)
	if err != nil {
		return nil, err
	}
	at := map[kafka.Place]int64{}
	for p, c := range got {
		at[p] = c.Offset
	}
	return at, nil
}

// reached waits until the positions that where returns are at or past those given.
func (in *Instance) reached(ctx context.Context, at map[kafka.Place]int64, where func([]kafka.Place) (map[kafka.Place]int64, error)) error {
	var ps []kafka.Place
	for p, o := range at {
		if o > 0 {
			ps = append(ps, p)
		}
	}
	t := time.NewTicker(waitPause)
	defer t.Stop()
	for len(ps) > 0 {
		got, err := where(ps)
		if err != nil {
			return err
		}
		left := ps[:0]
		for _, p := range ps {
			if got[p] < at[p] {
				left = append(left, p)
			}
		}
		if ps = left; len(ps) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("runtime: waiting for %s-%d to reach %d: %w", ps[0].Topic, ps[0].Partition, at[ps[0]], context.Cause(ctx))
		case <-in.ctx.Done():
			return fmt.Errorf("runtime: waiting for %s-%d: the app has stopped", ps[0].Topic, ps[0].Partition)
		case <-t.C:
		}
	}
	return nil
}
