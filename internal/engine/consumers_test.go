package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// atOnce has a poll return what there is: the client's documentation gives a nil context that meaning.
var atOnce context.Context

// beater is a member of a group by KIP-848, as its client keeps it. It only ever asks for the group called g.
type beater struct {
	t        *testing.T
	e        *Engine
	id       string
	instance *string
	epoch    int32
	has      []kmsg.ConsumerGroupHeartbeatRequestTopic
}

// beat sends a heartbeat that says what the member has, and takes over the answer; change adds to it.
func (b *beater) beat(change func(*kmsg.ConsumerGroupHeartbeatRequest)) code.Code {
	b.t.Helper()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.InstanceID, req.RebalanceTimeoutMillis = "g", b.id, b.epoch, b.instance, -1
	req.Topics = append([]kmsg.ConsumerGroupHeartbeatRequestTopic{}, b.has...)
	if change != nil {
		change(req)
	}
	resp := rawRequest(b.t, b.e, req, 1).(*kmsg.ConsumerGroupHeartbeatResponse)
	if resp.ErrorCode != 0 {
		return code.Code(resp.ErrorCode)
	}
	b.epoch = resp.MemberEpoch
	if resp.Assignment != nil {
		b.has = nil
		for _, t := range resp.Assignment.Topics {
			b.has = append(b.has, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: t.TopicID, Partitions: t.Partitions})
		}
	}
	return code.None
}

// join joins with a subscription.
func (b *beater) join(topics ...string) code.Code {
	b.t.Helper()
	b.epoch, b.has = 0, nil
	return b.beat(func(r *kmsg.ConsumerGroupHeartbeatRequest) {
		r.RebalanceTimeoutMillis, r.SubscribedTopicNames = 30_000, topics
	})
}

// leave leaves: epoch -1 for good, -2 for a while.
func (b *beater) leave(epoch int32) code.Code {
	b.t.Helper()
	b.epoch = epoch
	return b.beat(nil)
}

// partitions are those the member has, of all topics.
func (b *beater) partitions() (ps []int32) {
	for _, t := range b.has {
		ps = append(ps, t.Partitions...)
	}
	slices.Sort(ps)
	return ps
}

// settle has members beat until nothing changes any more.
func settle(t *testing.T, members ...*beater) {
	t.Helper()
	for range 10 {
		before := fmt.Sprint(of(members))
		for _, m := range members {
			if c := m.beat(nil); c != code.None {
				t.Fatalf("member %s: %v", m.id, c)
			}
		}
		if fmt.Sprint(of(members)) == before {
			return
		}
	}
	t.Fatal("the members do not come to rest")
}

func of(members []*beater) (all []any) {
	for _, m := range members {
		all = append(all, m.epoch, m.partitions())
	}
	return all
}

func wantPartitions(t *testing.T, when string, m *beater, want ...int32) {
	t.Helper()
	if got := m.partitions(); !slices.Equal(got, want) {
		t.Errorf("%s: member %s has %v, want %v", when, m.id, got, want)
	}
}

func wantCode(t *testing.T, what string, got, want code.Code) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func describeConsumers(t *testing.T, e *Engine) kmsg.ConsumerGroupDescribeResponseGroup {
	t.Helper()
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{"g"}
	return rawRequest(t, e, req, 1).(*kmsg.ConsumerGroupDescribeResponse).Groups[0]
}

