package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// TestConsumersSurviveCrashes cuts the power between heartbeats, with a random part of what was not synced surviving.
// What members were told holds: they go on with their epochs, and at no time do two have the same partition.
func TestConsumersSurviveCrashes(t *testing.T) {
	t.Logf("-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 848))
	fs := vfs.NewCrashableMem()
	members := map[string]*beater{}
	for round := range 12 {
		e := openAt(t, slowFS{FS: fs, delay: 3 * time.Millisecond}, "data", testConfig())
		if round == 0 {
			createTopic(t, e, "words", 6, nil)
		}
		for _, id := range ids(members) {
			members[id].e = e
			wantCode(t, fmt.Sprintf("round %d: %s after the crash", round, id), members[id].beat(nil), code.None)
			wantNoneTwice(t, members)
		}
		for range 1 + r.IntN(6) {
			id := fmt.Sprint("m", r.IntN(4))
			switch m := members[id]; {
			case m == nil:
				m = &beater{t: t, e: e, id: id}
				members[id] = m
				wantCode(t, id+" joins", m.join("words"), code.None)
			case r.IntN(5) == 0:
				wantCode(t, id+" leaves", m.leave(-1), code.None)
				delete(members, id)
			default:
				wantCode(t, id+" beats", m.beat(nil), code.None)
			}
			wantNoneTwice(t, members)
		}
		fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(3) * 50, RNG: r})
		if t.Failed() {
			return
		}
	}
	e := openAt(t, fs, "data", testConfig())
	if d := describeConsumers(t, e); len(d.Members) != len(members) {
		t.Errorf("%d members, want %d", len(d.Members), len(members))
	}
	one := &beater{t: t, e: e, id: "last"}
	wantCode(t, "one more joins", one.join("words"), code.None)
	members[one.id] = one
	var all []*beater
	for _, m := range members {
		m.e = e
		all = append(all, m)
	}
	settle(t, all...)
	wantNoneTwice(t, members)
	n := 0
	for _, m := range all {
		n += len(m.partitions())
	}
	if n != 6 {
		t.Errorf("the members have %d partitions of 6", n)
	}
}

func ids(members map[string]*beater) (ids []string) {
	for id := range members {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// wantNoneTwice checks what members were told last: no partition of the one topic is in two of them.
func wantNoneTwice(t *testing.T, members map[string]*beater) {
	t.Helper()
	by := map[int32]string{}
	for _, id := range ids(members) {
		for _, p := range members[id].partitions() {
			if by[p] != "" {
				t.Fatalf("%s and %s both have partition %d", by[p], id, p)
			}
			by[p] = id
		}
	}
}

// TestOffsetsOutliveTheKindOfAGroup: a group that only holds offsets is classic until a member joins by KIP-848, and keeps them.
func TestOffsetsOutliveTheKindOfAGroup(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	createTopic(t, e, "words", 1, nil)
	commit := func(id string, epoch int32, version int16) code.Code {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.MemberID, req.Generation = "g", id, epoch
		req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "words", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 7, LeaderEpoch: -1}}}}
		return code.Code(rawRequest(t, e, req, version).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
	}
	wantCode(t, "of nobody, in a new group", commit("", -1, 8), code.None)
	a := &beater{t: t, e: e, id: "a", epoch: 3}
	wantCode(t, "a heartbeat that is not a join", a.beat(nil), code.GroupIDNotFound)
	wantCode(t, "a joins", a.join("words"), code.None)
	wantCode(t, "an old epoch", commit("a", a.epoch-1, 9), code.StaleMemberEpoch)
	wantCode(t, "an old epoch, in a version that does not know the answer", commit("a", a.epoch-1, 8), code.UnsupportedVersion)
	wantCode(t, "a leaves", a.leave(-1), code.None)
	for range 2 {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Group = "g"
		topics := rawRequest(t, e, req, 7).(*kmsg.OffsetFetchResponse).Topics
		if len(topics) != 1 || topics[0].Partitions[0].Offset != 7 {
			t.Errorf("the group's offsets are %+v, want 7", topics)
		}
		closeEngine(t, e)
		e = openAt(t, fs, "data", testConfig())
	}
}
