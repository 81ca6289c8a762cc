package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"sync"

	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/internal/task"
)

// openGlobals opens the global parts, reads their topics to the end, and then follows them beside processing.
func (in *Instance) openGlobals(ctx context.Context) error {
	for _, sub := range in.cfg.Graph.Globals {
		g, err := task.OpenGlobal(task.Env{
			Graph: in.cfg.Graph, Sub: sub, Context: in.ctx, Logger: in.cfg.Logger, Now: in.now, Hasher: in.hasher, Budget: in.budget,
			Dir: func() string { return filepath.Join(in.cfg.Dir, "apps", in.cfg.App, "global", fmt.Sprint(sub.ID)) }, Decide: in.cfg.Decide,
		})
		if err != nil {
			return err
		}
		in.globals = append(in.globals, g)
		for _, topic := range g.Topics() {
			for p := range in.plan.partitions[topic] {
				at := kafka.Place{Topic: topic, Partition: p}
				next, err := in.fillGlobal(ctx, g, at)
				if err != nil {
					return err
				}
				in.passed.at(at, next)
			}
		}
	}
	if len(in.globals) == 0 {
		return nil
	}
	in.follower = in.cfg.Client.NewFetcher(in.deliverGlobal)
	for at, offset := range in.passed.all() {
		if err := in.follower.Seek(ctx, at, offset); err != nil {
			return err
		}
	}
	return nil
}

// fillGlobal reads one partition to its present end, and returns where to go on.
func (in *Instance) fillGlobal(ctx context.Context, g *task.Global, at kafka.Place) (int64, error) {
	begin, err := in.cfg.Client.Ends(ctx, kafka.Begin, at)
	if err != nil {
		return 0, err
	}
	end, err := in.cfg.Client.Ends(ctx, kafka.Stable, at)
	if err != nil {
		return 0, err
	}
	from := begin[at]
	if from >= end[at] {
		return from, nil
	}
	return in.cfg.Client.ReadRange(ctx, at, from, end[at], func(f kafka.Fetched) error {
		return g.Apply(at.Topic, at.Partition, f.Batches, f.From)
	})
}

// deliverGlobal takes what was fetched of a global topic.
func (in *Instance) deliverGlobal(f kafka.Fetched) {
	for _, g := range in.globals {
		for _, topic := range g.Topics() {
			if topic != f.Topic {
				continue
			}
			err := f.Err
			if err == nil {
				err = g.Apply(f.Topic, f.Partition, f.Batches, f.From)
			}
			if err == nil {
				in.passed.at(f.Place, f.Next)
			}
			if err != nil && in.ctx.Err() == nil {
				in.fail(fmt.Errorf("runtime: global store of %s-%d: %w", f.Topic, f.Partition, err))
			}
		}
	}
}

// positions are how far the partitions of global topics have been read.
type positions struct {
	mu sync.Mutex
	m  map[kafka.Place]int64
}

func (p *positions) at(place kafka.Place, next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m == nil {
		p.m = map[kafka.Place]int64{}
	}
	p.m[place] = next
}

func (p *positions) all() map[kafka.Place]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.m)
}

// closeGlobals ends what openGlobals began. Tasks must be closed before.
func (in *Instance) closeGlobals() (err error) {
	if in.follower != nil {
		in.follower.Close()
	}
	for _, g := range in.globals {
		err = errors.Join(err, g.Close())
	}
	return err
}