// TestConsumersReconcile follows two members step by step: nobody gets a partition before the other has given it up, and
// a restart of the engine changes nothing.
func TestConsumersReconcile(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	createTopic(t, e, "words", 4, nil)
	a, b := &beater{t: t, e: e, id: "a"}, &beater{t: t, e: e, id: "b"}
	wantCode(t, "a joins", a.join("words"), code.None)
	wantPartitions(t, "alone", a, 0, 1, 2, 3)
	wantCode(t, "b joins", b.join("words"), code.None)
	wantPartitions(t, "before a has given up", b)
	had := a.has
	wantCode(t, "a is told", a.beat(nil), code.None)
	kept := a.partitions()
	if len(kept) != 2 || a.epoch != 1 {
		t.Fatalf("a is left %v at epoch %d, want two at 1", kept, a.epoch)
	}
	if c := b.beat(nil); c != code.None || len(b.partitions()) != 0 {
		t.Errorf("b has %v while a gives up: %v", b.partitions(), c)
	}
	told := a.has
	a.has = had
	if c := a.beat(nil); c != code.None || a.epoch != 1 {
		t.Errorf("a still says that it has all: epoch %d, %v", a.epoch, c)
	}
	a.has = told
	settle(t, a, b)
	if all := append(a.partitions(), b.partitions()...); len(all) != 4 || len(a.partitions()) != 2 || a.epoch != 2 || b.epoch != 2 {
		t.Errorf("a has %v at %d, b %v at %d", a.partitions(), a.epoch, b.partitions(), b.epoch)
	}
	if d := describeConsumers(t, e); d.State != "Stable" || d.Epoch != 2 || d.AssignmentEpoch != 2 || d.AssignorName != "uniform" || len(d.Members) != 2 {
		t.Errorf("%+v", d)
	}

	closeEngine(t, e)
	e = openAt(t, fs, "data", testConfig())
	a.e, b.e = e, e
	was := fmt.Sprint(of([]*beater{a, b}))
	settle(t, a, b)
	if now := fmt.Sprint(of([]*beater{a, b})); now != was {
		t.Errorf("after a restart: %s, want %s", now, was)
	}

	// An answer was lost: one epoch behind is fine for who has no more than it was given.
	b.epoch = 1
	wantCode(t, "two epochs of b", b.beat(nil), code.FencedMemberEpoch)
	b.epoch = 0
	wantCode(t, "b begins anew", b.join("words"), code.None)
	settle(t, a, b)
	a.epoch++
	wantCode(t, "an epoch to come", a.beat(nil), code.FencedMemberEpoch)
	a.epoch--
	stranger := &beater{t: t, e: e, id: "x", epoch: 1}
	wantCode(t, "a stranger", stranger.beat(nil), code.UnknownMemberID)

	wantCode(t, "b leaves", b.leave(-1), code.None)
	settle(t, a)
	wantPartitions(t, "alone again", a, 0, 1, 2, 3)
}

// TestOffsetsOfConsumers: members commit and fetch with their epoch, and only they.
func TestOffsetsOfConsumers(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	createTopic(t, e, "words", 1, nil)
	a := &beater{t: t, e: e, id: "a"}
	wantCode(t, "a joins", a.join("words"), code.None)
	commit := func(id string, epoch int32) code.Code {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.MemberID, req.Generation = "g", id, epoch
		req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "words", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 7, LeaderEpoch: -1}}}}
		return code.Code(rawRequest(t, e, req, 9).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
	}
	wantCode(t, "of a", commit("a", a.epoch), code.None)
	wantCode(t, "of a before", commit("a", a.epoch-1), code.StaleMemberEpoch)
	wantCode(t, "of a stranger", commit("x", 1), code.UnknownMemberID)
	wantCode(t, "of nobody", commit("", -1), code.UnknownMemberID)
	fetch := func(id *string, epoch int32) (int64, code.Code) {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", MemberID: id, MemberEpoch: epoch, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "words", Partitions: []int32{0}}}}}
		g := rawRequest(t, e, req, 9).(*kmsg.OffsetFetchResponse).Groups[0]
		if g.ErrorCode != 0 {
			return -1, code.Code(g.ErrorCode)
		}
		return g.Topics[0].Partitions[0].Offset, code.None
	}
	for _, x := range []struct {
		id    *string
		epoch int32
		at    int64
		want  code.Code
	}{{&a.id, a.epoch, 7, code.None}, {nil, -1, 7, code.None}, {&a.id, a.epoch + 1, -1, code.StaleMemberEpoch}} {
		if at, c := fetch(x.id, x.epoch); at != x.at || c != x.want {
			t.Errorf("fetched with epoch %d: %d, %v; want %d, %v", x.epoch, at, c, x.at, x.want)
		}
	}
	adm := kadm.NewClient(client(t, e))
	if _, err := adm.DeleteGroup(testContext(t), "g"); err != kerr.NonEmptyGroup {
		t.Errorf("deleted with a member: %v", err)
	}
	wantCode(t, "a leaves", a.leave(-1), code.None)
	listed, err := adm.ListGroups(testContext(t))
	if err != nil || len(listed) != 1 || listed["g"].State != "Empty" {
		t.Errorf("%v, %v", listed, err)
	}
	if _, err := adm.DeleteGroup(testContext(t), "g"); err != nil {
		t.Error(err)
	}
	closeEngine(t, e)
	e = openAt(t, fs, "data", testConfig())
	if n := e.Stats().Groups; n != 0 {
		t.Errorf("%d groups after a restart, want none", n)
	}
}

