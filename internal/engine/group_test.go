package engine

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// consumer is a group member that polls until it is stopped.
type consumer struct {
	*kgo.Client
	stop context.CancelFunc
	done sync.WaitGroup
}

// tally counts values over all consumers of a test.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
	more chan struct{} // has a signal after each change
}

func newTally() *tally { return &tally{seen: map[string]int{}, more: make(chan struct{}, 1)} }

func (y *tally) add(v string) {
	y.mu.Lock()
	y.seen[v]++
	y.mu.Unlock()
	select {
	case y.more <- struct{}{}:
	default:
	}
}

// wait returns once n different values were seen.
func (y *tally) wait(t *testing.T, n int) {
	t.Helper()
	ctx := testContext(t)
	for {
		y.mu.Lock()
		seen := len(y.seen)
		y.mu.Unlock()
		if seen >= n {
			return
		}
		select {
		case <-y.more:
		case <-ctx.Done():
			t.Fatalf("%d of %d values seen", seen, n)
		}
	}
}

func startConsumer(t *testing.T, e *Engine, y *tally, group, topic string, opts ...kgo.Opt) *consumer {
	t.Helper()
	c := &consumer{Client: client(t, e, append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.HeartbeatInterval(20 * time.Millisecond), kgo.SessionTimeout(5 * time.Second), kgo.FetchMaxWait(50 * time.Millisecond),
	}, opts...)...)}
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	c.done.Go(func() {
		for ctx.Err() == nil {
			c.PollFetches(ctx).EachRecord(func(r *kgo.Record) { y.add(string(r.Value)) })
		}
	})
	t.Cleanup(c.end)
	return c
}

func (c *consumer) end() {
	c.stop()
	c.done.Wait()
}

