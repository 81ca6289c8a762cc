package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/log"
)

func TestCreateTopicRefusals(t *testing.T) {
	cfg := testConfig()
	cfg.ClampReplication = false
	e := open(t, cfg)
	createTopic(t, e, "taken.name", 1, nil)
	adm := kadm.NewClient(client(t, e))
	value := func(s string) *string { return &s }
	for _, test := range []struct {
		name       string
		partitions int32
		replicas   int16
		configs    map[string]*string
		want       error
	}{
		{"fine", 3, 1, nil, nil},
		{"default", -1, -1, nil, nil},
		{"taken.name", 1, 1, nil, kerr.TopicAlreadyExists},
		{"taken_name", 1, 1, nil, kerr.InvalidTopicException},
		{"", 1, 1, nil, kerr.InvalidTopicException},
		{"..", 1, 1, nil, kerr.InvalidTopicException},
		{"white space", 1, 1, nil, kerr.InvalidTopicException},
		{strings.Repeat("x", 250), 1, 1, nil, kerr.InvalidTopicException},
		{"none", 0, 1, nil, kerr.InvalidPartitions},
		{"many", 1 << 30, 1, nil, kerr.InvalidPartitions},
		{"three", 1, 3, nil, kerr.InvalidReplicationFactor},
		{"unknown", 1, 1, map[string]*string{"no.such.config": value("1")}, kerr.InvalidConfig},
		{"wrong", 1, 1, map[string]*string{"retention.ms": value("soon")}, kerr.InvalidConfig},
		{"policy", 1, 1, map[string]*string{"cleanup.policy": value("burn")}, kerr.InvalidConfig},
	} {
		_, err := adm.CreateTopic(testContext(t), test.partitions, test.replicas, test.configs, test.name)
		if !errors.Is(err, test.want) {
			t.Errorf("topic %q: %v, want %v", test.name, err, test.want)
		}
	}
}

// TestTopicNamedTwice sends many names over and over: each gets one answer.
func TestTopicNamedTwice(t *testing.T) {
	e := open(t, testConfig())
	req := kmsg.NewPtrCreateTopicsRequest()
	for i := range 500 {
		rt := kmsg.NewCreateTopicsRequestTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = []string{"a", "b"}[i%2], 1, 1
		req.Topics = append(req.Topics, rt)
	}
	resp := rawRequest(t, e, req, 4).(*kmsg.CreateTopicsResponse)
	if len(resp.Topics) != 2 || code.Code(resp.Topics[0].ErrorCode) != code.InvalidRequest {
		t.Errorf("%+v", resp.Topics)
	}
}

// TestRecreatedTopicIsAnother deletes a topic and makes one of the same name: another id, no records, no offsets.
func TestRecreatedTopicIsAnother(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	ctx := testContext(t)
	adm := kadm.NewClient(client(t, e))
	createTopic(t, e, "plain", 1, nil)
	produce(t, client(t, e), "plain", 10)
	commitOffset(t, e, 10)
	old := e.meta.Topic("plain").ID
	if _, err := adm.DeleteTopic(ctx, "plain"); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.DeleteTopic(ctx, "plain"); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("second deletion: %v", err)
	}
	createTopic(t, e, "plain", 1, nil)
	req := produceRequest("", simpleBatch(t, nil))
	req.Topics[0].TopicID = old
	if got := code.Code(rawRequest(t, e, req, 13).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode); got != code.UnknownTopicID {
		t.Errorf("produce by the old id: %v", got)
	}
	for range 2 {
		ends, err := kadm.NewClient(client(t, e)).ListEndOffsets(ctx, "plain")
		if err != nil {
			t.Fatal(err)
		}
		if o, _ := ends.Lookup("plain", 0); o.Offset != 0 {
			t.Errorf("the new topic ends at %d", o.Offset)
		}
		all, err := kadm.NewClient(client(t, e)).FetchOffsets(ctx, "g")
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := all.Lookup("plain", 0); ok {
			t.Error("the group still has an offset")
		}
		if e.meta.Topic("plain").ID == old {
			t.Error("the new topic has the old id")
		}
		closeEngine(t, e)
		e = openAt(t, fs, "data", testConfig())
	}
}

