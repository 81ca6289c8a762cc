package log

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestReadsPassBatchesThatTheTailLacks reads from everywhere a log of batches that memory holds and of larger ones that it
// does not, of which some stand alone and some in a row.
func TestReadsPassBatchesThatTheTailLacks(t *testing.T) {
	d := mustOpen(t, vfs.NewCrashableMem(), testConfig(t))
	defer d.Close()
	p := mustCreate(t, d, 0, Settings{SegmentBytes: 100 << 20})
	rng, large := newRand(t), strings.Repeat("x", tailBatchMax)
	const n = 120
	var last Appended
	for i := range n {
		value := "small"
		if rng.IntN(3) == 0 {
			value = large
		}
		last = mustAppend(t, p, rows(int64(i), fmt.Sprint("k", i), value))
	}
	if len(p.tail.chunks) < 2 {
		t.Fatalf("the tail has %d chunks: nothing stands between what it holds", len(p.tail.chunks))
	}
	mustDurable(t, d, last.Ticket)
	awaitHW(t, p)
	for from := range int64(n) {
		for _, max := range []int32{1, 20_000, 1 << 20} {
			got := readRows(t, p, from, Read{Max: max, MinOne: true})
			if len(got) != n-int(from) || got[0].key != fmt.Sprint("k", from) || got[len(got)-1].key != fmt.Sprint("k", n-1) {
				t.Fatalf("from %d, at most %d bytes at once: %d records", from, max, len(got))
			}
		}
	}
}
