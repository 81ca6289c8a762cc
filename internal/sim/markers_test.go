package sim

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/kafka"
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
	c, err := kafka.Dial(ctx, kafka.Config{Brokers: strings.Split(addrs, ",")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	topics, err := c.ListTopics(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[transaction]bool{}
	for _, topic := range topics {
		for p := range topic.Partitions {
			if strings.HasPrefix(topic.Name, app+"-") {
				readMarkers(ctx, t, c, kafka.Place{Topic: topic.Name, Partition: int32(p)}, seen)
			}
		}
	}
	return len(seen)
}

// readMarkers adds the transactions whose abort markers lie in a partition.
func readMarkers(ctx context.Context, t testing.TB, c *kafka.Client, at kafka.Place, seen map[transaction]bool) {
	t.Helper()
	for {
		starts, err := c.Ends(ctx, kafka.Begin, at)
		if err != nil {
			t.Fatal(err)
		}
		ends, err := c.Ends(ctx, kafka.End, at)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.ReadRaw(ctx, at, starts[at], ends[at], func(got kafka.Fetched) error {
			for _, b := range got.Batches {
				h, err := batch.Parse(b)
				if err != nil {
					return err
				}
				if !h.Control() {
					continue
				}
				if m, err := batch.ParseMarker(b); err == nil && !m.Commit {
					seen[transaction{h.ProducerID, h.ProducerEpoch}] = true
				}
			}
			return nil
		})
		if err == nil {
			return
		}
		if !errors.Is(err, kafka.ErrOutOfRange) { // purged meanwhile
			t.Fatal(err)
		}
	}
}
