package wire

import (
	"bytes"
	"context"
	"slices"
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
func fetchSets(t *testing.T, s *Server, version int16, correlation, most int32, topics ...string) (all []kmsg.FetchResponseTopicPartition, buffers int) {
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
	for i := range f.resp.Topics {
		all = append(all, f.resp.Topics[i].Partitions...)
	}
	return all, len(f.buffers)
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
			parts, _ := fetchSets(t, s, version, correlation, 1, topics...)
			for i, p := range parts {
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

// TestALargeMessageIsReturnedWhole: each partition has one, beyond what is asked of it, if the response has room.
func TestALargeMessageIsReturnedWhole(t *testing.T) {
	s := newTestServer(t)
	appendRecords(t, s, "t", batch.None, make([]byte, 300), make([]byte, 300))
	parts, _ := fetchSets(t, s, 3, 0, 900, "t", "t", "t")
	for i, want := range []int{334, 334, 0} {
		if got := len(parts[i].RecordBatches); got != want {
			t.Errorf("partition %d has %d bytes, want %d", i, got, want)
		}
	}
}

// TestABombIsNotReadAgainAndAgain names a partition with a batch that decompresses to much a thousand times.
func TestABombIsNotReadAgainAndAgain(t *testing.T) {
	s := newTestServer(t)
	appendRecords(t, s, "t", batch.Gzip, make([]byte, 7<<20))
	topics := slices.Repeat([]string{"t"}, 1000)
	read := 0
	parts, _ := fetchSets(t, s, 2, 0, maxFetchBytes, topics...)
	for _, p := range parts {
		if len(p.RecordBatches) > 0 {
			read++
		}
	}
	if most := maxWork/(7<<20) + 1; read == 0 || read > most {
		t.Errorf("the batch was read %d times, want at most %d", read, most)
	}
}

// TestSetsShareABuffer: a small answer for each of many partitions must not cost each a buffer.
func TestSetsShareABuffer(t *testing.T) {
	s := newTestServer(t)
	if _, err := s.meta.Create(meta.Spec{Name: "u", Partitions: 1, Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	topics := slices.Repeat([]string{"t", "u"}, 1000)
	for _, topic := range topics[:2] {
		appendRecords(t, s, topic, batch.None, []byte("small "+topic))
	}
	parts, buffers := fetchSets(t, s, 2, 0, maxFetchBytes, topics...)
	for i, p := range parts {
		if !bytes.HasSuffix(p.RecordBatches, []byte("small "+topics[i/1000])) || len(p.RecordBatches) > 60 { // the answer has all of a topic together
			t.Fatalf("partition %d has %q", i, p.RecordBatches)
		}
	}
	if len(parts) != len(topics) || buffers > 100 {
		t.Errorf("%d partitions are in %d buffers", len(parts), buffers)
	}
}
