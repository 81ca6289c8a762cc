package engine

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

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
