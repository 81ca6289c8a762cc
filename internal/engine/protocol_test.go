package engine

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/wire"
)

// closes checks that the server closes the connection instead of answering.
func (c *rawConn) closes(what string) {
	c.t.Helper()
	if _, _, err := c.receive(); err == nil {
		c.t.Errorf("%s was answered", what)
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		c.t.Errorf("%s neither answered nor closed", what)
	}
}

func TestFramesThatCloseTheConnection(t *testing.T) {
	cfg := testConfig()
	cfg.MaxFrame = 1 << 20
	e := open(t, cfg)
	for name, frame := range map[string][]byte{
		"unknown api key":              header(999, 0, 1, false),
		"negative api key":             header(-1, 0, 1, false),
		"produce v2":                   header(0, 2, 1, false),
		"fetch v3":                     header(1, 3, 1, false),
		"metadata from the future":     header(3, 99, 1, true),
		"metadata cut short":           append(header(3, 1, 1, false), 0, 0),
		"metadata of 2^31-1 topics":    append(header(3, 1, 1, false), 0x7f, 0xff, 0xff, 0xff),
		"client id longer than frame":  {0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, 'x'},
		"join of 2^28 protocols":       append(header(11, 0, 1, false), 0, 1, 'g', 0, 0, 0, 9, 0, 0, 0, 0, 0x10, 0, 0, 0),
		"header with endless tag size": append(header(3, 9, 1, false), 1, 0, 0xff, 0xff, 0xff, 0xff, 0x7f),
	} {
		c := rawDial(t, e)
		c.send(frame)
		c.closes(name)
	}
	for name, head := range map[string][]byte{
		"frame of 2 GiB":         {0x7f, 0xff, 0xff, 0xff},
		"frame above the limit":  {0x00, 0x10, 0x00, 0x01},
		"frame of negative size": {0xff, 0xff, 0xff, 0xff},
		"frame of 4 bytes":       {0, 0, 0, 4},
	} {
		c := rawDial(t, e)
		c.Write(head)
		c.closes(name)
	}
	if _, ok := rawRequest(t, e, kmsg.NewPtrMetadataRequest(), 1).(*kmsg.MetadataResponse); !ok {
		t.Error("the engine does not answer any more")
	}
}