// TestGroupSharesATopic lets members come and go; every record is seen, and none twice by what was committed.
func TestGroupSharesATopic(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "words", 6, nil)
	y := newTally()
	p := client(t, e)
	want := len(produce(t, p, "words", 100))
	one := startConsumer(t, e, y, "readers", "words")
	y.wait(t, want)
	startConsumer(t, e, y, "readers", "words")
	waitForMembers(t, e, "readers", 2)
	for i := range 100 {
		if err := p.ProduceSync(testContext(t), &kgo.Record{Topic: "words", Value: fmt.Appendf(nil, "second-%d", i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	want += 100
	y.wait(t, want)
	one.end()
	if err := one.CommitUncommittedOffsets(testContext(t)); err != nil {
		t.Fatal(err)
	}
	one.LeaveGroup()
	waitForMembers(t, e, "readers", 1)
	produce(t, p, "words", 1)
	if err := p.ProduceSync(testContext(t), &kgo.Record{Topic: "words", Value: []byte("last")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	y.wait(t, want+1)
}

// waitForMembers waits until the group is stable with n members that share all partitions.
func waitForMembers(t *testing.T, e *Engine, group string, n int) kadm.DescribedGroup {
	t.Helper()
	ctx := testContext(t)
	adm := kadm.NewClient(client(t, e))
	for {
		groups, err := adm.DescribeGroups(ctx, group)
		if err != nil {
			t.Fatal(err)
		}
		if g := groups[group]; g.State == "Stable" && len(g.Members) == n {
			return g
		}
		select {
		case <-ctx.Done():
			t.Fatalf("group %q: %+v", group, groups[group])
		case <-time.After(10 * time.Millisecond): // the client's own pace of asking
		}
	}
}

// TestStaticMemberComesBackWithoutARebalance restarts a static member: same generation, same partitions.
func TestStaticMemberComesBackWithoutARebalance(t *testing.T) {
	for _, who := range []string{"leader", "follower"} {
		t.Run(who, func(t *testing.T) {
			e := open(t, testConfig())
			createTopic(t, e, "words", 4, nil)
			y := newTally()
			first := startConsumer(t, e, y, "g", "words", kgo.InstanceID("leader"), kgo.Balancers(kgo.RangeBalancer()))
			waitForMembers(t, e, "g", 1)
			second := startConsumer(t, e, y, "g", "words", kgo.InstanceID("follower"), kgo.Balancers(kgo.RangeBalancer()))
			before := waitForMembers(t, e, "g", 2)
			_, generation := first.GroupMetadata()
			leaving := map[string]*consumer{"leader": first, "follower": second}[who]
			leaving.end()
			leaving.Close() // a static member sends no LeaveGroup
			startConsumer(t, e, y, "g", "words", kgo.InstanceID(who), kgo.Balancers(kgo.RangeBalancer()))
			want := len(produce(t, client(t, e), "words", 200))
			y.wait(t, want)
			after := waitForMembers(t, e, "g", 2)
			staying := map[string]*consumer{"leader": second, "follower": first}[who]
			if _, now := staying.GroupMetadata(); now != generation {
				t.Errorf("generation %d, was %d", now, generation)
			}
			for _, m := range before.Members {
				for _, n := range after.Members {
					if *m.InstanceID == *n.InstanceID && (m.MemberID == n.MemberID) == (*m.InstanceID == who) {
						t.Errorf("%s: member id %s, was %s", *m.InstanceID, n.MemberID, m.MemberID)
					}
					was, _ := m.Assigned.AsConsumer()
					is, _ := n.Assigned.AsConsumer()
					if *m.InstanceID == *n.InstanceID && !reflect.DeepEqual(was, is) {
						t.Errorf("%s is assigned %v, was %v", *m.InstanceID, is, was)
					}
				}
			}
		})
	}
}

// TestOldSelfOfAStaticMemberIsFenced heartbeats with the id a static member had before its restart.
func TestOldSelfOfAStaticMemberIsFenced(t *testing.T) {
	e := open(t, testConfig())
	join := func() *kmsg.JoinGroupResponse {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Group, req.InstanceID, req.ProtocolType = "g", kmsg.StringPtr("i"), "consumer"
		req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 5000, 5000
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = "range", []byte{1}
		req.Protocols = append(req.Protocols, p)
		resp := rawRequest(t, e, req, 5).(*kmsg.JoinGroupResponse)
		if resp.ErrorCode != 0 {
			t.Fatal(code.Code(resp.ErrorCode))
		}
		return resp
	}
	first := join()
	second := join()
	if first.MemberID == second.MemberID {
		t.Fatal("the restarted member has its old id")
	}
	for id, want := range map[string]code.Code{first.MemberID: code.FencedInstanceID, second.MemberID: code.None, "nobody": code.FencedInstanceID} {
		req := kmsg.NewPtrHeartbeatRequest()
		req.Group, req.MemberID, req.InstanceID, req.Generation = "g", id, kmsg.StringPtr("i"), second.Generation
		if got := code.Code(rawRequest(t, e, req, 3).(*kmsg.HeartbeatResponse).ErrorCode); got != want {
			t.Errorf("heartbeat of %s: %v, want %v", id, got, want)
		}
	}
}

// TestSilentMemberIsRemoved lets a member stop without a word.
func TestSilentMemberIsRemoved(t *testing.T) {
	e := open(t, testConfig())
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.ProtocolType, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = "g", "consumer", 150, 150
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", []byte{1}
	req.Protocols = append(req.Protocols, p)
	joined := rawRequest(t, e, req, 3).(*kmsg.JoinGroupResponse)
	if joined.ErrorCode != 0 {
		t.Fatal(code.Code(joined.ErrorCode))
	}
	ctx := testContext(t)
	adm := kadm.NewClient(client(t, e))
	for {
		groups, err := adm.DescribeGroups(ctx, "g")
		if err != nil {
			t.Fatal(err)
		}
		if groups["g"].State == "Empty" {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("%+v", groups["g"])
		}
	}
	if joined.Generation != 1 {
		t.Errorf("first generation is %d", joined.Generation)
	}
}

// TestNewMemberGetsItsIDFirst is KIP-394.
func TestNewMemberGetsItsIDFirst(t *testing.T) {
	e := open(t, testConfig())
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.ProtocolType, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = "g", "consumer", 5000, 5000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", []byte{1}
	req.Protocols = append(req.Protocols, p)
	first := rawRequest(t, e, req, 4).(*kmsg.JoinGroupResponse)
	if code.Code(first.ErrorCode) != code.MemberIDRequired || first.MemberID == "" {
		t.Fatalf("%v, id %q", code.Code(first.ErrorCode), first.MemberID)
	}
	req.MemberID = first.MemberID
	second := rawRequest(t, e, req, 4).(*kmsg.JoinGroupResponse)
	if second.ErrorCode != 0 || second.LeaderID != first.MemberID {
		t.Fatalf("%v, leader %q", code.Code(second.ErrorCode), second.LeaderID)
	}
	req.MemberID = "made-up"
	if got := code.Code(rawRequest(t, e, req, 4).(*kmsg.JoinGroupResponse).ErrorCode); got != code.UnknownMemberID {
		t.Errorf("an id nobody gave: %v", got)
	}
}

// TestOffsetsAndGroupsSurviveARestart commits, reopens, and finds offsets, generation and members again.
func TestOffsetsAndGroupsSurviveARestart(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	createTopic(t, e, "words", 2, nil)
	y := newTally()
	want := len(produce(t, client(t, e), "words", 50))
	c := startConsumer(t, e, y, "readers", "words", kgo.InstanceID("i"))
	y.wait(t, want)
	c.end()
	if err := c.CommitUncommittedOffsets(testContext(t)); err != nil {
		t.Fatal(err)
	}
	_, generation := c.GroupMetadata()
	c.Close()
	closeEngine(t, e)

	e = openAt(t, fs, "data", testConfig())
	g := waitForMembers(t, e, "readers", 1)
	if g.Members[0].InstanceID == nil || *g.Members[0].InstanceID != "i" {
		t.Errorf("member %+v", g.Members[0])
	}
	offsets, err := kadm.NewClient(client(t, e)).FetchOffsets(testContext(t), "readers")
	if err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	offsets.Each(func(o kadm.OffsetResponse) { sum += o.At })
	if sum != int64(want) {
		t.Errorf("offsets add up to %d, want %d", sum, want)
	}
	y2 := newTally()
	again := startConsumer(t, e, y2, "readers", "words", kgo.InstanceID("i"))
	if err := client(t, e).ProduceSync(testContext(t), &kgo.Record{Topic: "words", Value: []byte("after")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	y2.wait(t, 1)
	if y2.seen["after"] != 1 || len(y2.seen) != 1 {
		t.Errorf("after the restart: %v", y2.seen)
	}
	if _, now := again.GroupMetadata(); now < generation {
		t.Errorf("generation %d, was %d", now, generation)
	}
}
