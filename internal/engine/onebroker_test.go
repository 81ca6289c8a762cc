package engine

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// TestLogDirs: the sizes are those of what was written, of all partitions or of those named.
func TestLogDirs(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "a", 2, nil)
	createTopic(t, e, "b", 1, nil)
	cl := client(t, e)
	r := &kgo.Record{Topic: "a", Partition: 1, Value: make([]byte, 1000)}
	if err := client(t, e, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression())).ProduceSync(testContext(t), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	adm := kadm.NewClient(cl)
	all, err := adm.DescribeAllLogDirs(testContext(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	size := func(d kadm.DescribedAllLogDirs, topic string, partition int32) int64 {
		p, ok := d[1].Lookup(e.dir.Path(), topic, partition)
		if !ok {
			return -1
		}
		return p.Size
	}
	if a0, a1, b := size(all, "a", 0), size(all, "a", 1), size(all, "b", 0); a0 != 0 || a1 < 1000 || b != 0 {
		t.Errorf("sizes %d, %d, %d; want 0, at least 1000, 0", a0, a1, b)
	}
	some, err := adm.DescribeAllLogDirs(testContext(t), kadm.TopicsSet{"a": {1: {}}})
	if err != nil {
		t.Fatal(err)
	}
	if a0, a1, b := size(some, "a", 0), size(some, "a", 1), size(some, "b", 0); a0 != -1 || a1 < 1000 || b != -1 {
		t.Errorf("of the one that is named: %d, %d, %d", a0, a1, b)
	}
	req := kmsg.NewPtrDescribeLogDirsRequest() // of what does not exist
	req.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: "a", Partitions: []int32{7}}, {Topic: "none", Partitions: []int32{0}}}
	for version := range int16(6) {
		dirs := rawRequest(t, e, req, version).(*kmsg.DescribeLogDirsResponse).Dirs
		if len(dirs) != 1 || len(dirs[0].Topics) != 1 || len(dirs[0].Topics[0].Partitions) != 0 {
			t.Errorf("v%d of what does not exist: %+v", version, dirs)
		}
	}
}

// TestOneBrokerLeadsEverything: what moves leaders and replicas elsewhere is answered as a cluster at rest answers it.
func TestOneBrokerLeadsEverything(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "a", 2, nil)
	ctx, adm := testContext(t), kadm.NewClient(client(t, e))

	elected, err := adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, kadm.TopicsSet{"a": {0: {}, 5: {}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := elected["a"][0].Err; !errors.Is(got, kerr.ElectionNotNeeded) {
		t.Errorf("election of a leader: %v", got)
	}
	if got := elected["a"][5].Err; !errors.Is(got, kerr.UnknownTopicOrPartition) {
		t.Errorf("election of no partition: %v", got)
	}
	if all, err := adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, nil); err != nil || len(all) != 0 {
		t.Errorf("elections of all: %v, %v", all, err)
	}

	var want kadm.AlterPartitionAssignmentsReq
	want.Assign("a", 0, []int32{1})
	want.Assign("a", 1, []int32{2})
	want.CancelAssign("a", 5)
	assigned, err := adm.AlterPartitionAssignments(ctx, want)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[int32]error{0: nil, 1: kerr.InvalidReplicaAssignment, 5: kerr.UnknownTopicOrPartition} {
		if got := assigned["a"][p].Err; !errors.Is(got, want) {
			t.Errorf("assignment of partition %d: %v, want %v", p, got, want)
		}
	}
	want = nil
	want.CancelAssign("a", 0)
	if assigned, err = adm.AlterPartitionAssignments(ctx, want); err != nil || !errors.Is(assigned["a"][0].Err, kerr.NoReassignmentInProgress) {
		t.Errorf("cancelled: %v, %v", assigned, err)
	}
	if moving, err := adm.ListPartitionReassignments(ctx, nil); err != nil || len(moving) != 0 {
		t.Errorf("under way: %v, %v", moving, err)
	}
}

// TestQuotasAreRefused: there are none, and none can be set.
func TestQuotasAreRefused(t *testing.T) {
	ctx, adm := testContext(t), kadm.NewClient(client(t, open(t, testConfig())))
	if qs, err := adm.DescribeClientQuotas(ctx, false, nil); err != nil || len(qs) != 0 {
		t.Errorf("quotas %v, %v", qs, err)
	}
	user := "ann"
	set, err := adm.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{
		Entity: kadm.ClientQuotaEntity{{Type: "user", Name: &user}},
		Ops:    []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: 1}},
	}})
	if err != nil || len(set) != 1 || !errors.Is(set[0].Err, kerr.InvalidRequest) || set[0].ErrMessage == "" {
		t.Errorf("%+v, %v", set, err)
	}
}

// TestFeaturesStayAsTheServerHasThem updates transaction.version to what it is, to another level, and an unknown feature.
func TestFeaturesStayAsTheServerHasThem(t *testing.T) {
	e := open(t, testConfig())
	for _, x := range []struct {
		feature string
		level   int16
		want    code.Code
	}{{"transaction.version", 2, code.None}, {"transaction.version", 1, code.InvalidUpdateVersion}, {"metadata.version", 2, code.InvalidUpdateVersion}} {
		for version := range int16(3) {
			req := kmsg.NewPtrUpdateFeaturesRequest()
			u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
			u.Feature, u.MaxVersionLevel = x.feature, x.level
			req.FeatureUpdates = append(req.FeatureUpdates, u)
			resp := rawRequest(t, e, req, version).(*kmsg.UpdateFeaturesResponse)
			got := resp.ErrorCode
			if version < 2 && got == 0 {
				got = resp.Results[0].ErrorCode
			}
			if code.Code(got) != x.want {
				t.Errorf("%s to %d by v%d: %v, want %v", x.feature, x.level, version, code.Code(got), x.want)
			}
		}
	}
}

// TestConfigResources lists what has settings, by kind.
func TestConfigResources(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "a", 1, nil)
	list := func(version int16, kinds ...int8) (names []string, c code.Code) {
		req := kmsg.NewPtrListConfigResourcesRequest()
		req.ResourceTypes = kinds
		resp := rawRequest(t, e, req, version).(*kmsg.ListConfigResourcesResponse)
		for _, x := range resp.ConfigResources {
			names = append(names, x.Name)
		}
		return names, code.Code(resp.ErrorCode)
	}
	count := func(names []string, name string) (n int) {
		for _, x := range names {
			if x == name {
				n++
			}
		}
		return n
	}
	if names, c := list(1); c != code.None || count(names, "a") != 1 || count(names, "1") != 1 {
		t.Errorf("all: %q, %v", names, c)
	}
	if names, c := list(1, 4); c != code.None || len(names) != 1 || names[0] != "1" {
		t.Errorf("brokers: %q, %v", names, c)
	}
	if names, c := list(0); c != code.None || len(names) != 0 {
		t.Errorf("client metrics: %q, %v", names, c)
	}
	if names, c := list(1, 16, 32); c != code.None || len(names) != 0 {
		t.Errorf("client metrics and groups: %q, %v", names, c)
	}
	if _, c := list(1, 99); c != code.UnsupportedVersion {
		t.Errorf("an unknown kind: %v", c)
	}
}
