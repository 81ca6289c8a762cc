package log

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestASecondOpenerLearnsWhoHolds(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"memory": vfs.NewMem(), "disk": vfs.Default} {
		t.Run(name, func(t *testing.T) {
			dir := "data"
			if fs == vfs.Default {
				dir = t.TempDir()
			}
			cfg := testConfig(t)
			d, err := Open(fs, dir, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.SetLockInfo("127.0.0.1:9092"); err != nil {
				t.Fatal(err)
			}
			for _, spelling := range []string{dir, dir + "/../" + fs.PathBase(dir)} {
				if fs != vfs.Default && spelling != dir {
					continue
				}
				if _, err = Open(fs, spelling, cfg); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "127.0.0.1:9092") || !strings.Contains(err.Error(), "pid ") {
					t.Fatalf("second opener of %s: %v", spelling, err)
				}
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			d, err = Open(fs, dir, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(d.Close(), d.Close()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	d := mustOpen(t, fs, testConfig(t))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(fs, "data", formatFile, []byte(formatPrefix+"99\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(fs, "data", testConfig(t)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "99") {
		t.Fatal(err)
	}
}

func TestOlderFormatIsTakenOverOnceItsWALIsNotNeeded(t *testing.T) {
	fs := vfs.NewCrashableMem()
	d := mustOpen(t, fs, testConfig(t))
	killed := fs.CrashClone(vfs.CrashCloneCfg{})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for name, fs := range map[string]vfs.FS{"killed": killed, "closed": fs} {
		if err := replaceFile(fs, "data", formatFile, []byte(formatPrefix+"1\n")); err != nil {
			t.Fatal(err)
		}
		d, err := Open(fs, "data", testConfig(t))
		if name == "killed" {
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "was not closed") {
				t.Errorf("killed: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if b, err := readFile(fs, "data/"+formatFile, 4096); err != nil || string(b) != formatPrefix+"2\n" {
			t.Errorf("%q, %v", b, err)
		}
	}
}

func TestDeletedTopicsAreGone(t *testing.T) {
	fs := vfs.NewCrashableMem()
	cfg := testConfig(t)
	d := mustOpen(t, fs, cfg)
	p := mustCreate(t, d, 0, Settings{})
	other, err := d.Create(ID{[16]byte{2}, 0}, "two", Settings{})
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, p, rows(0, "a", "b"))
	mustDurable(t, d, mustAppend(t, other, rows(0, "a", "b")).Ticket)
	if _, err = d.Create(p.ID(), "one", Settings{}); !errors.Is(err, ErrExists) {
		t.Fatal(err)
	}
	if err = d.Delete(topicOne); err != nil {
		t.Fatal(err)
	}
	if d.Get(p.ID()) != nil || len(d.List()) != 1 {
		t.Fatal("still there")
	}
	if _, err = p.Append(Append{Batch: rows(0, "a", "b")}); !errors.Is(err, ErrClosed) {
		t.Fatalf("append to a deleted topic: %v", err)
	}
	if _, err = p.Read(Read{Max: 100}); !errors.Is(err, ErrClosed) {
		t.Fatalf("read of a deleted topic: %v", err)
	}
	d = mustOpen(t, fs.CrashClone(vfs.CrashCloneCfg{}), cfg)
	if d.Get(p.ID()) != nil || d.Get(other.ID()).Offsets().HW != 1 {
		t.Fatal("a crash brought a deleted topic back, or lost another")
	}
}

// Many writers and readers at once: run with -race. Readers must see what was written, in order, and never what is
// not durable.
func TestConcurrentWritersAndReaders(t *testing.T) {
	var mu sync.Mutex
	advanced := sync.NewCond(&mu)
	cfg := testConfig(t)
	cfg.OnAdvance = func(*Partition) {
		mu.Lock()
		defer mu.Unlock()
		advanced.Broadcast()
	}
	d := mustOpen(t, vfs.Default, cfgIn(t, &cfg))
	const partitions, writers, each = 3, 4, 300
	var wg sync.WaitGroup
	for i := range int32(partitions) {
		p := mustCreate(t, d, i, Settings{SegmentBytes: 20_000})
		for w := range int64(writers) {
			wg.Go(func() {
				var last Appended
				for n := range int32(each) {
					a, err := p.Append(Append{Batch: fromProducer(w, 0, n, 1, false)})
					if err != nil {
						t.Error(err)
						return
					}
					if last = a; n%64 == 0 {
						if err := d.WaitDurable(context.Background(), last.Ticket); err != nil {
							t.Error(err)
						}
					}
				}
				if err := d.WaitDurable(context.Background(), last.Ticket); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			counts := map[int64]int{}
			for at := int64(0); at < writers*each; {
				c, err := p.Read(Read{Offset: at, Max: 3000, MinOne: true})
				if err != nil {
					t.Error(err)
					return
				}
				if c.Next > c.Offsets.HW {
					t.Errorf("read to %d, high watermark %d", c.Next, c.Offsets.HW)
				}
				for _, r := range visible(t, c, Read{Offset: at}) {
					if r.offset != at {
						t.Errorf("offset %d, want %d", r.offset, at)
					}
					at++
					counts[r.producer]++
				}
				mu.Lock()
				for p.Offsets().HW <= at && at < writers*each {
					advanced.Wait()
				}
				mu.Unlock()
			}
			for w := range int64(writers) {
				if counts[w] != each {
					t.Errorf("producer %d: %d records", w, counts[w])
				}
			}
		})
	}
	wg.Wait()
}

// cfgIn returns cfg; the directory is the test's own because mustOpen's name is relative to it.
func cfgIn(t *testing.T, cfg *Config) Config {
	t.Chdir(t.TempDir())
	return *cfg
}

// The WAL's files are used again and again: their number does not grow with what is written.
func TestWALFilesAreRecycled(t *testing.T) {
	fs := vfs.NewMem()
	cfg := testConfig(t)
	d := mustOpen(t, fs, cfg)
	p := mustCreate(t, d, 0, Settings{SegmentBytes: 1 << 20})
	value := strings.Repeat("x", 1000)
	for i := range 40 {
		var last Appended
		for range 40 {
			last = mustAppend(t, p, rows(0, "key", value))
		}
		mustDurable(t, d, last.Ticket)
		if names, err := fs.List("data/wal"); err != nil || len(names) > walFilesSoft+3 {
			t.Fatalf("round %d: %d WAL files, %v", i, len(names), err)
		}
	}
	if d.wal.num < 20 {
		t.Fatalf("only %d files used", d.wal.num)
	}
}

func TestIntervalPolicyDoesNotWait(t *testing.T) {
	cfg := testConfig(t)
	cfg.Flush = FlushInterval
	fs := vfs.NewCrashableMem()
	d := mustOpen(t, fs, cfg)
	p := mustCreate(t, d, 0, Settings{})
	for i := range 50 {
		mustDurable(t, d, mustAppend(t, p, rows(int64(i), "k", fmt.Sprint(i))).Ticket)
	}
	if got := d.wal.synced.Load(); got != 0 {
		t.Fatalf("synced to %d without being asked", got)
	}
	if err := p.flush(); err != nil {
		t.Fatal(err)
	}
	if got := d.wal.synced.Load(); got != 50 {
		t.Fatalf("a flush needs the WAL synced; it is to %d", got)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := d.WaitDurable(ctx, 51); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}
