package wire

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/internal/batch"
)

// manyOf returns a request that writes a batch, or a message set, so often to partition 0 of a topic that it is of size bytes.
func manyOf(version int16, topic string, b []byte, size int) []byte {
	req := produceOf(version, []string{topic}, b)
	rt := &req.Topics[0]
	rt.Partitions = slices.Repeat(rt.Partitions, size/(len(b)+9))
	return frameOf(req, 0)
}

// TestManyBatchesCostLittle sends the smallest batches, and the smallest message sets, as many as fit into a frame, and into
// frames that are longer.
func TestManyBatchesCostLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("short tests say nothing of costs")
	}
	s := newTestServer(t, withLegacy)
	warmUp(t, s)
	for _, c := range []batch.Codec{batch.None, batch.Gzip, batch.Snappy, batch.LZ4, batch.Zstd} {
		b := packed(t, c, tiny(1, true), 1)
		set := message(batch.None, nil)
		if c != batch.None && c != batch.Zstd {
			inner, err := batch.Compress(nil, set, c)
			if err != nil {
				t.Fatal(err)
			}
			set = message(c, inner)
		}
		for topic := range testTopics {
			for _, size := range []int{1 << 20, 8 << 20} {
				for version, b := range map[int16][]byte{9: b, 2: set} {
					frame := manyOf(version, topic, b, size)
					if opened(s, slices.Clone(frame)) == nil {
						continue // closes the connection
					}
					checkCost(t, s, fmt.Sprintf("%v to %s in version %d", c, topic, version), func() []byte { return slices.Clone(frame) })
				}
			}
		}
	}
}

// TestLongFramesCostLittleMore sends frames of eight batches that cost most, and of such that mean well.
func TestLongFramesCostLittleMore(t *testing.T) {
	if testing.Short() {
		t.Skip("short tests say nothing of costs")
	}
	s := newTestServer(t, withLegacy)
	warmUp(t, s)
	each := *hostileSize - 200
	for name, b := range hostile(t, each) {
		for _, topic := range []string{"compact", "gzip", "zstd"} {
			checkCost(t, s, name+" to "+topic, func() []byte { return manyOf(9, topic, b, 8*(len(b)+20)) })
		}
	}
	for name, b := range hostileSets(t, each) {
		checkCost(t, s, name, func() []byte { return manyOf(2, "compact", b, 8*(len(b)+20)) })
	}
	n := each / 10
	plain := packed(t, batch.None, tiny(n, true), n)
	for topic := range testTopics {
		checkCost(t, s, "records to "+topic, func() []byte { return manyOf(9, topic, plain, 8*(len(plain)+20)) })
	}
}

// TestFetchOfManyPartitionsCostsLittle reads the same partition as often as may be named, a batch each time, or nothing.
func TestFetchOfManyPartitionsCostsLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("short tests say nothing of costs")
	}
	s := newTestServer(t, withLegacy)
	warmUp(t, s)
	b := packed(t, batch.None, tiny(1, true), 1)
	exchange(t.Context(), s, manyOf(9, "t", b, 200<<10), nil)
	for _, parts := range []int{1000, 20_000, maxBulk - 10} {
		for _, most := range []int32{0, 1, 100, 1 << 20} {
			for _, version := range []int16{2, 12} {
				req := fetchOf(version, 5, []string{"t"})
				req.MaxBytes = 50 << 20
				req.Rack = strings.Repeat("r", 2<<20) // bytes for which elements are taken
				rt := &req.Topics[0]
				rt.Partitions[0].PartitionMaxBytes = most
				rt.Partitions = slices.Repeat(rt.Partitions, parts)
				frame := frameOf(req, 0)
				if opened(s, slices.Clone(frame)) == nil {
					continue
				}
				checkCost(t, s, fmt.Sprintf("version %d of %d, %d bytes each", version, parts, most), func() []byte { return slices.Clone(frame) })
			}
		}
	}
}
