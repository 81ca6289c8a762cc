package log

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// failing is a file system in which one kind of operation on one kind of file fails while it is armed.
type failing struct {
	vfs.FS
	armed atomic.Bool
}

func newFailing(fs vfs.FS, kind errorfs.OpKind, suffix string, err error) *failing {
	f := &failing{}
	f.FS = errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if f.armed.Load() && op.Kind == kind && strings.HasSuffix(op.Path, suffix) {
			return err
		}
		return nil
	}))
	return f
}

var errDevice = errors.New("device failed")

// offline collects what OnError is told.
type offline struct {
	mu  sync.Mutex
	ids []ID
}

func (o *offline) add(id ID, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ids = append(o.ids, id)
}

func (o *offline) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.ids)
}

func TestAFailedWALSyncAcknowledgesNothingMore(t *testing.T) {
	mem := vfs.NewCrashableMem()
	fs := newFailing(mem, errorfs.OpFileSyncData, ".wal", errDevice)
	cfg := testConfig(t)
	var told offline
	cfg.OnError = told.add
	d := mustOpen(t, fs, cfg)
	p, q := mustCreate(t, d, 0, Settings{}), mustCreate(t, d, 1, Settings{})
	mustDurable(t, d, mustAppend(t, p, rows(0, "a", "1")).Ticket)
	awaitHW(t, p)
	fs.armed.Store(true)
	a, err := p.Append(Append{Batch: rows(0, "b", "2")})
	if err != nil {
		t.Fatal(err)
	}
	if err = d.WaitDurable(context.Background(), a.Ticket); !errors.Is(err, ErrOffline) || !errors.Is(err, errDevice) {
		t.Fatalf("acknowledged: %v", err)
	}
	fs.armed.Store(false) // the disk seems well again; it is not trusted
	for _, p := range []*Partition{p, q} {
		if _, err = p.Append(Append{Batch: rows(0, "c", "3")}); !errors.Is(err, ErrOffline) {
			t.Fatalf("append: %v", err)
		}
	}
	if got := readRows(t, p, 0, Read{}); len(got) != 1 {
		t.Fatalf("readers see %v", got)
	}
	if err = d.Close(); !errors.Is(err, ErrOffline) {
		t.Fatalf("Close: %v", err)
	}
	if told.count() != 2 {
		t.Fatalf("OnError was called for %v", told.ids)
	}
	d = mustOpen(t, mem.CrashClone(vfs.CrashCloneCfg{}), testConfig(t))
	if d.Clean() || d.Get(p.ID()).Offsets().HW != 1 {
		t.Fatalf("after restart: clean %v, %+v", d.Clean(), d.Get(p.ID()).Offsets())
	}
}

func TestAFailedSegmentSyncTakesOnePartitionOffline(t *testing.T) {
	mem := vfs.NewCrashableMem()
	fs := newFailing(mem, errorfs.OpFileSync, "0.log", errDevice)
	cfg := testConfig(t)
	var told offline
	cfg.OnError = told.add
	d := mustOpen(t, fs, cfg)
	p, q := mustCreate(t, d, 0, Settings{}), mustCreate(t, d, 1, Settings{})
	a := mustAppend(t, p, rows(0, "a", "1"))
	mustDurable(t, d, a.Ticket)
	fs.armed.Store(true)
	if err := p.flush(); !errors.Is(err, errDevice) {
		t.Fatal(err)
	}
	fs.armed.Store(false)
	if _, err := p.Append(Append{Batch: rows(0, "b", "2")}); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), p.ID().String()) {
		t.Fatal(err)
	}
	// The other goes on through many WAL files, and the first one's entries are kept meanwhile.
	value := strings.Repeat("x", 2000)
	for range 100 {
		mustDurable(t, d, mustAppend(t, q, rows(0, "k", value)).Ticket)
	}
	if told.count() != 1 || told.ids[0] != p.ID() {
		t.Fatalf("OnError was called for %v", told.ids)
	}
	d2 := mustOpen(t, mem.CrashClone(vfs.CrashCloneCfg{}), testConfig(t))
	if got := readRows(t, d2.Get(p.ID()), 0, Read{}); len(got) != 1 {
		t.Fatalf("acknowledged, and gone: %v", got)
	}
	// Past the limit of files kept, nothing is taken any more instead of filling the disk.
	deadline := time.Now().Add(20 * time.Second)
	for d.Err() == nil && time.Now().Before(deadline) {
		a, err := q.Append(Append{Batch: rows(0, "k", value)})
		if err == nil {
			err = d.WaitDurable(context.Background(), a.Ticket)
		}
		if err != nil && !errors.Is(err, ErrOffline) {
			t.Fatal(err)
		}
	}
	if d.Err() == nil {
		t.Fatalf("%d WAL files are kept without end", len(d.wal.files))
	}
}

func TestAFailedWriteChangesNothing(t *testing.T) {
	fs := newFailing(vfs.NewMem(), errorfs.OpFileWriteAt, ".log", errDevice)
	cfg := testConfig(t)
	var told offline
	cfg.OnError = told.add
	d := mustOpen(t, fs, cfg)
	p := mustCreate(t, d, 0, Settings{})
	mustAppend(t, p, fromProducer(1, 0, 0, 1, false))
	before := awaitHW(t, p)
	fs.armed.Store(true)
	if _, err := p.Append(Append{Batch: fromProducer(1, 0, 1, 1, false)}); !errors.Is(err, ErrOffline) {
		t.Fatal(err)
	}
	if o := p.Offsets(); o != before || p.Producers()[0].LastSequence != 0 || told.count() != 1 {
		t.Fatalf("%+v → %+v, %+v, told %d times", before, o, p.Producers(), told.count())
	}
}

