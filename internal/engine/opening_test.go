package engine

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// TestWhatIsTooMuchForOneRequestIsDoneByMore writes batches to many partitions of a topic that opens them, which compress so
// well that one request carries them all and may not decompress them all, and asks for a time in each.
func TestWhatIsTooMuchForOneRequestIsDoneByMore(t *testing.T) {
	const partitions, each = 24, 900
	e := open(t, testConfig())
	policy := "compact"
	createTopic(t, e, "c", partitions, map[string]*string{"cleanup.policy": &policy})
	c := client(t, e, kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.ProducerLinger(time.Second), kgo.ProducerBatchMaxBytes(1<<20),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	began := time.Now().Truncate(time.Millisecond)
	value := make([]byte, 1000)
	for i := range each {
		for p := range int32(partitions) {
			r := &kgo.Record{Topic: "c", Partition: p, Key: fmt.Append(nil, i), Value: value, Timestamp: began.Add(time.Duration(i) * time.Millisecond)}
			c.Produce(testContext(t), r, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	if err := c.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
	adm := kadm.NewClient(c)
	ends, err := adm.ListEndOffsets(testContext(t), "c")
	if err != nil {
		t.Fatal(err)
	}
	times, err := adm.ListOffsetsAfterMilli(testContext(t), began.UnixMilli()+each/2, "c")
	if err != nil {
		t.Fatal(err)
	}
	for p := range int32(partitions) {
		if end, _ := ends.Lookup("c", p); end.Err != nil || end.Offset != each {
			t.Errorf("partition %d ends at %d (%v), want %d", p, end.Offset, end.Err, each)
		}
		if at, _ := times.Lookup("c", p); at.Err != nil || at.Offset != each/2 {
			t.Errorf("partition %d: time at offset %d (%v), want %d", p, at.Offset, at.Err, each/2)
		}
	}
}

// TestStoredAsTheTopicSays writes with each codec to topics of each, reads it back, and looks at what is stored.
func TestStoredAsTheTopicSays(t *testing.T) {
	e := open(t, testConfig())
	want := map[string]batch.Codec{"uncompressed": batch.None, "gzip": batch.Gzip, "snappy": batch.Snappy, "lz4": batch.LZ4, "zstd": batch.Zstd}
	for kind := range want {
		createTopic(t, e, kind, 1, map[string]*string{"compression.type": &kind})
	}
	sent := 0
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		c := client(t, e, kgo.ProducerBatchCompression(codec))
		for kind := range want {
			for i := range 3 {
				r := &kgo.Record{Topic: kind, Value: bytes.Repeat(fmt.Append(nil, sent+i, ";"), 1+40_000*i), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}}
				if i > 0 {
					r.Key = []byte("k")
				}
				c.Produce(testContext(t), r, func(_ *kgo.Record, err error) {
					if err != nil {
						t.Error(err)
					}
				})
			}
		}
		if err := c.Flush(testContext(t)); err != nil {
			t.Fatal(err)
		}
		sent += 3
	}
	for kind, codec := range want {
		reader := client(t, e, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{kind: {0: kgo.NewOffset().AtStart()}}))
		var read []*kgo.Record
		for len(read) < sent {
			f := reader.PollFetches(testContext(t))
			if f.Err() != nil {
				t.Fatal(f.Err())
			}
			read = append(read, f.Records()...)
		}
		for i, r := range read {
			n := i % 3
			if string(r.Value) != strings.Repeat(fmt.Sprint(i, ";"), 1+40_000*n) || (r.Key == nil) != (n == 0) || len(r.Headers) != 1 || r.Offset != int64(i) {
				t.Fatalf("%s: record %d is %q at %d with %d bytes and %v", kind, i, r.Key, r.Offset, len(r.Value), r.Headers)
			}
		}
		c, err := e.meta.Partition(e.meta.Topic(kind), 0).Read(log.Read{Max: 1 << 30, MinOne: true})
		if err != nil {
			t.Fatal(err)
		}
		for b := c.Data; len(b) > 0; {
			h, err := batch.Parse(b)
			if err != nil || h.Codec() != codec {
				t.Fatalf("%s: batch at %d is stored with %v, %v", kind, h.BaseOffset, h.Codec(), err)
			}
			b = b[h.Size():]
		}
	}
}

// TestStoredTimesAreOfTheRecords produces a batch whose header says a later time than its records, to a topic that compresses
// it anew: what is stored, and lookups, say the records' own.
func TestStoredTimesAreOfTheRecords(t *testing.T) {
	e := open(t, testConfig())
	kind := "gzip"
	createTopic(t, e, "zipped", 1, map[string]*string{"compression.type": &kind})
	now := time.Now().UnixMilli()
	var b batch.Builder
	for i := range int64(3) {
		b.Append(now+i, nil, []byte("value"), nil)
	}
	lying, err := b.Finish(batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1})
	if err != nil {
		t.Fatal(err)
	}
	batch.SetTimestampType(lying, false, now+1000)
	if p := rawRequest(t, e, produceRequest("zipped", lying), 9).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; p.ErrorCode != 0 {
		t.Fatalf("produce: %v", kerr.ErrorForCode(p.ErrorCode))
	}
	c, err := e.meta.Partition(e.meta.Topic("zipped"), 0).Read(log.Read{Max: 1 << 20, MinOne: true})
	if err != nil {
		t.Fatal(err)
	}
	if h, err := batch.Parse(c.Data); err != nil || h.MaxTimestamp != now+2 || h.Codec() != batch.Gzip {
		t.Errorf("the stored batch has the time %d and the codec %v, %v; want %d", h.MaxTimestamp, h.Codec(), err, now+2)
	}
	at, err := kadm.NewClient(client(t, e)).ListMaxTimestampOffsets(testContext(t), "zipped")
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := at.Lookup("zipped", 0); o.Err != nil || o.Offset != 2 || o.Timestamp != now+2 {
		t.Errorf("the greatest time is %d at offset %d, %v; want %d at 2", o.Timestamp, o.Offset, o.Err, now+2)
	}
}

