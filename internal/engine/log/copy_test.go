package log

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// watchedFS calls opened before a file is opened for reading, and created before one is made.
type watchedFS struct {
	vfs.FS
	opened, created func(name string)
}

func (w *watchedFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if w.opened != nil {
		w.opened(name)
	}
	return w.FS.Open(name, opts...)
}

func (w *watchedFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if w.created != nil {
		w.created(name)
	}
	return w.FS.Create(name, c)
}

// openCopy cuts the power and opens the copy that is there.
func openCopy(t *testing.T, fs *vfs.MemFS) *Dir {
	t.Helper()
	d, err := Open(fs.CrashClone(vfs.CrashCloneCfg{}), "copy", testConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// TestCopyIsOfOneMoment appends to all logs, the last first, and moves a log start, whenever a manifest is taken: all of it comes before
// the moment of the copy, and most after the manifest of its log. What is appended once segments are copied does not belong to it.
func TestCopyIsOfOneMoment(t *testing.T) {
	mem := vfs.NewCrashableMem()
	fs := &watchedFS{FS: mem}
	cfg := testConfig(t)
	cfg.WALBytes = 32 << 10
	d := mustOpen(t, fs, cfg)
	var logs []*Partition
	for n := range int32(4) {
		logs = append(logs, mustCreate(t, d, n, Settings{SegmentBytes: 20_000}))
	}
	appended := 0
	appendAll := func(value string) {
		for n := len(logs) - 1; n >= 0; n-- {
			appended++
			mustDurable(t, d, mustAppend(t, logs[n], rows(int64(appended), fmt.Sprint("k", appended), value)).Ticket)
		}
	}
	for range 10 {
		appendAll(strings.Repeat("before", 200))
	}
	d.flushOld()
	fs.opened = func(name string) {
		if strings.HasSuffix(name, "/"+manifestFile) && strings.HasPrefix(name, "data/") {
			appendAll(strings.Repeat("meanwhile", 200))
			if err := logs[0].moveStart(logs[0].Offsets().HW - 3); err != nil {
				t.Error(err)
			}
		}
	}
	var want [][]row
	var starts []int64
	turned := false
	target := &watchedFS{FS: mem}
	target.created = func(name string) {
		if !strings.HasSuffix(name, logExt) && !strings.HasSuffix(name, walExt) {
			return
		}
		if want == nil {
			for _, p := range logs {
				want = append(want, readRows(t, p, p.Offsets().Start, Read{Max: 1 << 20}))
				starts = append(starts, p.Offsets().Start)
			}
		}
		appendAll("after")
		if strings.HasSuffix(name, walExt) && !turned { // two files are full and flushed: they may not be used again yet
			turned = true
			for range 2 {
				d.flushOld()
				for range 8 { // appends wait for more files than that
					appendAll(strings.Repeat("after", 200))
				}
			}
		}
	}
	done, err := d.Copy(t.Context(), target, "copy")
	if err != nil {
		t.Fatal(err)
	}
	if appended < 4*(10+4+1) || done.Logs != 4 {
		t.Fatalf("%d appends, %+v", appended, done)
	}
	c := openCopy(t, mem)
	for n, p := range logs {
		q := c.Get(p.id)
		o := q.Offsets()
		if got := readRows(t, q, o.Start, Read{Max: 1 << 20}); !reflect.DeepEqual(got, want[n]) || o.Start != starts[n] {
			t.Errorf("log %d starts at %d and has %d rows, want %d and %d", n, o.Start, len(got), starts[n], len(want[n]))
		}
	}
}

// TestCopyLetsTheWALGo fills many WAL files while segments are copied: appends do not wait for the copy.
func TestCopyLetsTheWALGo(t *testing.T) {
	mem := vfs.NewCrashableMem()
	cfg := testConfig(t)
	cfg.WALBytes = 16 << 10
	d := mustOpen(t, mem, cfg)
	p := mustCreate(t, d, 0, Settings{})
	value := strings.Repeat("v", 8<<10)
	mustDurable(t, d, mustAppend(t, p, rows(1, "k", value)).Ticket)
	target := &watchedFS{FS: mem, created: func(name string) {
		for n := 0; n < 8*walFilesSoft && strings.HasSuffix(name, logExt); n++ {
			mustDurable(t, d, mustAppend(t, p, rows(1, "k", value)).Ticket)
		}
	}}
	if _, err := d.Copy(t.Context(), target, "copy"); err != nil {
		t.Fatal(err)
	}
	if o := openCopy(t, mem).Get(p.id).Offsets(); o.HW != 1 {
		t.Errorf("the copy: %+v", o)
	}
}

// TestCopyOfWhatIsOffline names the log that no copy can be made of, and lets go of everything.
func TestCopyOfWhatIsOffline(t *testing.T) {
	mem := vfs.NewCrashableMem()
	d := mustOpen(t, mem, testConfig(t))
	p := mustCreate(t, d, 0, Settings{})
	p.fail(errors.New("a bad disk"))
	for range 2 {
		if _, err := d.Copy(context.Background(), mem, "copy"); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "a bad disk") {
			t.Errorf("an offline log: %v", err)
		}
	}
}

// TestCopyHasWhatFollowsTheFlush appends to a log whose manifest is just being written, and nothing after that.
func TestCopyHasWhatFollowsTheFlush(t *testing.T) {
	mem := vfs.NewCrashableMem()
	fs := &watchedFS{FS: mem}
	cfg := testConfig(t)
	cfg.WALBytes = 1 << 20 // nobody flushes but the copy
	d := mustOpen(t, fs, cfg)
	p := mustCreate(t, d, 0, Settings{})
	mustDurable(t, d, mustAppend(t, p, rows(1, "k", "v")).Ticket)
	fs.created = func(name string) {
		if strings.HasSuffix(name, "/"+manifestFile+tmpSuffix) {
			mustDurable(t, d, mustAppend(t, p, rows(2, "k", "w")).Ticket)
		}
	}
	if _, err := d.Copy(t.Context(), mem, "copy"); err != nil {
		t.Fatal(err)
	}
	fs.created = nil
	if o := openCopy(t, mem).Get(p.id).Offsets(); o.HW != 2 {
		t.Errorf("the copy: %+v", o)
	}
}
