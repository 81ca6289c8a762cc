package kafka

import (
	"fmt"
	"sort"

	"github.com/thalweg/thalweg/internal/batch"
)

// aborted is one aborted transaction of a fetch response.
type aborted struct{ producer, first int64 }

// committed reports of batches, in their order, which are data that was not aborted.
func committed(ab []aborted) func(h *batch.Header, b []byte) bool {
	sort.Slice(ab, func(i, j int) bool { return ab[i].first < ab[j].first })
	open := map[int64]bool{}
	return func(h *batch.Header, b []byte) bool {
		for len(ab) > 0 && ab[0].first <= h.LastOffset() {
			open[ab[0].producer] = true
			ab = ab[1:]
		}
		if h.Control() {
			if m, err := batch.ParseMarker(b); err == nil && !m.Commit {
				delete(open, h.ProducerID)
			}
			return false
		}
		return !h.Transactional() || !open[h.ProducerID]
	}
}

// batches takes a response apart into the batches that keep wants and that hold records from offset from on. next is the
// position behind all of them. What is cut off at the end is left out.
func batches(data []byte, from int64, keep func(h *batch.Header, b []byte) bool) (bs [][]byte, next int64, err error) {
	next = from
	for len(data) >= batch.HeaderSize {
		h, err := batch.Parse(data)
		if err != nil {
			if partial(data) {
				break
			}
			return nil, next, fmt.Errorf("kafka: after offset %d: %w", next, err)
		}
		b := data[:h.Size():h.Size()]
		data = data[h.Size():]
		if err := batch.CheckCRC(b); err != nil {
			return nil, next, fmt.Errorf("kafka: batch at offset %d: %w", h.BaseOffset, err)
		}
		next = max(next, h.LastOffset()+1)
		if keep(&h, b) && h.Count > 0 && h.LastOffset() >= from {
			bs = append(bs, b)
		}
	}
	return bs, next, nil
}

// partial reports whether data is the beginning of a batch that was cut off.
func partial(data []byte) bool {
	if len(data) < 12 {
		return true
	}
	length := int(int32(uint32(data[8])<<24 | uint32(data[9])<<16 | uint32(data[10])<<8 | uint32(data[11])))
	return length >= 0 && 12+length > len(data)
}
