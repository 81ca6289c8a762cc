package log

import (
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestReadersMeetRetention removes the segment that a reader has found, before it looks into its index: it is told what is so by
// then, and the partition stays online.
func TestReadersMeetRetention(t *testing.T) {
	fs := &watchedFS{FS: vfs.NewMem()}
	d := mustOpen(t, fs, testConfig(t))
	p := mustCreate(t, d, 0, Settings{SegmentBytes: 500, IndexIntervalBytes: 1})
	for i := range 60 {
		mustAppend(t, p, rows(int64(i), "key", "value"))
	}
	awaitHW(t, p)
	meets := func(start int64, f func()) {
		t.Helper()
		if err := p.flush(); err != nil {
			t.Fatal(err)
		}
		for range 2 { // nothing of the segments is in use
			p.sweep()
		}
		removed := make(chan error, 1)
		var found *segment
		segments := p.segments
		fs.opened = func(name string) {
			i := slices.IndexFunc(segments, func(s *segment) bool { return s.path(indexExt) == name })
			if i < 0 || found != nil {
				return
			}
			found = segments[i]
			go func() {
				_, err := p.DeleteRecords(start)
				removed <- err
			}()
			for !found.file.gone() {
				runtime.Gosched()
			}
		}
		f()
		if fs.opened = nil; found == nil {
			t.Fatal("void: no index was looked into")
		}
		if err := <-removed; err != nil {
			t.Fatal(err)
		}
		if err := p.Err(); err != nil {
			t.Fatal(err)
		}
	}
	meets(15, func() {
		if c, err := p.Read(Read{Offset: 0, Max: 100}); !errors.Is(err, ErrOutOfRange) || len(c.Data) > 0 {
			t.Errorf("read %d bytes, %v", len(c.Data), err)
		}
	})
	meets(30, func() {
		if at, when, ok, err := finder().AtTime(p, 20, false); at != 30 || when != 30 || !ok || err != nil {
			t.Errorf("lookup by time: %d at %d, %v, %v", at, when, ok, err)
		}
	})
	if _, err := p.DeleteRecords(31); err != nil { // within a segment: its greatest time has to be looked for
		t.Fatal(err)
	}
	meets(45, func() {
		if at, when, ok, err := finder().MaxTime(p); at != 59 || when != 59 || !ok || err != nil {
			t.Errorf("the greatest time: %d at %d, %v, %v", at, when, ok, err)
		}
	})
}
