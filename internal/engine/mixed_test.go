package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// oldMember is a member of the group g by the classic protocol. It assigns all partitions 0 to 3 of its topic to itself if
// it is asked to lead.
type oldMember struct {
	t          *testing.T
	e          *Engine
	kind       string // empty: consumer
	instance   *string
	userData   []byte // in the assignment it makes
	id         string
	generation int32
	leads      bool
	has        []int32
	owned      bool // it says what it has when it joins, as cooperative clients do
}

func (m *oldMember) protocolType() string {
	if m.kind == "" {
		return "consumer"
	}
	return m.kind
}

// rejoin sends a JoinGroup, twice where an id is given out first.
func (m *oldMember) rejoin(topic string) code.Code {
	m.t.Helper()
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.Topics = 1, []string{topic}
	if m.owned {
		meta.OwnedPartitions = []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: topic, Partitions: m.has}}
	}
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.InstanceID, req.ProtocolType = "g", m.id, m.instance, m.protocolType()
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 10_000, 20_000
	req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: meta.AppendTo(nil)}}
	resp := rawRequest(m.t, m.e, req, 9).(*kmsg.JoinGroupResponse)
	if code.Code(resp.ErrorCode) == code.MemberIDRequired && m.id == "" {
		m.id = resp.MemberID
		return m.rejoin(topic)
	}
	if resp.ErrorCode != 0 {
		return code.Code(resp.ErrorCode)
	}
	m.id, m.generation, m.leads = resp.MemberID, resp.Generation, resp.LeaderID == resp.MemberID
	return code.None
}

// join joins and syncs.
func (m *oldMember) join(topic string) code.Code {
	m.t.Helper()
	if c := m.rejoin(topic); c != code.None {
		return c
	}
	return m.sync(topic)
}

func (m *oldMember) sync(topic string) code.Code {
	m.t.Helper()
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.InstanceID, req.Generation = "g", m.id, m.instance, m.generation
	kind, name := m.protocolType(), "range"
	req.ProtocolType, req.Protocol = &kind, &name
	if m.leads {
		a := kmsg.NewConsumerMemberAssignment()
		a.Topics, a.UserData = []kmsg.ConsumerMemberAssignmentTopic{{Topic: topic, Partitions: []int32{0, 1, 2, 3}}}, m.userData
		req.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: m.id, MemberAssignment: a.AppendTo(nil)}}
	}
	resp := rawRequest(m.t, m.e, req, 5).(*kmsg.SyncGroupResponse)
	if resp.ErrorCode != 0 {
		return code.Code(resp.ErrorCode)
	}
	var a kmsg.ConsumerMemberAssignment
	if err := a.ReadFrom(resp.MemberAssignment); err != nil {
		m.t.Fatal(err)
	}
	m.has = nil
	for _, t := range a.Topics {
		if t.Topic != topic {
			m.t.Errorf("assigned %q", t.Topic)
		}
		m.has = append(m.has, t.Partitions...)
	}
	slices.Sort(m.has)
	return code.None
}

func (m *oldMember) beat() code.Code {
	m.t.Helper()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.InstanceID, req.Generation = "g", m.id, m.instance, m.generation
	return code.Code(rawRequest(m.t, m.e, req, 4).(*kmsg.HeartbeatResponse).ErrorCode)
}

func (m *oldMember) leave() code.Code {
	m.t.Helper()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.Members = "g", []kmsg.LeaveGroupRequestMember{{MemberID: m.id, InstanceID: m.instance}}
	resp := rawRequest(m.t, m.e, req, 5).(*kmsg.LeaveGroupResponse)
	m.id = ""
	return code.Code(resp.Members[0].ErrorCode)
}

func (m *oldMember) commit() code.Code {
	m.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.InstanceID, req.Generation = "g", m.id, m.instance, m.generation
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "words", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 7, LeaderEpoch: -1}}}}
	return code.Code(rawRequest(m.t, m.e, req, 8).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
}

