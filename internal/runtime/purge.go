package runtime

import (
	"context"
	"time"

	"github.com/thalweg/thalweg/internal/kafka"
)

// purgeEvery is how often what repartition topics hold of read records is removed.
const purgeEvery = 30 * time.Second

// purge removes what the group has read from repartition topics, else they fill the disk.
func (in *Instance) purge() {
	t := time.NewTicker(purgeEvery)
	defer t.Stop()
	for {
		select {
		case <-in.ctx.Done():
			return
		case <-t.C:
		}
		if err := in.purgeOnce(in.ctx); err != nil && in.ctx.Err() == nil {
			in.cfg.Logger.Warn("purging repartition topics", "err", err)
		}
	}
}

func (in *Instance) purgeOnce(ctx context.Context) error {
	var ps []kafka.Place
	in.mu.Lock()
	for _, a := range in.tasks {
		for _, p := range a.places {
			if t := in.cfg.Graph.Topic(p.Topic); t != nil && t.Internal && a.whole() {
				ps = append(ps, p)
			}
		}
	}
	in.mu.Unlock()
	if len(ps) == 0 {
		return nil
	}
	committed, err := in.cfg.Client.Committed(ctx, in.cfg.App, ps...)
	if err != nil {
		return err
	}
	before := map[kafka.Place]int64{}
	for p, c := range committed {
		if c.Offset > 0 {
			before[p] = c.Offset
		}
	}
	return in.cfg.Client.DeleteRecords(ctx, before)
}
