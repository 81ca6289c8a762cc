package sim

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	crowdTopic      = "crowd"
	crowdGroup      = "crowd"
	crowdPartitions = 6
	crowdMembers    = 3
	crowdKillEvery  = 3 * time.Second
	crowdPace       = 2 * time.Millisecond // between two records
	crowdLook       = 50 * time.Millisecond
)

// TestKilledServerKeepsItsConsumers has the client library's own members of a group by KIP-848 read and commit what a producer
// writes, while the server is killed; after each life of the server one of them leaves and another comes. Each record that was
// acknowledged is read by somebody, and no offset that anybody was told, a member or an administrator, is ever taken back.
func TestKilledServerKeepsItsConsumers(t *testing.T) {
	kills := defaultServerKills
	if *flagKills > 0 {
		kills = *flagKills
	}
	if kills == 0 {
		t.Skip("half a minute: -tags slow, or -kills")
	}
	c := &crowd{t: t, r: seeded(t), dir: filepath.Join(t.TempDir(), "server"), written: map[string]bool{}, read: map[string]int{}, told: map[int32]int64{}}
	c.server, c.addr, _ = serve(t, c.dir, "127.0.0.1:0")
	if _, err := kadm.NewClient(c.client()).CreateTopic(t.Context(), crowdPartitions, 1, nil, crowdTopic); err != nil {
		t.Fatal(err)
	}
	var running, writer sync.WaitGroup
	write, stop := context.WithCancel(t.Context())
	writer.Go(func() { c.write(write) })
	look, quit := context.WithCancel(t.Context())
	running.Go(func() { c.look(look) })
	for range crowdMembers {
		c.join(&running)
	}
	for range kills {
		if c.server.sleepUnless(crowdKillEvery/2 + time.Duration(c.r.Int64N(int64(crowdKillEvery)))) {
			t.Fatalf("the server ended by itself: %v\n%s", c.server.err, tail(c.server.out.String()))
		}
		c.server.kill()
		c.server, _, _ = serve(t, c.dir, c.addr)
		c.members[0]() // it leaves
		c.members = c.members[1:]
		c.join(&running)
	}
	stop()
	writer.Wait()
	c.settle()
	quit()
	for _, leave := range c.members {
		leave()
	}
	running.Wait()
	c.verdict(kills)
}

// crowd is a group of consumers, their producer and their server.
type crowd struct {
	t       *testing.T
	r       *rand.Rand
	dir     string
	addr    string
	server  *process
	members []context.CancelFunc

	mu       sync.Mutex // protects following fields
	written  map[string]bool
	read     map[string]int
	told     map[int32]int64 // the highest offset of each partition that anybody was told is committed
	commits  int
	assigned int
}

func (c *crowd) client(opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.addr), kgo.ProducerLinger(0), kgo.RetryTimeout(time.Minute)}, opts...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(cl.Close)
	return cl
}

// write writes records and notes those that were acknowledged.
func (c *crowd) write(ctx context.Context) {
	cl := c.client()
	tick := time.NewTicker(crowdPace)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		cl.Produce(context.Background(), &kgo.Record{Topic: crowdTopic, Key: fmt.Append(nil, n), Value: fmt.Append(nil, n)}, func(r *kgo.Record, err error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if err == nil {
				c.written[string(r.Value)] = true
			}
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	if err := cl.Flush(c.t.Context()); err != nil {
		c.t.Error(err)
	}
}

// join starts a member, which reads until it is told to leave. It gives no partition up between a poll and its commit.
func (c *crowd) join(running *sync.WaitGroup) {
	ctx, leave := context.WithCancel(c.t.Context())
	c.members = append(c.members, leave)
	cl := c.client(kgo.ConsumerGroup(crowdGroup), kgo.ConsumeTopics(crowdTopic), kgo.ServerSideBalancer(), kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, ps map[string][]int32) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.assigned += len(ps[crowdTopic])
		}))
	running.Go(func() {
		for ctx.Err() == nil {
			records := cl.PollRecords(ctx, 500).Records()
			c.note(records)
			if len(records) > 0 && cl.CommitRecords(c.t.Context(), records...) == nil {
				c.committed(records)
			}
			cl.AllowRebalance()
		}
		cl.Close()
	})
}

func (c *crowd) note(records []*kgo.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range records {
		c.read[string(r.Value)]++
	}
}

func (c *crowd) committed(records []*kgo.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits++
	for _, r := range records {
		c.told[r.Partition] = max(c.told[r.Partition], r.Offset+1)
	}
}

// look asks again and again what is committed: never less than what anybody was told before it asked.
func (c *crowd) look(ctx context.Context) {
	adm := kadm.NewClient(c.client())
	tick := time.NewTicker(crowdLook)
	defer tick.Stop()
	for ctx.Err() == nil {
		c.mu.Lock()
		told := maps.Clone(c.told)
		c.mu.Unlock()
		offsets, err := adm.FetchOffsets(ctx, crowdGroup)
		for p, at := range told {
			o, ok := offsets.Lookup(crowdTopic, p)
			if err != nil || o.Err != nil {
				break // the server is down
			}
			if !ok || o.At < at {
				c.t.Errorf("partition %d: offset %d was committed, and later it is %d", p, at, o.At)
			}
			c.mu.Lock()
			c.told[p] = max(c.told[p], o.At)
			c.mu.Unlock()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// settle waits until all that is in the topic is committed.
func (c *crowd) settle() {
	ctx, cancel := context.WithTimeout(c.t.Context(), finishLimit)
	defer cancel()
	adm := kadm.NewClient(c.client())
	ends, err := adm.ListEndOffsets(ctx, crowdTopic)
	if err != nil {
		c.t.Fatal(err)
	}
	for {
		left := 0
		offsets, err := adm.FetchOffsets(ctx, crowdGroup)
		ends.Each(func(end kadm.ListedOffset) {
			if o, _ := offsets.Lookup(crowdTopic, end.Partition); o.At < end.Offset {
				left++
			}
		})
		if err == nil && left == 0 {
			return
		}
		if c.server.sleepUnless(crowdLook); ctx.Err() != nil {
			c.t.Fatalf("%d partitions are not committed to their end: %+v, %v", left, offsets, err)
		}
	}
}

func (c *crowd) verdict(kills int) {
	twice := 0
	for v := range c.written {
		switch n := c.read[v]; {
		case n == 0:
			c.t.Errorf("record %s was acknowledged and is read by nobody", v)
		case n > 1:
			twice++
		}
	}
	c.t.Logf("%d kills, %d records, %d of them read more than once, %d commits, %d times a partition was assigned", kills, len(c.written), twice, c.commits, c.assigned)
	if len(c.written) < 100*kills || c.commits < 10*kills || c.assigned < crowdPartitions+kills {
		c.t.Error("void: too few records, commits, or partitions that moved")
	}
}
