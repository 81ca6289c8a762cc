package wire

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// coldTopic writes batches of a record to a topic of four segments with index entries as they are asked for.
func coldTopic(t *testing.T, s *Server, name, interval string, batches int) {
	t.Helper()
	var p *log.Partition
	var last log.Ticket
	for i := range batches {
		var b batch.Builder
		b.Append(int64(i), nil, []byte("value"), nil)
		row, err := b.Finish(batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1})
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			configs := map[string]string{"index.interval.bytes": interval, "segment.bytes": strconv.Itoa(batches / 4 * len(row))}
			topic, err := s.meta.Create(meta.Spec{Name: name, Partitions: 1, Replicas: 1, Configs: configs})
			if err != nil {
				t.Fatal(err)
			}
			p = s.meta.Partition(topic, 0)
		}
		done, err := p.Append(log.Append{Batch: slices.Clone(row)})
		if err != nil {
			t.Fatal(err)
		}
		last = done.Ticket
	}
	if err := s.dir.WaitDurable(t.Context(), last); err != nil {
		t.Fatal(err)
	}
}

// TestPlacesThatNobodyReadsCostLittle reads and looks for times in the old part of a log, one place, and as many as may be named:
// among a hundred thousand index entries, which must not come into memory, and among as few as a topic may have.
func TestPlacesThatNobodyReadsCostLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("short tests say nothing of costs")
	}
	s := newTestServer(t, withLegacy)
	warmUp(t, s)
	const batches, place = 100_000, 12_500
	for topic, interval := range map[string]string{"dense": "1", "sparse": strconv.Itoa(math.MaxInt32)} {
		coldTopic(t, s, topic, interval, batches)
		for _, parts := range []int{1, 2000, maxBulk - 10} {
			for _, version := range []int16{2, 12} {
				req := fetchOf(version, place, []string{topic})
				req.MaxBytes = 50 << 20
				req.Rack = strings.Repeat("r", 100*parts) // bytes for which elements are taken
				rt := &req.Topics[0]
				rt.Partitions[0].PartitionMaxBytes = 100
				rt.Partitions = slices.Repeat(rt.Partitions, parts)
				if frame := frameOf(req, 0); opened(s, slices.Clone(frame)) != nil {
					checkCost(t, s, fmt.Sprintf("%s: version %d of %d places", topic, version, parts), func() []byte { return slices.Clone(frame) })
				}
			}
			for _, at := range []int64{place - 5, timeMax} {
				frame := frameOf(timesOf([]string{topic}, slices.Repeat([]int64{at}, parts)...), 0)
				if opened(s, slices.Clone(frame)) != nil {
					checkCost(t, s, fmt.Sprintf("%s: %d lookups of %d", topic, parts, at), func() []byte { return slices.Clone(frame) })
				}
			}
		}
	}
}