func TestConfigsAndPartitionsChangeAndStay(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	ctx := testContext(t)
	adm := kadm.NewClient(client(t, e))
	hour := "3600000"
	createTopic(t, e, "words", 1, map[string]*string{"retention.ms": &hour})
	policy := "compact"
	if _, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{
		{Op: kadm.AppendConfig, Name: "cleanup.policy", Value: &policy}, {Op: kadm.DeleteConfig, Name: "retention.ms"},
	}, "words"); err != nil {
		t.Fatal(err)
	}
	bad := "x"
	if rs, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "segment.ms", Value: &bad}}, "words"); err != nil || !errors.Is(rs[0].Err, kerr.InvalidConfig) {
		t.Errorf("a bad value: %v, %v", err, rs)
	}
	if rs, err := adm.UpdatePartitions(ctx, 4, "words"); err != nil || rs["words"].Err != nil {
		t.Fatal(err, rs)
	}
	if rs, err := adm.UpdatePartitions(ctx, 2, "words"); err != nil || !errors.Is(rs["words"].Err, kerr.InvalidPartitions) {
		t.Errorf("shrinking: %v, %v", err, rs)
	}
	closeEngine(t, e)
	e = openAt(t, fs, "data", testConfig())
	rcs, err := kadm.NewClient(client(t, e)).DescribeTopicConfigs(ctx, "words")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]kadm.Config{}
	for _, c := range rcs[0].Configs {
		got[c.Key] = c
	}
	if c := got["cleanup.policy"]; c.MaybeValue() != "delete,compact" || c.Source != kmsg.ConfigSourceDynamicTopicConfig {
		t.Errorf("cleanup.policy %q from %v", c.MaybeValue(), c.Source)
	}
	if c := got["retention.ms"]; c.MaybeValue() != "604800000" || c.Source != kmsg.ConfigSourceDefaultConfig {
		t.Errorf("retention.ms %q from %v", c.MaybeValue(), c.Source)
	}
	if s := e.meta.Partition(e.meta.Topic("words"), 3).Settings(); !s.Compact || !s.Delete {
		t.Errorf("settings of the log: %+v", s)
	}
}

func TestDeleteRecordsMovesTheStart(t *testing.T) {
	e := open(t, testConfig())
	ctx := testContext(t)
	createTopic(t, e, "words", 1, nil)
	produce(t, client(t, e, kgo.MaxBufferedRecords(1)), "words", 10)
	adm := kadm.NewClient(client(t, e))
	for _, test := range []struct{ at, want int64 }{{4, 4}, {-1, 10}} {
		var o kadm.Offsets
		o.Add(kadm.Offset{Topic: "words", At: test.at})
		rs, err := adm.DeleteRecords(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if r, _ := rs.Lookup("words", 0); r.Err != nil || r.LowWatermark != test.want {
			t.Errorf("delete before %d: %+v", test.at, r)
		}
	}
	req := fetchRequest("words", 3, 0)
	if got := code.Code(rawRequest(t, e, req, 12).(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode); got != code.OffsetOutOfRange {
		t.Errorf("fetch below the start: %v", got)
	}
}

// TestEngineIsAloneOnItsDirectory opens a directory twice.
func TestEngineIsAloneOnItsDirectory(t *testing.T) {
	fs := vfs.NewMem()
	openAt(t, fs, "data", testConfig())
	if _, err := Open(fs, "data", testConfig()); !errors.Is(err, log.ErrLocked) {
		t.Errorf("second open: %v", err)
	}
}

// TestCloseLeavesNothingRunning ends an engine with clients connected, a fetch and a join waiting.
func TestCloseLeavesNothingRunning(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	e, err := Open(vfs.NewMem(), "data", testConfig())
	if err != nil {
		t.Fatal(err)
	}
	createTopic(t, e, "words", 1, nil)
	c := client(t, e)
	produce(t, c, "words", 5)
	waiting := rawDial(t, e)
	waiting.request(fetchRequest("words", 5, 600_000), 12, 1)
	closeEngine(t, e)
	closeEngine(t, e)
	if _, err := e.Dial(t.Context(), "tcp", e.Addr()); !errors.Is(err, ErrClosed) {
		t.Errorf("dial after close: %v", err)
	}
	c.Close()
	waiting.Close()
	goleak.VerifyNone(t, ignore)
}