// TestStaticConsumer leaves for a while and comes back under another id: it has what it had, and nobody else got it.
func TestStaticConsumer(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "words", 4, nil)
	host := "host-1"
	a, b := &beater{t: t, e: e, id: "a", instance: &host}, &beater{t: t, e: e, id: "b"}
	wantCode(t, "a joins", a.join("words"), code.None)
	wantCode(t, "b joins", b.join("words"), code.None)
	settle(t, a, b)
	had := a.partitions()
	twin := &beater{t: t, e: e, id: "twin", instance: &host}
	wantCode(t, "another of the instance", twin.join("words"), code.UnreleasedInstanceID)
	wantCode(t, "a leaves for a while", a.leave(-2), code.None)
	settle(t, b)
	if n := len(b.partitions()); n != 2 {
		t.Errorf("b has %d partitions while a is away, want 2", n)
	}
	wantCode(t, "a comes back as another", twin.join("words"), code.None)
	wantPartitions(t, "after it came back", twin, had...)
	a.epoch = 2
	wantCode(t, "its former self", a.beat(nil), code.FencedInstanceID)
	settle(t, twin, b)
}

// TestKnownConsumerJoinsAgain says epoch 0 under an id that the group knows, as after a fence or a lost answer. Apache
// Kafka 4.3 was asked the same in the same order: the member stays what it is, is told all that it has, and has given up
// what it was to give up; the group has no new epoch. An instance that has not left is refused, under its own id too.
func TestKnownConsumerJoinsAgain(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	createTopic(t, e, "words", 6, nil)
	a, b := &beater{t: t, e: e, id: "a"}, &beater{t: t, e: e, id: "b"}
	wantCode(t, "a joins", a.join("words"), code.None)
	wantCode(t, "b joins", b.join("words"), code.None)
	settle(t, a, b)
	had := a.partitions()
	wantCode(t, "a joins again", a.join("words"), code.None)
	wantPartitions(t, "after a joined again", a, had...)
	if d := describeConsumers(t, e); a.epoch != 2 || d.Epoch != 2 || d.State != "Stable" {
		t.Errorf("a is at %d in a group at %d, %s", a.epoch, d.Epoch, d.State)
	}
	c := &beater{t: t, e: e, id: "c"}
	wantCode(t, "c joins", c.join("words"), code.None)
	wantCode(t, "a is told to give up", a.beat(nil), code.None)
	if a.epoch != 2 || len(a.partitions()) != 2 {
		t.Errorf("a is at %d with %v", a.epoch, a.partitions())
	}
	wantCode(t, "a joins again", a.join("words"), code.None)
	if a.epoch != 3 || len(a.partitions()) != 2 {
		t.Errorf("after it joined again a is at %d with %v", a.epoch, a.partitions())
	}
	settle(t, a, b, c)
	had = c.partitions()
	c.epoch++
	wantCode(t, "c one ahead", c.beat(nil), code.FencedMemberEpoch)
	wantCode(t, "c joins again", c.join("words"), code.None)
	wantPartitions(t, "after the fence", c, had...)
	settle(t, a, b, c)

	host := "host-1"
	s := &beater{t: t, e: e, id: "s", instance: &host}
	wantCode(t, "s joins", s.join("words"), code.None)
	settle(t, a, b, c, s)
	had = s.partitions()
	wantCode(t, "s joins again", s.join("words"), code.UnreleasedInstanceID)
	wantCode(t, "s leaves for a while", s.leave(-2), code.None)
	wantCode(t, "s comes back", s.join("words"), code.None)
	wantPartitions(t, "after it came back", s, had...)
	settle(t, a, b, c, s)
	closeEngine(t, e)
	e = openAt(t, fs, "data", testConfig())
	for _, m := range []*beater{a, b, c, s} {
		m.e = e
	}
	was := fmt.Sprint(of([]*beater{a, b, c, s}))
	settle(t, a, b, c, s)
	if now := fmt.Sprint(of([]*beater{a, b, c, s})); now != was {
		t.Errorf("after a restart: %s, want %s", now, was)
	}
}

// TestConsumersByPattern: topics that match, those made later too.
func TestConsumersByPattern(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "words-1", 1, nil)
	createTopic(t, e, "other", 1, nil)
	a := &beater{t: t, e: e, id: "a"}
	pattern := func(p string) func(*kmsg.ConsumerGroupHeartbeatRequest) {
		return func(r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.RebalanceTimeoutMillis, r.SubscribedTopicRegex = 30_000, &p
		}
	}
	wantCode(t, "a mistake", a.beat(pattern("words-(")), code.InvalidRegularExpression)
	wantCode(t, "a joins", a.beat(pattern("words-.*")), code.None)
	wantPartitions(t, "one matches", a, 0)
	createTopic(t, e, "words-2", 2, nil)
	wantCode(t, "another pattern", a.beat(pattern("words-[0-9]")), code.None)
	settle(t, a)
	wantPartitions(t, "two match", a, 0, 0, 1)
}

