package streamtest

import (
	"context"
	"fmt"
	"slices"

	"github.com/thalweg/thalweg/internal/task"
)

// global is a global part on one instance.
type global struct {
	*task.Global
	read map[place]int64 // how far each partition has been read
}

// openGlobals opens the global parts and reads their topics to the end.
func (in *instance) openGlobals() {
	in.d.t.Helper()
	for _, sub := range in.d.graph.Globals {
		g, err := task.OpenGlobal(task.Env{
			Graph: in.d.graph, Sub: sub, Context: context.Background(), Logger: in.d.logger(), Dir: func() string { return in.dir(fmt.Sprint("global-", sub.ID)) }, Now: in.clock,
			Strict: true, Hasher: in.d.hasher, Budget: in.budget, Decide: in.decide,
		})
		if err != nil {
			in.d.t.Fatal(err)
		}
		in.globals = append(in.globals, &global{g, map[place]int64{}})
	}
	in.fillGlobals()
}

// fillGlobals gives the global parts what is new in their topics, and reports whether there was something.
func (in *instance) fillGlobals() (busy bool) {
	in.d.t.Helper()
	for _, g := range in.globals {
		for _, topic := range g.Topics() {
			for p := range in.d.topics[topic].parts {
				at, log := place{topic, int32(p)}, &in.d.topics[topic].parts[p]
				from := g.read[at]
				if from >= log.end {
					continue
				}
				if err := g.Apply(topic, int32(p), log.fetch(from).Batches, from); err != nil {
					in.d.t.Fatal(err)
				}
				g.read[at], busy = log.end, true
			}
		}
	}
	return busy
}

// tasksGlobals are the global parts as tasks read them.
func (in *instance) tasksGlobals() (gs []*task.Global) {
	for _, g := range in.globals {
		gs = append(gs, g.Global)
	}
	return gs
}

func (in *instance) closeGlobals() {
	for _, g := range slices.Backward(in.globals) {
		g.Counters(func(_, name string, dropped bool, n int64) {
			if dropped && n > 0 {
				in.d.dropped[name] += n
			}
		})
		if err := g.Close(); err != nil {
			in.d.t.Errorf("streamtest: %v", err)
		}
	}
	in.globals = nil
}
