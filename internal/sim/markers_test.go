package sim

import (
	"context"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
)

// transaction is one of a producer's: each has an epoch of its own.
type transaction struct {
	producer int64
	epoch    int16
}

// abortedTransactions counts the transactions of an app whose abort markers lie in its topics, on a broker that has all of
// them. What was compacted or purged since is missing, so there were at least as many.
func abortedTransactions(t testing.TB, addrs, app string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(addrs, ",")...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[transaction]bool{}
	for _, topic := range topics.Sorted() {
		if !strings.HasPrefix(topic.Topic, app+"-") {
			continue
		}
		starts, err := admin.ListStartOffsets(ctx, topic.Topic)
		if err != nil {
			t.Fatal(err)
		}
		ends, err := admin.ListEndOffsets(ctx, topic.Topic)
		if err != nil {
			t.Fatal(err)
		}
		ends.Each(func(end kadm.ListedOffset) {
			start, _ := starts.Lookup(end.Topic, end.Partition)
			for at := start.Offset; at < end.Offset; {
				at = readMarkers(ctx, t, cl, topic, end.Partition, at, seen)
			}
		})
	}
	return len(seen)
}

// readMarkers adds the transactions whose abort markers lie in the batches of one fetch, and returns where to go on.
func readMarkers(ctx context.Context, t testing.TB, cl *kgo.Client, topic kadm.TopicDetail, partition int32, at int64, seen map[transaction]bool) int64 {
	t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MinBytes, req.MaxBytes, req.SessionEpoch = -1, 1, 32<<20, -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = topic.Topic, topic.ID
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = partition, at, 16<<20
	rp.CurrentLeaderEpoch, rp.LastFetchedEpoch, rp.LogStartOffset = -1, -1, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		t.Fatalf("%s-%d@%d: %v", topic.Topic, partition, at, err)
	}
	p := resp.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
		if p.LogStartOffset > at {
			return p.LogStartOffset // purged meanwhile
		}
		t.Fatalf("%s-%d@%d: %v", topic.Topic, partition, at, err)
	}
	next := at
	for data := p.RecordBatches; ; {
		h, err := batch.Parse(data)
		if err != nil {
			break // the last one is cut off
		}
		if h.Control() {
			if m, err := batch.ParseMarker(data[:h.Size()]); err == nil && !m.Commit {
				seen[transaction{h.ProducerID, h.ProducerEpoch}] = true
			}
		}
		next, data = h.LastOffset()+1, data[h.Size():]
	}
	if next == at {
		return p.HighWatermark // nothing is left behind it
	}
	return next
}