// TestRandomFrames sends well-framed rubbish; the engine must live on.
func TestRandomFrames(t *testing.T) {
	t.Logf("-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 3))
	e := open(t, withLegacy())
	createTopic(t, e, "words", 1, nil)
	keys := []int16{0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 32, 33, 36, 37, 42, 44, 47, 50, 51, 60, 61, 65, 66, 75}
	for range 500 {
		key := keys[r.IntN(len(keys))]
		req := kmsg.RequestForKey(key)
		version := int16(r.IntN(int(req.MaxVersion()) + 1))
		req.SetVersion(version)
		body := req.AppendTo(nil)
		for range 1 + r.IntN(4) { // flip, cut or lengthen a valid request
			switch r.IntN(3) {
			case 0:
				if len(body) > 0 {
					body[r.IntN(len(body))] = byte(r.Uint32())
				}
			case 1:
				body = body[:r.IntN(len(body)+1)]
			case 2:
				body = append(body, make([]byte, r.IntN(8))...)
			}
		}
		c := rawDial(t, e)
		c.send(append(header(key, version, 1, req.IsFlexible()), body...))
		c.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		c.receive()
		c.Close()
	}
	if resp := rawRequest(t, e, kmsg.NewPtrMetadataRequest(), 1).(*kmsg.MetadataResponse); len(resp.Brokers) != 1 {
		t.Errorf("%+v", resp)
	}
}

func TestApiVersionsOfAnUnknownVersion(t *testing.T) {
	e := open(t, testConfig())
	c := rawDial(t, e)
	c.send(header(18, 77, 5, true))
	correlation, body, err := c.receive()
	if err != nil || correlation != 5 {
		t.Fatalf("correlation %d, %v", correlation, err)
	}
	resp := kmsg.NewPtrApiVersionsResponse()
	if err := resp.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	if code.Code(resp.ErrorCode) != code.UnsupportedVersion || len(resp.ApiKeys) < 30 {
		t.Errorf("%v with %d keys", code.Code(resp.ErrorCode), len(resp.ApiKeys))
	}
	// The connection goes on.
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "raw", "1"
	c.request(req, 3, 6)
	if resp := c.response(req).(*kmsg.ApiVersionsResponse); resp.ErrorCode != 0 {
		t.Error(code.Code(resp.ErrorCode))
	}
}

func TestApiVersionsAdvertises(t *testing.T) {
	bothVersions(t, func(t *testing.T, cfg Config) {
		e := open(t, cfg)
		req := kmsg.NewPtrApiVersionsRequest()
		req.ClientSoftwareName, req.ClientSoftwareVersion = "raw", "1"
		resp := rawRequest(t, e, req, 4).(*kmsg.ApiVersionsResponse)
		ranges := map[int16][2]int16{}
		for _, k := range resp.ApiKeys {
			ranges[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
		}
		for key, want := range map[int16][2]int16{0: {0, 13}, 1: {4, 18}, 3: {0, 13}, 11: {0, 9}, 26: {0, 5}} {
			if ranges[key] != want {
				t.Errorf("key %d: %v, want %v", key, ranges[key], want)
			}
		}
		f := resp.FinalizedFeatures
		if len(f) != 2 || f[0].Name != "group.version" || f[0].MaxVersionLevel != 1 || f[1].Name != "transaction.version" || int(f[1].MaxVersionLevel) != cfg.TransactionVersion || resp.FinalizedFeaturesEpoch < 0 {
			t.Errorf("features %+v at epoch %d", f, resp.FinalizedFeaturesEpoch)
		}
	})
}

// TestMetadataOfAllAndOfNone: v0 asks for all with an empty list, v1 with null; and clients are told the address of the
// listener they came by.
func TestMetadataOfAllAndOfNone(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "words", 1, nil)
	for _, test := range []struct {
		version int16
		topics  []kmsg.MetadataRequestTopic
		want    int
	}{
		{0, []kmsg.MetadataRequestTopic{}, 3},
		{1, []kmsg.MetadataRequestTopic{}, 0},
		{1, nil, 3},
		{13, nil, 3},
	} {
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = test.topics
		resp := rawRequest(t, e, req, test.version).(*kmsg.MetadataResponse)
		if len(resp.Topics) != test.want {
			t.Errorf("v%d with %v: %d topics, want %d", test.version, test.topics, len(resp.Topics), test.want)
		}
		if b := resp.Brokers[0]; net.JoinHostPort(b.Host, "9092") != e.Addr() || b.Port != 9092 {
			t.Errorf("v%d: broker at %s:%d", test.version, b.Host, b.Port)
		}
	}
}

// TestTopicsAreMadeOnFirstUse asks for topics that are not there, over listeners of this process, of loopback and of all addresses.
func TestTopicsAreMadeOnFirstUse(t *testing.T) {
	for _, setting := range []wire.Creation{wire.CreateNever, wire.CreateOnLoopback, wire.CreateAlways} {
		cfg := testConfig()
		cfg.AutoCreate, cfg.DefaultPartitions = setting, 3
		e := open(t, cfg)
		conns := map[string]*rawConn{"memory": rawDial(t, e)}
		for name, at := range map[string]string{"loopback": "127.0.0.1:0", "all": "0.0.0.0:0"} {
			l, err := net.Listen("tcp4", at)
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = e.Serve(l) }()
			c, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", fmt.Sprint(l.Addr().(*net.TCPAddr).Port)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			c.SetDeadline(time.Now().Add(20 * time.Second))
			conns[name] = &rawConn{t, c}
		}
		for name, c := range conns {
			made := setting == wire.CreateAlways || setting == wire.CreateOnLoopback && name != "all"
			for _, asked := range []bool{false, true} {
				req := kmsg.NewPtrMetadataRequest()
				topic := kmsg.NewMetadataRequestTopic()
				topic.Topic = kmsg.StringPtr("of-" + name)
				req.Topics, req.AllowAutoTopicCreation = append(req.Topics, topic), asked
				c.request(req, 12, 1)
				got := c.response(req).(*kmsg.MetadataResponse).Topics[0]
				want, partitions := code.UnknownTopicOrPartition, 0
				if asked && made {
					want, partitions = code.None, 3
				}
				if code.Code(got.ErrorCode) != want || len(got.Partitions) != partitions {
					t.Errorf("setting %v, listener %s, request %t: %v, %d partitions", setting, name, asked, code.Code(got.ErrorCode), len(got.Partitions))
				}
			}
			describe := kmsg.NewPtrDescribeConfigsRequest()
			describe.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: "1", ConfigNames: []string{"auto.create.topics.enable"}}}
			c.request(describe, 4, 2)
			if got := c.response(describe).(*kmsg.DescribeConfigsResponse).Resources[0].Configs[0].Value; *got != fmt.Sprint(made) {
				t.Errorf("setting %v, listener %s: auto.create.topics.enable is %s", setting, name, *got)
			}
		}
	}
}