// TestBatchLargerThanTheTopicTakesIsNotLookedInto lowers max.message.bytes below the size of a batch that is there: a lookup then
// answers with its first record, from which on nothing is missed.
func TestBatchLargerThanTheTopicTakesIsNotLookedInto(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "words", 1, nil)
	now := time.Now().UnixMilli()
	var b batch.Builder
	for i := range int64(100) {
		b.Append(now+i, nil, []byte("value"), nil)
	}
	large, err := b.Finish(batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, Codec: batch.Gzip})
	if err != nil {
		t.Fatal(err)
	}
	if p := rawRequest(t, e, produceRequest("words", large), 9).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; p.ErrorCode != 0 {
		t.Fatalf("produce: %v", kerr.ErrorForCode(p.ErrorCode))
	}
	adm := kadm.NewClient(client(t, e))
	for _, c := range []struct {
		most      int
		at, stamp int64
	}{{len(large), 50, now + 50}, {len(large) - 1, 0, now + 99}} {
		most := fmt.Sprint(c.most)
		if rs, err := adm.AlterTopicConfigs(testContext(t), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &most}}, "words"); err != nil || rs[0].Err != nil {
			t.Fatalf("max.message.bytes: %v, %v", err, rs)
		}
		found, err := adm.ListOffsetsAfterMilli(testContext(t), now+50, "words")
		if err != nil {
			t.Fatal(err)
		}
		if o, _ := found.Lookup("words", 0); o.Err != nil || o.Offset != c.at || o.Timestamp != c.stamp {
			t.Errorf("a batch of %d bytes where %d are allowed: offset %d with the time %d, %v; want %d with %d", len(large), c.most, o.Offset, o.Timestamp, o.Err, c.at, c.stamp)
		}
	}
}