func wantHas(t *testing.T, when string, m *oldMember, want int) {
	t.Helper()
	if len(m.has) != want {
		t.Errorf("%s: the classic member has %v, want %d of them", when, m.has, want)
	}
}

// TestGroupChangesItsProtocolStepByStep takes a group of one classic member through both changes of protocol, with a restart
// of the engine at every step: nobody is thrown out, and nobody gets a partition before the other has given it up.
func TestGroupChangesItsProtocolStepByStep(t *testing.T) {
	for _, cooperative := range []bool{false, true} {
		t.Run(fmt.Sprint("cooperative=", cooperative), func(t *testing.T) {
			fs := vfs.NewMem()
			e := openAt(t, fs, "data", testConfig())
			createTopic(t, e, "words", 4, nil)
			old, a := &oldMember{t: t, e: e, owned: cooperative}, &beater{t: t, e: e, id: "a"}
			restart := func() {
				closeEngine(t, e)
				e = openAt(t, fs, "data", testConfig())
				old.e, a.e = e, e
			}
			wantCode(t, "the classic member joins", old.join("words"), code.None)
			wantHas(t, "alone", old, 4)
			wantCode(t, "it commits", old.commit(), code.None)
			was := old.generation
			wantCode(t, "a joins", a.join("words"), code.None)
			wantPartitions(t, "before the classic member has given up", a)
			restart()
			d := describeConsumers(t, e)
			if len(d.Members) != 2 || d.Epoch != was+1 || d.Members[0].MemberType+d.Members[1].MemberType != 1 {
				t.Fatalf("%+v", d)
			}
			wantCode(t, "of the generation it knows", old.commit(), code.None)
			wantCode(t, "the classic member beats", old.beat(), code.RebalanceInProgress)
			wantCode(t, "a sync of the generation before", old.sync("words"), code.RebalanceInProgress)
			wantCode(t, "a beats", a.beat(nil), code.None)
			wantPartitions(t, "as long as it has not joined again", a)
			wantCode(t, "it joins again", old.join("words"), code.None)
			wantHas(t, "with two", old, 2)
			if cooperative {
				if old.generation != was {
					t.Errorf("generation %d before it has given up, want %d", old.generation, was)
				}
				wantCode(t, "a beats", a.beat(nil), code.None)
				wantPartitions(t, "as long as it has not given up", a)
				restart()
				wantCode(t, "it is to come again", old.beat(), code.RebalanceInProgress)
				wantCode(t, "it joins with less", old.join("words"), code.None)
			}
			if old.leads || old.generation != was+1 {
				t.Errorf("it leads: %v, generation %d", old.leads, old.generation)
			}
			restart()
			settle(t, a)
			if len(a.partitions()) != 2 {
				t.Errorf("a has %v", a.partitions())
			}
			wantCode(t, "it beats", old.beat(), code.None)
			wantCode(t, "it commits", old.commit(), code.None)
			old.generation--
			wantCode(t, "of the generation before", old.commit(), code.IllegalGeneration)
			wantCode(t, "of the generation before", old.beat(), code.IllegalGeneration)
			old.generation++

			wantCode(t, "the last by the other protocol leaves", a.leave(-1), code.None)
			restart()
			if d := describeConsumers(t, e); code.Code(d.ErrorCode) != code.GroupIDNotFound {
				t.Errorf("the group is still one of consumers: %+v", d)
			}
			if c := old.beat(); c != code.RebalanceInProgress && c != code.None {
				t.Errorf("the classic member beats: %v", c) // a restart ends the rebalance, as for any classic group
			}
			wantCode(t, "it joins", old.join("words"), code.None)
			if wantHas(t, "alone again", old, 4); !old.leads {
				t.Error("it does not lead")
			}
			wantCode(t, "it commits", old.commit(), code.None)
			wantCode(t, "it leaves", old.leave(), code.None)
		})
	}
}

