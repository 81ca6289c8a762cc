package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestSplicedFetchIsWhatKmsgEncodes encodes random responses in every version both ways.
func TestSplicedFetchIsWhatKmsgEncodes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for version := int16(0); version <= 18; version++ {
		for range 50 {
			resp := randomFetch(rng, version)
			r := &request{resp: resp, correlation: 7, version: version}
			want := r.resp.AppendTo(nil)
			got := bytes.Join(r.encode(nil), nil)
			head := len(got) - len(want)
			if !bytes.HasSuffix(got, want) || head != 8 && (head != 9 || !resp.IsFlexible()) {
				t.Fatalf("version %d: %+v\n got %x\nwant %x", version, resp, got, want)
			}
			if n := int(got[0])<<24 | int(got[1])<<16 | int(got[2])<<8 | int(got[3]); n != len(got)-4 {
				t.Fatalf("version %d: a frame of %d bytes says %d", version, len(got)-4, n)
			}
		}
	}
}

func randomFetch(rng *rand.Rand, version int16) *kmsg.FetchResponse {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version, resp.SessionID, resp.ThrottleMillis, resp.ErrorCode = version, rng.Int32(), rng.Int32(), int16(rng.IntN(100))
	for range rng.IntN(4) {
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic = string(make([]byte, rng.IntN(200)))
		topic.TopicID[3] = byte(rng.Int())
		for range rng.IntN(5) {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition, p.ErrorCode, p.HighWatermark, p.LastStableOffset, p.LogStartOffset = rng.Int32(), 1, rng.Int64(), rng.Int64(), rng.Int64()
			p.RecordBatches = make([]byte, rng.IntN(3)*rng.IntN(40_000))
			for i := range p.RecordBatches {
				p.RecordBatches[i] = byte(i)
			}
			for range rng.IntN(3) {
				a := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
				a.ProducerID, a.FirstOffset = rng.Int64(), rng.Int64()
				p.AbortedTransactions = append(p.AbortedTransactions, a)
			}
			if rng.IntN(3) == 0 {
				p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = rng.Int32(), rng.Int64()
			}
			topic.Partitions = append(topic.Partitions, p)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}
