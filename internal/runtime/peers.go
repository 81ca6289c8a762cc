package runtime

import (
	"context"
	"sync"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
)

// peers is what is known of who has which partition. It comes from the group's metadata alone.
type peers struct {
	mu     sync.Mutex // protects following fields
	at     time.Time
	owners map[kafka.Place]kafka.Peer
	copies map[string][]kafka.Peer // by task
}

// peersKept is how long the group is not asked again. An answer that proves wrong is forgotten at once.
const peersKept = time.Second

// Owners returns the instance that has each partition of a store, as far as the group has assigned them.
func (in *Instance) Owners(ctx context.Context, s *edge.Store) (map[int32]kafka.Peer, error) {
	all, _, err := in.peers.get(ctx, in)
	if err != nil {
		return nil, err
	}
	owners := map[int32]kafka.Peer{}
	for p := range tasksOf(s.Sub, in.plan.partitions) {
		for _, place := range in.places(s.Sub, p) {
			if o, ok := all[place]; ok {
				owners[p] = o
			}
		}
	}
	return owners, nil
}

// Standbys returns the instances that keep a copy of a partition of a store, as far as the group has assigned them.
func (in *Instance) Standbys(ctx context.Context, s *edge.Store, partition int32) ([]kafka.Peer, error) {
	if changelogOf(s) == "" {
		return nil, nil
	}
	_, copies, err := in.peers.get(ctx, in)
	return copies[(&assigned{key: taskKey{s.Sub.ID, partition}}).name()], err
}

// ForgetOwners has the group asked again: what was known has proved wrong.
func (in *Instance) ForgetOwners() {
	in.peers.mu.Lock()
	defer in.peers.mu.Unlock()
	in.peers.at = time.Time{}
}

// Itself reports whether a member of the group is this instance.
func (in *Instance) Itself(p kafka.Peer) bool { return p.Instance == in.id.process }

func (p *peers) get(ctx context.Context, in *Instance) (map[kafka.Place]kafka.Peer, map[string][]kafka.Peer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.at) < peersKept {
		return p.owners, p.copies, nil
	}
	ms, err := in.cfg.Client.Peers(ctx, in.cfg.App)
	if err != nil {
		return nil, nil, err
	}
	p.copies = map[string][]kafka.Peer{}
	p.owners, p.at = map[kafka.Place]kafka.Peer{}, time.Now()
	for _, m := range ms {
		for _, at := range m.Places {
			p.owners[at] = m
		}
		for _, c := range m.Copies {
			p.copies[c.Unit] = append(p.copies[c.Unit], m)
		}
	}
	return p.owners, p.copies, nil
}
