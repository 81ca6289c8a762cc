package engine

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
)

// withLegacy is testConfig for clients of message sets.
func withLegacy() Config {
	cfg := testConfig()
	cfg.Legacy = true
	return cfg
}

// oldMessage is a message as kmsg encodes it, with its size and checksum.
func oldMessage(format, attributes int8, timestamp int64, key, value []byte) []byte {
	v1 := kmsg.MessageV1{Offset: -1, Magic: 1, Attributes: attributes, Timestamp: timestamp, Key: key, Value: value}
	v0 := kmsg.MessageV0{Offset: -1, Attributes: attributes, Key: key, Value: value}
	b := v1.AppendTo(nil)
	if format == 0 {
		b = v0.AppendTo(nil)
	}
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	binary.BigEndian.PutUint32(b[12:], crc32.ChecksumIEEE(b[16:]))
	return b
}

// oldSet is a message set of values, gzipped into one wrapper if asked for.
func oldSet(t *testing.T, format int8, zipped bool, values ...string) []byte {
	t.Helper()
	var set []byte
	for i, v := range values {
		set = append(set, oldMessage(format, 0, 1000+int64(i), []byte("key"), []byte(v))...)
	}
	if !zipped {
		return set
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(set); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return oldMessage(format, 1, 999, nil, out.Bytes())
}

// gotMessage is what an old client makes of a message.
type gotMessage struct {
	offset, timestamp int64
	appendTime        bool
	value             string
}

// readSet reads a message set that is to be of one format and whole.
func readSet(t *testing.T, set []byte, format int8) (all []gotMessage) {
	t.Helper()
	for len(set) > 0 {
		n := 12 + int(binary.BigEndian.Uint32(set[8:]))
		b := set[:n]
		if got := crc32.ChecksumIEEE(b[16:]); got != binary.BigEndian.Uint32(b[12:]) || int8(b[16]) != format {
			t.Fatalf("a message of format %d with checksum %08x: % x", b[16], got, b[:min(n, 40)])
		}
		var m kmsg.MessageV1
		err := m.ReadFrom(b)
		if format == 0 {
			var v0 kmsg.MessageV0
			err = v0.ReadFrom(b)
			m = kmsg.MessageV1{Offset: v0.Offset, Attributes: v0.Attributes, Timestamp: -1, Value: v0.Value}
		}
		if err != nil || m.Attributes&7 != 0 {
			t.Fatalf("%+v: %v", m, err)
		}
		all = append(all, gotMessage{m.Offset, m.Timestamp, m.Attributes&8 != 0, string(m.Value)})
		set = set[n:]
	}
	return all
}

// oldFetch asks for partition 0 of a topic as an old client does, and returns what it gets.
func oldFetch(t *testing.T, e *Engine, version int16, topic string, offset int64, most int32) ([]gotMessage, *kmsg.FetchResponseTopicPartition) {
	t.Helper()
	req := fetchRequest(topic, offset, 0)
	req.Topics[0].Partitions[0].PartitionMaxBytes = most
	p := &rawRequest(t, e, req, version).(*kmsg.FetchResponse).Topics[0].Partitions[0]
	return readSet(t, p.RecordBatches, int8(version/2)), p
}

// oldProduce sends a set to partition 0 of a topic.
func oldProduce(t *testing.T, e *Engine, version int16, topic string, set []byte) *kmsg.ProduceResponseTopicPartition {
	t.Helper()
	return &rawRequest(t, e, produceRequest(topic, set), version).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
}

// oldVersions are those that carry message sets.
var oldVersions = map[int16]int16{0: 2, 1: 3}

// TestOldClientsAreRefusedWithAWayOut has the connection closed, and the log say who came and what to do.
func TestOldClientsAreRefusedWithAWayOut(t *testing.T) {
	var log bytes.Buffer
	cfg := testConfig()
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	e := open(t, cfg)
	n := 0
	for key, last := range oldVersions {
		for version := range last + 1 {
			c := rawDial(t, e)
			c.request(kmsg.RequestForKey(key), version, 1)
			c.closes(fmt.Sprintf("key %d version %d", key, version))
			n++
		}
	}
	closeEngine(t, e)
	if said := strings.Count(log.String(), "-legacy"); said != n || strings.Count(log.String(), `client \"raw\"`) != n {
		t.Errorf("%d requests were refused, the log says\n%s", n, log.String())
	}
}

// TestOldClientsAreTold has the versions advertised.
func TestOldClientsAreTold(t *testing.T) {
	resp := rawRequest(t, open(t, withLegacy()), kmsg.NewPtrApiVersionsRequest(), 0).(*kmsg.ApiVersionsResponse)
	for _, k := range resp.ApiKeys {
		if k.ApiKey <= 1 && k.MinVersion != 0 {
			t.Errorf("key %d from version %d on", k.ApiKey, k.MinVersion)
		}
	}
}

// TestOldAndNewReadEachOther writes by every old version and by a client of today, and reads by both.
func TestOldAndNewReadEachOther(t *testing.T) {
	e := open(t, withLegacy())
	createTopic(t, e, "words", 1, nil)
	var want []gotMessage
	add := func(v string, timestamp int64) {
		want = append(want, gotMessage{int64(len(want)), timestamp, false, v})
	}
	for version := range int16(3) {
		for _, format := range []int8{0, 1} { // pykafka sends format 1 by version 0
			for _, zipped := range []bool{false, true} {
				values := []string{fmt.Sprintf("%d-%d-%t-a", version, format, zipped), "b", ""}
				p := oldProduce(t, e, version, "words", oldSet(t, format, zipped, values...))
				if p.ErrorCode != 0 || p.BaseOffset != int64(len(want)) {
					t.Fatalf("version %d: %v at %d", version, code.Code(p.ErrorCode), p.BaseOffset)
				}
				for i, v := range values {
					add(v, int64(1000+i)*int64(format)-int64(1-format))
				}
			}
		}
	}
	sarama := oldProduce(t, e, 2, "words", simpleBatch(t, nil)) // which goes by its own settings, not by the version
	if sarama.ErrorCode != 0 {
		t.Fatal(code.Code(sarama.ErrorCode))
	}
	for _, c := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		modern := client(t, e, kgo.ProducerBatchCompression(c))
		var records []*kgo.Record
		for i := range 5 {
			records = append(records, &kgo.Record{Topic: "words", Key: []byte("k"), Value: fmt.Appendf(nil, "new-%d", i), Timestamp: time.UnixMilli(5000),
				Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}})
		}
		if err := modern.ProduceSync(testContext(t), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	modern := client(t, e, kgo.ConsumeTopics("words"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var read []gotMessage
	for len(read) < len(want)+26 {
		fs := modern.PollFetches(testContext(t))
		if err := fs.Err0(); err != nil {
			t.Fatal(err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			read = append(read, gotMessage{r.Offset, r.Timestamp.UnixMilli(), false, string(r.Value)})
		})
	}
	if !slices.Equal(read[:len(want)], want) {
		t.Errorf("a client of today reads\n%v, want\n%v", read[:len(want)], want)
	}
	for version := range int16(4) {
		for from := range len(read) + 1 {
			got, p := oldFetch(t, e, version, "words", int64(from), 1<<20)
			want := slices.Clone(read[from:])
			for i := range want {
				if version < 2 {
					want[i].timestamp = -1
				}
			}
			if p.ErrorCode != 0 || p.HighWatermark != int64(len(read)) || !slices.Equal(got, want) {
				t.Fatalf("version %d from %d: %v to %d\n%v, want\n%v", version, from, code.Code(p.ErrorCode), p.HighWatermark, got, want)
			}
		}
	}
	if _, p := oldFetch(t, e, 2, "words", int64(len(read)+1), 1<<20); code.Code(p.ErrorCode) != code.OffsetOutOfRange {
		t.Errorf("beyond the end: %v", code.Code(p.ErrorCode))
	}
}

// TestOldAcksZero is not answered; an error closes the connection.
func TestOldAcksZero(t *testing.T) {
	e := open(t, withLegacy())
	createTopic(t, e, "words", 1, nil)
	c := rawDial(t, e)
	req := produceRequest("words", oldSet(t, 0, false, "a"))
	req.Acks = 0
	c.request(req, 0, 1)
	c.request(kmsg.NewPtrHeartbeatRequest(), 0, 2)
	if got, _, err := c.receive(); err != nil || got != 2 {
		t.Errorf("answer %d, %v; want that to the heartbeat", got, err)
	}
	fetch := fetchRequest("words", 0, 10_000) // nobody has waited until it is durable
	p := rawRequest(t, e, fetch, 0).(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if got := readSet(t, p.RecordBatches, 0); len(got) != 1 || got[0].value != "a" {
		t.Errorf("%v was written", got)
	}
	req.Topics[0].Partitions[0].Records[20] ^= 1
	c.request(req, 0, 3)
	c.closes("a damaged set")
}

// TestOldProduceKeepsTheRules has a set refused for all that a batch is refused for, in codes that its client knows.
func TestOldProduceKeepsTheRules(t *testing.T) {
	e := open(t, withLegacy())
	for topic, config := range map[string][2]string{
		"words": {"retention.ms", "-1"}, "small": {"max.message.bytes", "300"}, "compacted": {"cleanup.policy", "compact"},
		"stamped": {"message.timestamp.type", "LogAppendTime"}, "recent": {"message.timestamp.before.max.ms", "60000"}, "zipped": {"compression.type", "zstd"},
	} {
		createTopic(t, e, topic, 1, map[string]*string{config[0]: &config[1]})
	}
	now := time.Now().UnixMilli()
	flipped := oldSet(t, 1, true, "a", "b")
	flipped[len(flipped)-3] ^= 1
	whole := oldSet(t, 1, false, "a", "b")
	long := strings.Repeat("long", 50)
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	w.Write(oldMessage(1, 0, 0, nil, make([]byte, 10<<20)))
	w.Close()
	for name, test := range map[string]struct {
		topic string
		set   []byte
		want  code.Code
	}{
		"nothing":                         {"words", nil, code.CorruptMessage},
		"a flipped bit":                   {"words", flipped, code.CorruptMessage},
		"a set cut short":                 {"words", whole[:len(whole)-1], code.CorruptMessage},
		"a header alone":                  {"words", oldMessage(1, 0, 0, nil, nil)[:16], code.CorruptMessage},
		"zstd":                            {"words", oldMessage(1, 4, 0, nil, []byte("z")), code.CorruptMessage},
		"a bomb":                          {"words", oldMessage(1, 1, 0, nil, zipped.Bytes()), code.MessageTooLarge},
		"no such topic":                   {"nowhere", whole, code.UnknownTopicOrPartition},
		"a coordinator's topic":           {"__consumer_offsets", whole, code.InvalidTopic},
		"a small message":                 {"small", whole, code.None},
		"a message too large":             {"small", oldSet(t, 1, false, long+long), code.MessageTooLarge},
		"messages too large together":     {"small", oldSet(t, 1, false, long, long), code.MessageTooLarge},
		"no key in a compacted topic":     {"compacted", oldMessage(1, 0, now, nil, []byte("v")), code.CorruptMessage},
		"a key in a compacted topic":      {"compacted", oldSet(t, 0, true, "a"), code.None},
		"a time long past":                {"recent", whole, code.InvalidTimestamp},
		"a time of today":                 {"recent", oldMessage(1, 0, now, nil, nil), code.None},
		"no time where it is bounded":     {"recent", oldSet(t, 0, false, "a"), code.None},
		"a topic with its own time":       {"stamped", whole, code.None},
		"a topic with its own codec":      {"zipped", oldSet(t, 0, true, "a", "b"), code.None},
		"a batch where acks are too many": {"words", whole, code.InvalidRequiredAcks},
	} {
		req := produceRequest(test.topic, test.set)
		if test.want == code.InvalidRequiredAcks {
			req.Acks = 2
		}
		p := rawRequest(t, e, req, 2).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		if got := code.Code(p.ErrorCode); got != test.want || (p.LogAppendTime >= now) != (test.topic == "stamped") {
			t.Errorf("%s: %v at %d, want %v", name, got, p.LogAppendTime, test.want)
		}
	}
	if got, _ := oldFetch(t, e, 2, "stamped", 0, 1<<20); len(got) != 2 || !got[1].appendTime || got[1].timestamp < now {
		t.Errorf("with the log's time: %v", got)
	}
	if got, _ := oldFetch(t, e, 0, "zipped", 0, 1<<20); len(got) != 2 || got[1].value != "b" {
		t.Errorf("with the topic's codec: %v", got)
	}
}

// TestOldClientsNeedACLs asks and writes as a user who may not, then as one who may.
func TestOldClientsNeedACLs(t *testing.T) {
	cfg := guarded()
	cfg.Legacy = true
	e := open(t, cfg)
	addUser(t, e, "ann", "secret", kadm.ScramSha256)
	createTopic(t, e, "words", 1, nil)
	ann := login(t, serveInMemory(t, e), "ann")
	ask := func() (write, read code.Code) {
		req := produceRequest("words", oldSet(t, 1, false, "a"))
		ann.request(req, 2, 1)
		write = code.Code(ann.response(req).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode)
		fetch := fetchRequest("words", 0, 0)
		ann.request(fetch, 3, 2)
		return write, code.Code(ann.response(fetch).(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode)
	}
	if write, read := ask(); write != code.TopicAuthorizationFailed || read != code.TopicAuthorizationFailed {
		t.Errorf("without an ACL: %v, %v", write, read)
	}
	allow(t, e, auth.ACL{Resource: auth.Topic, Name: "words", Principal: "User:ann", Operation: auth.Write})
	allow(t, e, auth.ACL{Resource: auth.Topic, Name: "words", Principal: "User:ann", Operation: auth.Read})
	if write, read := ask(); write != code.None || read != code.None {
		t.Errorf("with ACLs: %v, %v", write, read)
	}
}

// TestOldFetchComesForward reads what is larger than the client asks for, piece by piece, and gets all of it.
func TestOldFetchComesForward(t *testing.T) {
	e := open(t, withLegacy())
	createTopic(t, e, "words", 1, nil)
	modern := client(t, e, kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	var records []*kgo.Record
	for i := range 300 {
		records = append(records, &kgo.Record{Topic: "words", Value: fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", i*3))})
	}
	if err := modern.ProduceSync(testContext(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for version := range int16(4) {
		for _, most := range []int32{0, 1, 500, 20_000} {
			next := int64(0)
			for next < 300 {
				got, p := oldFetch(t, e, version, "words", next, most)
				if p.ErrorCode != 0 || len(got) == 0 || got[0].offset != next || len(p.RecordBatches) > int(most) && len(got) > 1 {
					t.Fatalf("version %d with %d bytes from %d: %v, %d messages of %d bytes", version, most, next, code.Code(p.ErrorCode), len(got), len(p.RecordBatches))
				}
				for _, m := range got {
					if m.value != string(records[next].Value) {
						t.Fatalf("offset %d: %.20q", next, m.value)
					}
					next++
				}
			}
		}
	}
}

// TestOldClientsSeeNoMarkers reads a topic of transactions, aborted ones too as they know of none, and waits at its end
// for more instead of asking for the last marker again and again.
func TestOldClientsSeeNoMarkers(t *testing.T) {
	e := open(t, withLegacy())
	createTopic(t, e, "words", 1, nil)
	teller := client(t, e, kgo.TransactionalID("teller"))
	want := transact(t, teller, "words", "committed", 5, kgo.TryCommit)
	want = append(want, transact(t, teller, "words", "aborted", 5, kgo.TryAbort)...)
	got, p := oldFetch(t, e, 1, "words", 0, 1<<20)
	if p.HighWatermark != 12 || len(got) != 10 {
		t.Fatalf("%d messages below %d: %v", len(got), p.HighWatermark, got)
	}
	for i, m := range got {
		if m.value != want[i] || m.offset != int64(i+i/5) {
			t.Errorf("message %d is %+v, want %q", i, m, want[i])
		}
	}
	c := rawDial(t, e)
	req := fetchRequest("words", 11, 60_000)
	c.request(req, 3, 1)
	oldProduce(t, e, 2, "words", oldSet(t, 1, false, "later"))
	late := c.response(req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if got := readSet(t, late.RecordBatches, 1); len(got) != 1 || got[0].offset != 12 || got[0].value != "later" {
		t.Errorf("at the last marker: %v, %v", code.Code(late.ErrorCode), got)
	}
}

// TestOldListOffsets begins reading at the start, at the end, and by time.
func TestOldListOffsets(t *testing.T) {
	e := open(t, withLegacy())
	createTopic(t, e, "words", 1, nil)
	oldProduce(t, e, 2, "words", oldSet(t, 1, false, "a", "b", "c"))
	for at, want := range map[int64][]int64{-1: {3, 0}, -2: {0}, 1001: {1, 0}, 5000: {3, 0}} {
		req := kmsg.NewPtrListOffsetsRequest()
		req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "words", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: at, MaxNumOffsets: 10}}}}
		p := rawRequest(t, e, req, 0).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
		if p.ErrorCode != 0 || !slices.Equal(p.OldStyleOffsets, want) {
			t.Errorf("time %d: %v, %v, want %v", at, code.Code(p.ErrorCode), p.OldStyleOffsets, want)
		}
	}
}

// TestOldestGroupRequests joins, commits and asks by the first versions of everything.
func TestOldestGroupRequests(t *testing.T) {
	e := open(t, withLegacy())
	createTopic(t, e, "words", 1, nil)
	for version := range int16(2) {
		g := fmt.Sprintf("group-%d", version)
		join := kmsg.NewPtrJoinGroupRequest()
		join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = g, "consumer", 5000, 5000
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = "range", []byte{1}
		join.Protocols = append(join.Protocols, p)
		joined := rawRequest(t, e, join, version).(*kmsg.JoinGroupResponse)
		if joined.ErrorCode != 0 || joined.MemberID == "" || joined.LeaderID != joined.MemberID || len(joined.Members) != 1 {
			t.Fatalf("version %d: %+v", version, joined)
		}
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Group, sync.MemberID, sync.Generation = g, joined.MemberID, joined.Generation
		sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: joined.MemberID, MemberAssignment: []byte{7}}}
		if got := rawRequest(t, e, sync, 0).(*kmsg.SyncGroupResponse); got.ErrorCode != 0 || !bytes.Equal(got.MemberAssignment, []byte{7}) {
			t.Fatalf("version %d: %+v", version, got)
		}
		commit := kmsg.NewPtrOffsetCommitRequest()
		commit.Group, commit.MemberID, commit.Generation = g, joined.MemberID, joined.Generation
		if version == 0 { // which has no member, so its group has to be empty
			leave := kmsg.NewPtrLeaveGroupRequest()
			leave.Group, leave.MemberID = g, joined.MemberID
			if got := rawRequest(t, e, leave, 0).(*kmsg.LeaveGroupResponse).ErrorCode; got != 0 {
				t.Fatal(code.Code(got))
			}
		}
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Offset, part.Metadata = 5+int64(version), kmsg.StringPtr("note")
		commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "words", Partitions: []kmsg.OffsetCommitRequestTopicPartition{part}}}
		if got := rawRequest(t, e, commit, version).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode; got != 0 {
			t.Fatalf("version %d: %v", version, code.Code(got))
		}
		fetch := kmsg.NewPtrOffsetFetchRequest()
		fetch.Group, fetch.Topics = g, []kmsg.OffsetFetchRequestTopic{{Topic: "words", Partitions: []int32{0, 1}}}
		got := rawRequest(t, e, fetch, version).(*kmsg.OffsetFetchResponse).Topics[0].Partitions
		if len(got) != 2 || got[0].Offset != part.Offset || *got[0].Metadata != "note" || got[1].Offset != -1 || got[0].ErrorCode != 0 {
			t.Errorf("version %d: %+v", version, got)
		}
	}
}
