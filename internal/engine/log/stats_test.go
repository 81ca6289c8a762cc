package log

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestStatsCount checks that what the cleaner takes away, by compaction and below the start, is counted to the byte.
func TestStatsCount(t *testing.T) {
	d := mustOpen(t, vfs.NewMem(), testConfig(t))
	compact, short := mustCreate(t, d, 0, compacted()), mustCreate(t, d, 1, Settings{SegmentBytes: 500})
	for i := range 100 {
		mustAppend(t, compact, rows(int64(i), "key", "value"))
		mustAppend(t, short, rows(int64(i), "key", "value"))
	}
	awaitHW(t, short)
	if s := d.Stats(); s.Compactions != 0 || s.Compacted != 0 || s.Expired != 0 {
		t.Fatalf("before the cleaner: %+v", s)
	}
	before := compact.Size()
	mustClean(t, compact)
	s := d.Stats()
	if s.Compactions != 1 || s.Compacted != before-compact.Size() || s.Compacted == 0 || s.Expired != 0 {
		t.Errorf("after a compaction from %d to %d bytes: %+v", before, compact.Size(), s)
	}
	before = short.Size()
	if _, err := short.DeleteRecords(50); err != nil {
		t.Fatal(err)
	}
	if s := d.Stats(); s.Expired != before-short.Size() || s.Expired == 0 {
		t.Errorf("after a deletion from %d to %d bytes: %+v", before, short.Size(), s)
	}
	syncs := uint64(0)
	for _, n := range s.Syncs.Classes {
		syncs += n
	}
	if syncs == 0 {
		t.Error("no sync was counted")
	}
}