// TestInstanceChangesItsProtocol: a static member that comes back by the other protocol takes its own place at once, in either
// direction, and what it had.
func TestInstanceChangesItsProtocol(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	createTopic(t, e, "words", 4, nil)
	host := "host-1"
	old := &oldMember{t: t, e: e, instance: &host}
	wantCode(t, "the classic member joins", old.join("words"), code.None)
	a := &beater{t: t, e: e, id: "a", instance: &host}
	wantCode(t, "it comes back as a consumer", a.join("words"), code.None)
	wantPartitions(t, "it has what it had", a, 0, 1, 2, 3)
	wantCode(t, "its former self", old.beat(), code.FencedInstanceID)
	settle(t, a)

	closeEngine(t, e)
	e = openAt(t, fs, "data", testConfig())
	old.e, a.e, old.id = e, e, ""
	wantCode(t, "it comes back as a classic member", old.join("words"), code.None)
	wantHas(t, "as a classic member", old, 4)
	wantCode(t, "it beats", old.beat(), code.None)
	wantCode(t, "its former self", a.beat(nil), code.GroupIDNotFound)
	closeEngine(t, e)
	old.e = openAt(t, fs, "data", testConfig())
	wantCode(t, "it beats after a restart", old.beat(), code.None)
}

// TestClientsChangeTheProtocolOneByOne replaces the classic members of a group by ones of the consumer protocol, one by one and
// back, with the client library's own of both kinds: each record is read, and the group is of the kind it should be.
func TestClientsChangeTheProtocolOneByOne(t *testing.T) {
	cfg := testConfig()
	cfg.ConsumerHeartbeat = 50 * time.Millisecond
	e := open(t, cfg)
	createTopic(t, e, "words", 6, nil)
	ctx := testContext(t)
	p := client(t, e)
	adm := kadm.NewClient(p)
	member := func(consumers bool) *kgo.Client {
		opts := []kgo.Opt{kgo.ConsumerGroup("g"), kgo.ConsumeTopics("words"), kgo.HeartbeatInterval(50 * time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
		if consumers {
			opts = append(opts, kgo.ServerSideBalancer(), kgo.Balancers(kgo.CooperativeStickyBalancer()))
		}
		return client(t, e, opts...)
	}
	var members []*kgo.Client
	seen := map[string]int{}
	poll := func() {
		for _, c := range members {
			c.PollFetches(atOnce).EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++ })
		}
	}
	sent := 0
	for step, x := range []struct {
		join  string // the kind of who joins, if anybody does, before the oldest leaves, if it does
		leave bool
		kind  string
	}{
		{"classic", false, "classic"}, {"classic", false, "classic"},
		{"consumer", false, "consumer"}, {"consumer", true, "consumer"}, {"", true, "consumer"}, // all of one kind
		{"classic", false, "consumer"}, {"classic", true, "consumer"}, {"", true, "classic"},
	} {
		if x.join != "" {
			members = append(members, member(x.join == "consumer"))
		}
		if x.leave {
			members[0].Close()
			members = members[1:]
		}
		for settled := false; !settled; poll() {
			kind, state, n := describeKind(t, e, adm)
			if settled = kind == x.kind && state == "Stable" && n == len(members); ctx.Err() != nil {
				t.Fatalf("step %d: the group is %s, %s, with %d members; want %s with %d", step, kind, state, n, x.kind, len(members))
			}
		}
		for range 60 {
			if err := p.ProduceSync(ctx, &kgo.Record{Topic: "words", Key: fmt.Append(nil, sent), Value: fmt.Append(nil, sent)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		for len(seen) < sent {
			if poll(); ctx.Err() != nil {
				t.Fatalf("step %d: %d of %d records were read", step, len(seen), sent)
			}
		}
	}
	for _, c := range members {
		c.Close()
	}
}

// describeKind returns the kind of g, its state, and how many members it has.
func describeKind(t *testing.T, e *Engine, adm *kadm.Client) (kind, state string, members int) {
	if d := describeConsumers(t, e); d.ErrorCode == 0 {
		return "consumer", d.State, len(d.Members)
	}
	d, err := adm.DescribeGroups(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	return "classic", d["g"].State, len(d["g"].Members)
}
