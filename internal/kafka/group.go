package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// GroupConfig is how an instance joins its group.
type GroupConfig struct {
	Group    string
	Instance string // a lasting name: the member is static
	Addr     string // where others reach this instance; every member can see it
	Topics   []string
	Session  time.Duration
	Assign   Assign
	Copies   Copies
	// Standings says how far the member's own state is behind, by unit, whenever it joins.
	Standings func() map[string]Standing

	// The callbacks come one at a time from the member's own goroutine. While Revoked runs, the partitions stay the
	// member's and its heartbeats go on; after Lost others may have them already. Assigned is called at the end of every
	// rebalance, though nothing may have been added, with all copies that the member is to have; more says that others have to
	// give back first what the next rebalance brings.
	Assigned      func(ctx context.Context, places []Place, copies []Copy, more bool)
	Revoked, Lost func(ctx context.Context, places []Place)
	// Failed is called when the member cannot go on.
	Failed func(error)
}

// Member is this instance's place in its group: one member, whatever the number of workers.
type Member struct {
	c   *Client
	cfg GroupConfig
	cl  *kgo.Client

	poll sync.WaitGroup
	stop context.CancelFunc
}

// Join joins the group. It returns at once; assignments come by callback.
func (c *Client) Join(cfg GroupConfig) (*Member, error) {
	m := &Member{c: c, cfg: cfg}
	give := func(f func(context.Context, []Place)) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(ctx context.Context, _ *kgo.Client, parts map[string][]int32) {
			if ps := places(parts); len(ps) > 0 {
				f(ctx, ps)
			}
		}
	}
	b := &balancer{units: cfg.Assign, copies: cfg.Copies, addr: cfg.Addr, rack: c.cfg.Rack, standings: cfg.Standings}
	assigned := func(ctx context.Context, _ *kgo.Client, parts map[string][]int32) {
		g := b.held()
		cfg.Assigned(ctx, places(parts), g.Copies, g.More)
	}
	opts := append(c.options(),
		kgo.ConsumerGroup(cfg.Group), kgo.ConsumeTopics(cfg.Topics...), kgo.InstanceID(cfg.Instance), kgo.SessionTimeout(cfg.Session),
		kgo.HeartbeatInterval(cfg.Session/10), kgo.RebalanceTimeout(max(cfg.Session, 30*time.Second)), kgo.Balancers(b),
		kgo.DisableAutoCommit(), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.OnPartitionsAssigned(assigned), kgo.OnPartitionsRevoked(give(cfg.Revoked)), kgo.OnPartitionsLost(give(cfg.Lost)),
	)
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("kafka: group %q: %w", cfg.Group, err)
	}
	m.cl = cl
	// The member's own client fetches nothing: tasks read through a Fetcher.
	cl.PauseFetchTopics(cfg.Topics...)
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	m.poll.Go(func() { m.watch(ctx) })
	return m, nil
}

// watch takes what the client has to say beside records: errors of the group.
func (m *Member) watch(ctx context.Context) {
	for ctx.Err() == nil {
		fs := m.cl.PollFetches(ctx)
		if fs.IsClientClosed() || ctx.Err() != nil {
			return
		}
		fs.EachError(func(topic string, p int32, err error) {
			var session *kgo.ErrGroupSession
			switch {
			case errors.As(err, &session) && !final(err):
				// The group has forgotten this member, or was slow: kgo joins again by itself.
				m.c.cfg.Logger.Warn("joining the group again", "group", m.cfg.Group, "err", err)
			case !retriable(err) && m.cfg.Failed != nil:
				m.cfg.Failed(fmt.Errorf("kafka: group %q: %w", m.cfg.Group, err))
			}
		})
	}
}

// Generation is the member's present standing.
func (m *Member) Generation() Generation {
	id, gen := m.cl.GroupMetadata()
	return Generation{Group: m.cfg.Group, Member: id, Instance: kmsg.StringPtr(m.cfg.Instance), Generation: gen}
}

// Read has the group know that the member reads more topics, which asks for a rebalance. Those it reads already change
// nothing.
func (m *Member) Read(topics ...string) {
	m.cl.PauseFetchTopics(topics...)
	m.cl.AddConsumeTopics(topics...)
}

// Rejoin asks for a rebalance.
func (m *Member) Rejoin() { m.cl.ForceRebalance() }

// Close ends the membership on this side: partitions are given back by Revoked. The group keeps a place for the
// instance until its session is over, so that a restart in place is quick; Leave gives that up too.
func (m *Member) Close() {
	m.stop()
	m.cl.Close()
	m.poll.Wait()
}

// Leave takes a closed member out of its group at once, so that others get its partitions.
func (m *Member) Leave(ctx context.Context) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = m.cfg.Group
	g := kmsg.NewLeaveGroupRequestMember()
	g.InstanceID, g.Reason = kmsg.StringPtr(m.cfg.Instance), kmsg.StringPtr("the instance stops")
	req.Members = append(req.Members, g)
	if _, err := req.RequestWith(ctx, m.c.cl); err != nil {
		return fmt.Errorf("kafka: leave group %q: %w", m.cfg.Group, err)
	}
	return nil
}

func places(parts map[string][]int32) (ps []Place) {
	for t, is := range parts {
		for _, i := range is {
			ps = append(ps, Place{t, i})
		}
	}
	return ps
}