// simpleBatch returns a batch of one record.
func simpleBatch(t *testing.T, key []byte) []byte {
	t.Helper()
	var b batch.Builder
	b.Append(time.Now().UnixMilli(), key, []byte("value"), nil)
	out, err := b.Finish(batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1})
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{}, out...)
}

func produceRequest(topic string, records ...[]byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks = -1
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic = topic
	for _, b := range records {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Records = b
		rt.Partitions = append(rt.Partitions, p)
	}
	req.Topics = append(req.Topics, rt)
	return req
}

// TestBatchAdmission changes one thing in a good batch and looks at what the engine says of it.
func TestBatchAdmission(t *testing.T) {
	e := open(t, testConfig())
	small, compact := "100", "compact"
	createTopic(t, e, "words", 1, nil)
	createTopic(t, e, "small", 1, map[string]*string{"max.message.bytes": &small})
	createTopic(t, e, "compacted", 1, map[string]*string{"cleanup.policy": &compact})
	sealed := func(s batch.Seal) []byte {
		var b batch.Builder
		b.Append(time.Now().UnixMilli(), nil, make([]byte, 50), nil)
		out, err := b.Finish(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	recount := func(b []byte, n uint32) []byte {
		binary.BigEndian.PutUint32(b[57:], n)
		return rechecked(b)
	}
	none := batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1}
	flip := simpleBatch(t, nil)
	flip[len(flip)-1] ^= 1
	shifted := simpleBatch(t, nil)
	batch.SetBaseOffset(shifted, 7)
	magic := simpleBatch(t, nil)
	magic[16] = 1
	for _, test := range []struct {
		name, topic string
		records     []byte
		want        code.Code
	}{
		{"a good batch", "words", simpleBatch(t, nil), code.None},
		{"nothing", "words", nil, code.CorruptMessage},
		{"a header cut short", "words", simpleBatch(t, nil)[:40], code.CorruptMessage},
		{"a flipped bit", "words", flip, code.CorruptMessage},
		{"format 1", "words", magic, code.InvalidRecord},
		{"two batches", "words", append(simpleBatch(t, nil), simpleBatch(t, nil)...), code.InvalidRecord},
		{"a base offset", "words", shifted, code.InvalidRecord},
		{"a count that is not the offsets'", "words", recount(simpleBatch(t, nil), 2), code.InvalidRecord},
		{"a control batch", "words", sealed(batch.Seal{ProducerID: 1, ProducerEpoch: 0, BaseSequence: 0, Control: true, Transactional: true}), code.InvalidRecord},
		{"a producer without a sequence", "words", sealed(batch.Seal{ProducerID: 1, ProducerEpoch: 0, BaseSequence: -1}), code.InvalidRecord},
		{"a transaction without a producer", "words", sealed(batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, Transactional: true}), code.InvalidRecord},
		{"a batch too large", "small", sealed(none), code.MessageTooLarge},
		{"no key in a compacted topic", "compacted", simpleBatch(t, nil), code.InvalidRecord},
		{"a key in a compacted topic", "compacted", simpleBatch(t, []byte("k")), code.None},
		{"no such topic", "nowhere", simpleBatch(t, nil), code.UnknownTopicOrPartition},
		{"a coordinator's topic", "__consumer_offsets", simpleBatch(t, nil), code.InvalidTopic},
	} {
		resp := rawRequest(t, e, produceRequest(test.topic, test.records), 9).(*kmsg.ProduceResponse)
		p := resp.Topics[0].Partitions[0]
		if got := code.Code(p.ErrorCode); got != test.want {
			t.Errorf("%s: %v (%v), want %v", test.name, got, p.ErrorMessage, test.want)
		}
		if test.name == "no key in a compacted topic" && (len(p.ErrorRecords) != 1 || p.ErrorRecords[0].RelativeOffset != 0) {
			t.Errorf("record errors %+v", p.ErrorRecords)
		}
	}
}

// rechecked writes the checksum anew after a change to what it covers.
func rechecked(b []byte) []byte {
	h, err := batch.Parse(b)
	if err != nil {
		panic(err)
	}
	batch.SetTimestampType(b, false, h.MaxTimestamp)
	return b
}

// TestAnswersComeInOrder sends a fetch that waits and, behind it, produces and a heartbeat on one connection.
func TestAnswersComeInOrder(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "words", 1, nil)
	c := rawDial(t, e)
	fetch := fetchRequest("words", 0, 50)
	c.request(fetch, 12, 1)
	for i := range int32(5) {
		c.request(produceRequest("words", simpleBatch(t, nil)), 9, 2+i)
	}
	c.request(kmsg.NewPtrHeartbeatRequest(), 0, 7)
	for want := int32(1); want <= 7; want++ {
		got, _, err := c.receive()
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("answer %d came as number %d", got, want)
		}
	}
}