// TestKindsOfGroups: a group without members is of the kind of whoever comes. One with members changes its kind with them
// only if they consume, by an assignor that the coordinator can stand in for.
func TestKindsOfGroups(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "words", 1, nil)
	workers := &oldMember{t: t, e: e, kind: "connect"}
	wantCode(t, "a worker joins", workers.join("words"), code.None)
	a := &beater{t: t, e: e, id: "a"}
	wantCode(t, "where workers are", a.join("words"), code.GroupIDNotFound)
	wantCode(t, "the worker leaves", workers.leave(), code.None)

	own := &oldMember{t: t, e: e, userData: []byte("of its own")}
	wantCode(t, "one with an assignor of its own joins", own.join("words"), code.None)
	wantCode(t, "where it is", a.join("words"), code.GroupIDNotFound)
	wantCode(t, "it does not notice", own.beat(), code.None)
	wantCode(t, "it leaves", own.leave(), code.None)

	wantCode(t, "a joins an empty group", a.join("words"), code.None)
	wantPartitions(t, "of the other kind", a, 0)
	wantCode(t, "a worker where consumers are", workers.join("words"), code.InconsistentGroupProtocol)
	wantCode(t, "a leaves", a.leave(-1), code.None)
	wantCode(t, "a worker in an empty group", workers.join("words"), code.None)
}

// TestSilentConsumerLosesItsPartitions: after a session without a heartbeat the others have all.
func TestSilentConsumerLosesItsPartitions(t *testing.T) {
	cfg := testConfig()
	cfg.ConsumerSession, cfg.ConsumerHeartbeat = 200*time.Millisecond, 20*time.Millisecond
	e := open(t, cfg)
	createTopic(t, e, "words", 4, nil)
	a, b := &beater{t: t, e: e, id: "a"}, &beater{t: t, e: e, id: "b"}
	wantCode(t, "a joins", a.join("words"), code.None)
	wantCode(t, "b joins", b.join("words"), code.None)
	for ctx := testContext(t); len(a.partitions()) != 2 || len(b.partitions()) != 2; {
		if a.beat(nil) != code.None || b.beat(nil) != code.None || ctx.Err() != nil {
			t.Fatal("the members do not share")
		}
	}
	for ctx := testContext(t); len(a.partitions()) != 4; {
		if c := a.beat(nil); c != code.None || ctx.Err() != nil {
			t.Fatalf("a has %v: %v", a.partitions(), c)
		}
	}
	wantCode(t, "the one that was silent", b.beat(nil), code.UnknownMemberID)
}

// TestClientsShareByTheConsumerProtocol runs the client library's own consumers: each record is read once, by whoever has
// the partition, and who stays has all of them in the end.
func TestClientsShareByTheConsumerProtocol(t *testing.T) {
	cfg := testConfig()
	cfg.ConsumerHeartbeat = 50 * time.Millisecond
	e := open(t, cfg)
	createTopic(t, e, "words", 6, nil)
	ctx := testContext(t)
	member := func() *kgo.Client {
		return client(t, e, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("words"), kgo.ServerSideBalancer(), kgo.Balancers(kgo.CooperativeStickyBalancer()),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	}
	shares := func() (by []int) {
		for _, m := range describeConsumers(t, e).Members {
			n := 0
			for _, tp := range m.Assignment.TopicPartitions {
				n += len(tp.Partitions)
			}
			by = append(by, n)
		}
		return by
	}
	until := func(want ...int) {
		t.Helper()
		for !slices.Equal(shares(), want) {
			if ctx.Err() != nil {
				t.Fatalf("the members have %v, want %v", shares(), want)
			}
		}
	}
	one := member()
	until(6)
	two := member()
	until(3, 3)
	p := client(t, e)
	for i := range 60 {
		if err := p.ProduceSync(ctx, &kgo.Record{Topic: "words", Key: fmt.Append(nil, i), Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]int{}
	var by [2]int
	for len(seen) < 60 && ctx.Err() == nil {
		for i, c := range []*kgo.Client{one, two} {
			c.PollFetches(atOnce).EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++; by[i]++ }) // what there is
		}
	}
	if len(seen) != 60 || by[0] == 0 || by[1] == 0 {
		t.Fatalf("%d of 60 records were read, %d by one member and %d by the other", len(seen), by[0], by[1])
	}
	for v, n := range seen {
		if n != 1 {
			t.Errorf("record %s came %d times", v, n)
		}
	}
	two.Close()
	until(6)
}
