package kafka

import (
	"fmt"
	"sort"

	"github.com/thalweg/thalweg/internal/batch"
)

// aborted is one aborted transaction of a fetch response.
type aborted struct{ producer, first int64 }

// committedBatches parts what a read_committed fetch returned into batches of records that count: neither markers nor
// batches of aborted transactions. next is the position after the last whole batch. A partial batch at the end is left
// out, whoever fetches on gets it.
func committedBatches(data []byte, from int64, ab []aborted) (bs [][]byte, next int64, err error) {
	sort.Slice(ab, func(i, j int) bool { return ab[i].first < ab[j].first })
	open := map[int64]bool{}
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
		for len(ab) > 0 && ab[0].first <= h.LastOffset() {
			open[ab[0].producer] = true
			ab = ab[1:]
		}
		next = max(next, h.LastOffset()+1)
		switch {
		case h.Control():
			if m, err := batch.ParseMarker(b); err == nil && !m.Commit {
				delete(open, h.ProducerID)
			}
		case h.Transactional() && open[h.ProducerID]:
		case h.Count == 0 || h.LastOffset() < from:
		default:
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