func fetchRequest(topic string, offset int64, wait int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = wait, 1, 1<<20, -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch, p.LastFetchedEpoch = offset, 1<<20, -1, -1
	rt.Partitions = append(rt.Partitions, p)
	req.Topics = append(req.Topics, rt)
	return req
}

// TestWaitingFetchIsWoken produces while a fetch with a long wait is out, and deletes a topic under another.
func TestWaitingFetchIsWoken(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "words", 1, nil)
	c := rawDial(t, e)
	req := fetchRequest("words", 0, 60_000)
	c.request(req, 12, 1)
	rawRequest(t, e, produceRequest("words", simpleBatch(t, nil)), 9)
	resp := c.response(req).(*kmsg.FetchResponse)
	if p := resp.Topics[0].Partitions[0]; p.ErrorCode != 0 || len(p.RecordBatches) == 0 || p.HighWatermark != 1 {
		t.Errorf("%+v", p)
	}
	req = fetchRequest("words", 1, 60_000)
	c.request(req, 12, 2)
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.TopicNames = []string{"words"}
	rawRequest(t, e, del, 1)
	resp = c.response(req).(*kmsg.FetchResponse)
	if got := code.Code(resp.Topics[0].Partitions[0].ErrorCode); got != code.UnknownTopicOrPartition {
		t.Errorf("after the deletion: %v", got)
	}
}

// TestFetchSessions walks through the life of a session (KIP-227).
func TestFetchSessions(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "words", 1, nil)
	rawRequest(t, e, produceRequest("words", simpleBatch(t, nil)), 9)
	ask := func(id, epoch int32, offset int64, named bool) *kmsg.FetchResponse {
		req := fetchRequest("words", offset, 0)
		req.SessionID, req.SessionEpoch = id, epoch
		if !named {
			req.Topics = nil
		}
		return rawRequest(t, e, req, 12).(*kmsg.FetchResponse)
	}
	full := ask(0, 0, 0, true)
	id := full.SessionID
	if id == 0 || len(full.Topics) != 1 {
		t.Fatalf("full fetch: session %d, %d topics", id, len(full.Topics))
	}
	moved := ask(id, 1, 1, true)
	if len(moved.Topics) != 0 {
		t.Errorf("nothing changed, yet %d topics", len(moved.Topics))
	}
	rawRequest(t, e, produceRequest("words", simpleBatch(t, nil)), 9)
	if next := ask(id, 2, 0, false); len(next.Topics) != 1 || len(next.Topics[0].Partitions[0].RecordBatches) == 0 {
		t.Errorf("new data, yet %d topics", len(next.Topics))
	}
	if got := code.Code(ask(id, 2, 0, false).ErrorCode); got != code.InvalidFetchSessionEpoch {
		t.Errorf("an epoch used before: %v", got)
	}
	if got := code.Code(ask(id+1, 1, 0, false).ErrorCode); got != code.FetchSessionIDNotFound {
		t.Errorf("a session nobody has: %v", got)
	}
	byID := fetchRequest("", 0, 0)
	byID.SessionID, byID.SessionEpoch, byID.Topics = id, 3, nil
	if got := code.Code(rawRequest(t, e, byID, 13).(*kmsg.FetchResponse).ErrorCode); got != code.FetchSessionTopicIDError {
		t.Errorf("a session of names used with ids: %v", got)
	}
	ask(id, -1, 0, false)
	if got := code.Code(ask(id, 3, 0, false).ErrorCode); got != code.FetchSessionIDNotFound {
		t.Errorf("a session that was closed: %v", got)
	}
}

// TestAcksZero is not answered; an error closes the connection.
func TestAcksZero(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "words", 1, nil)
	c := rawDial(t, e)
	good := produceRequest("words", simpleBatch(t, nil))
	good.Acks = 0
	c.request(good, 9, 1)
	c.request(kmsg.NewPtrHeartbeatRequest(), 0, 2)
	if got, _, err := c.receive(); err != nil || got != 2 {
		t.Errorf("answer %d, %v; want that to the heartbeat", got, err)
	}
	bad := produceRequest("nowhere", simpleBatch(t, nil))
	bad.Acks = 0
	c.request(bad, 9, 3)
	if _, _, err := c.receive(); err != io.EOF {
		t.Errorf("after a bad produce with acks=0: %v", err)
	}
}