func TestANearlyFullDiskRefusesAppendsOnly(t *testing.T) {
	fs := vfs.NewMem()
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1 << 30, TotalBytes: 10 << 30})
	cfg := testConfig(t)
	clock := cfg.Clock.(*handClock)
	d := mustOpen(t, fs, cfg)
	p := mustCreate(t, d, 0, Settings{})
	mustAppend(t, p, fromProducer(1, 0, 0, 1, true))
	awaitHW(t, p)
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 50 << 20, TotalBytes: 10 << 30})
	d.disk.check()
	if _, err := p.Append(Append{Batch: rows(0, "a", "b")}); !errors.Is(err, ErrDiskFull) || errors.Is(err, ErrOffline) {
		t.Fatal(err)
	}
	if _, err := p.EndTxn(1, 0, true, 0); err != nil {
		t.Fatalf("markers go on: %v", err)
	}
	awaitHW(t, p)
	if got := readRows(t, p, 0, Read{Committed: true}); len(got) != 1 {
		t.Fatalf("reads go on: %v", got)
	}
	if _, err := p.DeleteRecords(-1); err != nil {
		t.Fatalf("deletes go on: %v", err)
	}
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1 << 30, TotalBytes: 10 << 30})
	clock.add(2 * time.Second)
	mustAppend(t, p, rows(0, "a", "b"))
}

// flip changes one byte of a file.
func flip(t *testing.T, fs vfs.FS, path string, at int64) {
	t.Helper()
	f, err := fs.OpenReadWrite(path, category)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x40
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

func TestDamageInTheMiddleOfTheWALIsNotATornTail(t *testing.T) {
	for name, c := range map[string]struct {
		at   int64
		fail bool
	}{"middle": {walHeaderSize + 300, true}, "tail": {walHeaderSize + 9*frameHeader + 1100, false}} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			d := mustOpen(t, mem, testConfig(t))
			p := mustCreate(t, d, 0, Settings{})
			for range 10 {
				mustDurable(t, d, mustAppend(t, p, rows(0, "key", strings.Repeat("v", 40))).Ticket)
			}
			cut := mem.CrashClone(vfs.CrashCloneCfg{})
			flip(t, cut, "data/wal/000001.wal", c.at)
			d, err := Open(cut, "data", testConfig(t))
			if !c.fail {
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				if o := d.Get(p.ID()).Offsets(); o.HW != 9 {
					t.Fatalf("%+v", o)
				}
				return
			}
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "000001.wal") {
				t.Fatal(err)
			}
		})
	}
}

// Without its manifest a log is scanned: a torn tail is dropped, damage before valid batches is refused by name.
func TestScanWithoutManifest(t *testing.T) {
	for name, c := range map[string]struct {
		at   int64 // byte to damage, counted from the end if negative
		want int64 // offsets left; -1: offline
	}{"whole": {0, 20}, "tail": {-5, 19}, "middle": {200, -1}} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			d := mustOpen(t, fs, testConfig(t))
			p := mustCreate(t, d, 0, Settings{})
			for i := range 20 {
				mustAppend(t, p, fromProducer(3, 0, int32(i), 1, false))
			}
			size, state := p.Size(), ""
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			state = p.Producers()[0].stateText()
			if err := fs.Remove("data/" + p.ID().String() + "/" + manifestFile); err != nil {
				t.Fatal(err)
			}
			if c.at != 0 {
				flip(t, fs, p.segments[0].path(logExt), (c.at+size)%size)
			}
			d = mustOpen(t, fs, testConfig(t))
			q := d.Get(p.ID())
			if c.want < 0 {
				if err := q.Err(); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), p.ID().String()) {
					t.Fatal(err)
				}
				return
			}
			if err := q.Err(); err != nil {
				t.Fatal(err)
			}
			if got := readRows(t, q, 0, Read{}); len(got) != int(c.want) {
				t.Fatalf("%d records", len(got))
			}
			if c.at == 0 && q.Producers()[0].stateText() != state {
				t.Fatalf("producers %v, were %v", q.Producers()[0].stateText(), state)
			}
			if a := mustAppend(t, q, fromProducer(3, 0, int32(c.want), 1, false)); a.BaseOffset != c.want {
				t.Fatal(a)
			}
		})
	}
}

// stateText is what of a producer does not depend on the clock.
func (s Producer) stateText() string {
	return strings.TrimSpace(strings.Join([]string{string(rune('0' + s.ID)), string(rune('0' + s.Epoch)), string(rune('0' + s.LastSequence))}, " "))
}

func TestADamagedIndexIsRebuilt(t *testing.T) {
	fs := vfs.NewMem()
	d := mustOpen(t, fs, testConfig(t))
	p := mustCreate(t, d, 0, Settings{SegmentBytes: 3000, IndexIntervalBytes: 100})
	for i := range 100 {
		mustAppend(t, p, rows(int64(i), "key", "value"))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for i, s := range p.segments {
		if i%2 == 0 {
			flip(t, fs, s.path(indexExt), int64(i%3)*entrySize+3)
		} else if err := fs.Remove(s.path(indexExt)); err != nil {
			t.Fatal(err)
		}
	}
	d = mustOpen(t, fs, testConfig(t))
	p = d.Get(p.ID())
	for i := range int64(100) {
		c, err := p.Read(Read{Offset: i, Max: 1, MinOne: true})
		if err != nil || c.Next != i+1 {
			t.Fatalf("offset %d: next %d, %v", i, c.Next, err)
		}
		if at, _, ok, err := finder().AtTime(p, i, false); at != i || !ok || err != nil {
			t.Fatalf("time %d: %d %v %v", i, at, ok, err)
		}
	}
}
