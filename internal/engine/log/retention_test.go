package log

import (
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestDeletedRecordsStayDeleted(t *testing.T) {
	fs := vfs.NewCrashableMem()
	d := mustOpen(t, fs, testConfig(t))
	p := mustCreate(t, d, 0, Settings{SegmentBytes: 500})
	for i := range 60 {
		mustAppend(t, p, rows(int64(i), "key", "value"))
	}
	awaitHW(t, p)
	files := len(p.segments)
	if start, err := p.DeleteRecords(33); err != nil || start != 33 {
		t.Fatal(start, err)
	}
	if start, err := p.DeleteRecords(10); err != nil || start != 33 {
		t.Fatalf("the start went back: %d %v", start, err)
	}
	if _, err := p.DeleteRecords(61); !errors.Is(err, ErrOutOfRange) {
		t.Fatal(err)
	}
	if _, err := p.Read(Read{Offset: 32, Max: 1}); !errors.Is(err, ErrOutOfRange) {
		t.Fatal(err)
	}
	if len(p.segments) >= files || p.segments[0].base > 33 {
		t.Fatalf("%d segments from %d, were %d", len(p.segments), p.segments[0].base, files)
	}
	d = mustOpen(t, fs.CrashClone(vfs.CrashCloneCfg{}), testConfig(t))
	p = d.Get(p.ID())
	if o := p.Offsets(); o.Start != 33 || o.HW != 60 {
		t.Fatalf("%+v after a crash", o)
	}
	if start, err := p.DeleteRecords(-1); err != nil || start != 60 {
		t.Fatal(start, err)
	}
	if a := mustAppend(t, p, rows(0, "k", "v")); a.BaseOffset != 60 || a.LogStart != 60 {
		t.Fatalf("%+v", a)
	}
}

func TestRetentionByTimeAndSize(t *testing.T) {
	cfg := testConfig(t)
	clock := cfg.Clock.(*handClock)
	fs := vfs.NewMem()
	d := mustOpen(t, fs, cfg)
	p := mustCreate(t, d, 0, Settings{SegmentBytes: 500, RetentionMs: 60_000})
	q := mustCreate(t, d, 1, Settings{SegmentBytes: 500, RetentionMs: -1, RetentionBytes: 1200})
	for range 40 {
		mustAppend(t, p, rows(clock.ms(), "key", "value"))
		mustAppend(t, q, rows(clock.ms(), "key", "value"))
		clock.add(2 * time.Second)
	}
	awaitHW(t, p)
	awaitHW(t, q)
	for _, p := range []*Partition{p, q} {
		if err := p.Clean(false); err != nil {
			t.Fatal(err)
		}
	}
	o := p.Offsets()
	if at, when, ok, err := finder().AtTime(p, 0, false); err != nil || !ok || at != o.Start || o.Start == 0 || when < clock.ms()-60_000-14_000 {
		t.Fatalf("oldest record left: offset %d of %+v, %d ms old", at, o, clock.ms()-when)
	}
	if q.Size() < 1200 || q.Size() > 1200+500+500 || q.Offsets().Start == 0 {
		t.Fatalf("%d bytes are left of at least 1200", q.Size())
	}
	clock.add(time.Hour)
	if err := p.Clean(false); err != nil {
		t.Fatal(err)
	}
	if o := p.Offsets(); o.Start != 40 || p.Size() != 0 {
		t.Fatalf("the active segment is expired as well: %+v, %d bytes", o, p.Size())
	}
	names, err := fs.List(p.dir)
	if err != nil || len(names) != 2 {
		t.Fatalf("files left: %v %v", names, err)
	}
	mustAppend(t, p, rows(clock.ms(), "key", "value"))
}

// What is written about the past stays as long as its topic says, from when it was written.
func TestRetentionOfOldTimestamps(t *testing.T) {
	cfg := testConfig(t)
	clock := cfg.Clock.(*handClock)
	fs := vfs.NewCrashableMem()
	d := mustOpen(t, fs, cfg)
	p := mustCreate(t, d, 0, Settings{SegmentBytes: 500, RetentionMs: 60_000})
	for range 30 {
		mustAppend(t, p, rows(1000, "key", "value"))
	}
	awaitHW(t, p)
	for _, step := range []struct {
		wait  time.Duration
		crash bool
		start int64
	}{{0, false, 0}, {50 * time.Second, true, 0}, {11 * time.Second, false, 30}} {
		clock.add(step.wait)
		if step.crash {
			d = mustOpen(t, fs.CrashClone(vfs.CrashCloneCfg{}), cfg)
			p = d.Get(p.ID())
		}
		if err := p.Clean(false); err != nil {
			t.Fatal(err)
		}
		if o := p.Offsets(); o.Start != step.start || o.HW != 30 {
			t.Fatalf("after %v: %+v, want the start at %d", step.wait, o, step.start)
		}
	}
}

func TestLookupByTime(t *testing.T) {
	d := mustOpen(t, vfs.NewMem(), testConfig(t))
	p := mustCreate(t, d, 0, Settings{SegmentBytes: 400, IndexIntervalBytes: 100})
	rng := newRand(t)
	var times []int64
	for range 200 {
		at := rng.Int64N(1000)
		b := []string{"k", "v", "k", "v", "k", "v"}[:2*(1+rng.IntN(3))]
		mustAppend(t, p, rows(at, b...))
		for i := range len(b) / 2 {
			times = append(times, at+int64(i))
		}
	}
	awaitHW(t, p)
	for _, start := range []int64{0, 57} {
		if _, err := p.DeleteRecords(start); err != nil {
			t.Fatal(err)
		}
		best := start
		for i := start; i < int64(len(times)); i++ {
			if times[i] > times[best] {
				best = i
			}
		}
		if at, when, ok, err := finder().MaxTime(p); !ok || err != nil || at != best || when != times[best] {
			t.Fatalf("greatest is %d at %d, got %d at %d %v %v", times[best], best, when, at, ok, err)
		}
		for ts := int64(-1); ts < 1010; ts += 7 {
			want := int64(-1)
			for i := start; i < int64(len(times)) && want < 0; i++ {
				if times[i] >= ts {
					want = i
				}
			}
			at, when, ok, err := finder().AtTime(p, ts, false)
			if err != nil || ok != (want >= 0) || ok && (at != want || when != times[want]) {
				t.Fatalf("time %d from %d: offset %d (%v, %v), want %d", ts, start, at, ok, err, want)
			}
		}
	}
}

func TestReadLimits(t *testing.T) {
	d := mustOpen(t, vfs.NewMem(), testConfig(t))
	p := mustCreate(t, d, 0, Settings{SegmentBytes: 1000})
	size := len(rows(0, "key", "value"))
	for range 30 {
		mustAppend(t, p, rows(0, "key", "value"))
	}
	awaitHW(t, p)
	for _, sealed := range []bool{false, true} { // the tail comes from memory, the rest from files
		offset := int64(27)
		if sealed {
			offset = 1
		}
		for max, want := range map[int]int{0: 0, size - 1: 0, size: 1, 2*size + 5: 2} {
			c, err := p.Read(Read{Offset: offset, Max: int32(max), Buf: []byte("prefix")})
			if err != nil || len(c.Data) != 6+want*size || c.Next != offset+int64(want) || string(c.Data[:6]) != "prefix" {
				t.Fatalf("max %d: %d bytes, next %d, %v", max, len(c.Data), c.Next, err)
			}
		}
		if c, err := p.Read(Read{Offset: offset, Max: 1, MinOne: true}); err != nil || len(c.Data) != size {
			t.Fatalf("min one: %d bytes, %v", len(c.Data), err)
		}
	}
	if c, err := p.Read(Read{Offset: 30, Max: 100}); err != nil || len(c.Data) != 0 || c.Next != 30 {
		t.Fatalf("at the end: %+v %v", c, err)
	}
	if _, err := p.Read(Read{Offset: 31, Max: 100}); !errors.Is(err, ErrOutOfRange) {
		t.Fatal(err)
	}
	if n := p.Available(0, false); n != int64(30*size) {
		t.Fatalf("available: %d of %d", n, 30*size)
	}
	if n := p.Available(30, false); n != 0 {
		t.Fatalf("available at the end: %d", n)
	}
}
