package sim

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// abortedTransactions counts the transactions of an app whose abort markers lie in its topics. What was compacted or purged
// since is missing, so there were at least as many.
func abortedTransactions(t testing.TB, addrs, app string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seeds := kgo.SeedBrokers(strings.Split(addrs, ",")...)
	cl, err := kgo.NewClient(seeds)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range topics.Names() {
		if strings.HasPrefix(name, app+"-") {
			names = append(names, name)
		}
	}
	starts, err := admin.ListStartOffsets(ctx, names...)
	if err != nil {
		t.Fatal(err)
	}
	ends, err := admin.ListEndOffsets(ctx, names...)
	if err != nil {
		t.Fatal(err)
	}
	from, left := map[string]map[int32]kgo.Offset{}, map[string]map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		first, _ := starts.Lookup(o.Topic, o.Partition)
		if o.Offset <= first.Offset {
			return
		}
		if from[o.Topic] == nil {
			from[o.Topic], left[o.Topic] = map[int32]kgo.Offset{}, map[int32]int64{}
		}
		from[o.Topic][o.Partition] = kgo.NewOffset().At(first.Offset)
		left[o.Topic][o.Partition] = o.Offset
	})
	reader, err := kgo.NewClient(seeds, kgo.ConsumePartitions(from), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	return readMarkers(ctx, t, reader, left)
}

// readMarkers reads until the ends, behind which there is nothing, and counts the transactions that were aborted.
func readMarkers(ctx context.Context, t testing.TB, reader *kgo.Client, ends map[string]map[int32]int64) int {
	t.Helper()
	type transaction struct {
		producer int64
		epoch    int16
	}
	seen := map[transaction]bool{}
	for len(ends) > 0 {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Attrs.IsControl() && len(r.Key) >= 4 && binary.BigEndian.Uint16(r.Key[2:]) == 0 {
				seen[transaction{r.ProducerID, r.ProducerEpoch}] = true
			}
			if r.Offset+1 >= ends[r.Topic][r.Partition] {
				delete(ends[r.Topic], r.Partition)
			}
			if len(ends[r.Topic]) == 0 {
				delete(ends, r.Topic)
			}
		})
	}
	return len(seen)
}
