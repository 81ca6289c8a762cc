package wire

import (
	"bytes"
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// appendRecords writes values to partition 0 of a topic as one batch.
func appendRecords(t *testing.T, s *Server, topic string, codec batch.Codec, values ...[]byte) {
	t.Helper()
	var b batch.Builder
	for _, v := range values {
		b.Append(1, nil, v, nil)
	}
	out, err := b.Finish(batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, Codec: codec})
	if err != nil {
		t.Fatal(err)
	}
	done, err := s.meta.Partition(s.meta.Topic(topic), 0).Append(log.Append{Batch: out})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.dir.WaitDurable(t.Context(), done.Ticket); err != nil {
		t.Fatal(err)
	}
}

// fetchSets reads topics from their starts as an old client does; most bounds the response.
func fetchSets(t *testing.T, s *Server, version int16, correlation, most int32, topics ...string) []kmsg.FetchResponseTopicPartition {
	t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.SetVersion(version)
	for _, topic := range topics {
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic = topic
		p := kmsg.NewFetchRequestTopicPartition()
		p.PartitionMaxBytes = 100
		rt.Partitions = append(rt.Partitions, p)
		req.Topics = append(req.Topics, rt)
	}
	_, nc := memPipe("c", "test:1")
	c := newConn(s, nc, NewMemListener("test:1"), Security{})
	r := &request{Server: s, conn: c, api: apis[1], version: version, correlation: correlation, body: req}
	f := &fetching{request: r, req: req, resp: req.ResponseKind().(*kmsg.FetchResponse), maxBytes: most}
	f.resolve()
	if err := f.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	var all []kmsg.FetchResponseTopicPartition
	for i := range f.resp.Topics {
		all = append(all, f.resp.Topics[i].Partitions...)
	}
	return all
}

// TestEveryPartitionHasItsTurn has room for one message in a response: before version 3 each partition comes to be the
// one, from then on it is the first.
func TestEveryPartitionHasItsTurn(t *testing.T) {
	s := newTestServer(t)
	topics := []string{"t", "u", "v"}
	for _, topic := range topics[1:] {
		if _, err := s.meta.Create(meta.Spec{Name: topic, Partitions: 1, Replicas: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, topic := range topics {
		appendRecords(t, s, topic, batch.None, []byte(topic), []byte(topic))
	}
	for version := range int16(4) {
		for correlation := range int32(6) {
			for i, p := range fetchSets(t, s, version, correlation, 1, topics...) {
				served := i == int(correlation)%3
				if version == 3 {
					served = i == 0
				}
				if (len(p.RecordBatches) > 0) != served || served && !bytes.HasSuffix(p.RecordBatches, []byte(topics[i])) {
					t.Errorf("version %d, request %d: partition %d has %q", version, correlation, i, p.RecordBatches)
				}
			}
		}
	}
}

// TestABombIsNotReadAgainAndAgain names a partition with a batch that decompresses to much a thousand times.
func TestABombIsNotReadAgainAndAgain(t *testing.T) {
	s := newTestServer(t)
	appendRecords(t, s, "t", batch.Gzip, []byte("small"), make([]byte, 32<<20))
	topics := make([]string, 1000)
	for i := range topics {
		topics[i] = "t"
	}
	read := 0
	for _, p := range fetchSets(t, s, 2, 0, maxFetchBytes, topics...) {
		if len(p.RecordBatches) > 0 {
			read++
		}
	}
	if most := maxWork/(32<<20) + 1; read == 0 || read > most {
		t.Errorf("the batch was read %d times, want at most %d", read, most)
	}
}

// TestSetsShareABuffer: a small answer for each of many partitions must not cost each a buffer.
func TestSetsShareABuffer(t *testing.T) {
	s := newTestServer(t)
	appendRecords(t, s, "t", batch.None, []byte("small"))
	topics := make([]string, 2000)
	for i := range topics {
		topics[i] = "t"
	}
	before := allocated()
	parts := fetchSets(t, s, 2, 0, maxFetchBytes, topics...)
	n := allocated() - before
	for i, p := range parts {
		if !bytes.HasSuffix(p.RecordBatches, []byte("small")) || len(p.RecordBatches) > 60 {
			t.Fatalf("partition %d has %q", i, p.RecordBatches)
		}
	}
	if len(parts) != len(topics) || n > 8<<20 {
		t.Errorf("%d partitions cost %d bytes", len(parts), n)
	}
}
