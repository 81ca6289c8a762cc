package stream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/thalweg/thalweg/topology"
)

// Reset removes what the app has: group offsets, own topics, local state. It must not be running anywhere: brokers
// refuse to remove a group with members. Sources and sinks stay.
func Reset(ctx context.Context, t *topology.Topology, cfg Config) (err error) {
	a, err := New(t, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.disconnect()) }()
	if err := a.connect(ctx); err != nil {
		return err
	}
	close(a.down) // nothing is announced
	if err := a.client.DeleteGroup(ctx, a.cfg.App); err != nil {
		return err
	}
	var own []string
	for _, p := range t.Topics() {
		if p.Internal {
			own = append(own, p.Name)
		}
	}
	if err := a.client.DeleteTopics(ctx, append(own, feedTopic(a.cfg.App))...); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(a.cfg.Dir, "apps", a.cfg.App)); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	return nil
}
