package log

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/batch"
)

// finder returns a finder that may look into anything.
func finder() *Finder {
	return &Finder{Work: 1 << 30, Limit: func(*batch.Header) int { return 1 << 30 }, Scan: &batch.Scanner{}}
}

// zipped returns a batch of n records at times from at on, each of a kilobyte.
func zipped(t *testing.T, at int64, n int) []byte {
	t.Helper()
	var b batch.Builder
	for i := range n {
		b.Append(at+int64(i), nil, make([]byte, 1<<10), nil)
	}
	out, err := b.Finish(batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, Codec: batch.Gzip})
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(out)
}

// broken returns a batch whose checksum is right, and whose records are not what their codec says.
func broken(t *testing.T, at int64) []byte {
	t.Helper()
	b := zipped(t, at, 3)
	clear(b[batch.HeaderSize:])
	batch.SetTimestampType(b, false, at+2) // computes the checksum
	return b
}

// A batch is stored as it was sent, so what stands in it may be anything. Looking for a time in it must not be able to take
// the partition away from everybody else.
func TestLookingIntoBrokenBatchHarmsNobody(t *testing.T) {
	d := mustOpen(t, vfs.NewMem(), testConfig(t))
	p := mustCreate(t, d, 0, Settings{})
	mustAppend(t, p, zipped(t, 100, 5))
	mustAppend(t, p, broken(t, 200))
	mustAppend(t, p, zipped(t, 300, 5))
	awaitHW(t, p)
	if _, _, _, err := finder().AtTime(p, 201, false); !errors.Is(err, batch.ErrCorrupt) {
		t.Fatalf("time in a broken batch: %v", err)
	}
	if _, err := p.Read(Read{Offset: 5, Max: 1, MinOne: true}); err != nil {
		t.Fatalf("the partition is gone: %v", err)
	}
	mustAppend(t, p, zipped(t, 400, 1))
	for ts, want := range map[int64]int64{0: 0, 103: 3, 299: 8, 302: 10} {
		if at, when, ok, err := finder().AtTime(p, ts, false); at != want || when < ts || !ok || err != nil {
			t.Errorf("time %d: offset %d at %d, %v, %v; want %d", ts, at, when, ok, err, want)
		}
	}
}

func TestLookupStopsWhereItsWorkEnds(t *testing.T) {
	d := mustOpen(t, vfs.NewMem(), testConfig(t))
	p := mustCreate(t, d, 0, Settings{})
	mustAppend(t, p, zipped(t, 100, 1000))
	for i := range int64(100) {
		mustAppend(t, p, rows(2000+i, "k", "v"))
	}
	awaitHW(t, p)
	f := finder()
	if at, _, ok, err := f.AtTime(p, 1050, false); at != 950 || !ok || err != nil {
		t.Fatalf("record 950 of a batch: %d, %v, %v", at, ok, err)
	}
	took := 1<<30 - f.Work
	if took < 450<<10 || took > 1<<20 {
		t.Errorf("looking through 950 KiB took %d bytes of work", took)
	}
	f.Work = took / 2
	if _, _, _, err := f.AtTime(p, 1050, false); !errors.Is(err, ErrWork) {
		t.Errorf("950 KiB with less work than they take: %v", err)
	}
	f.Work = took
	if at, _, ok, err := f.AtTime(p, 1050, false); at != 950 || !ok || err != nil {
		t.Errorf("950 KiB with the work that they take: %d, %v, %v", at, ok, err)
	}
	if _, _, _, err := f.AtTime(p, 110, false); !errors.Is(err, ErrWork) {
		t.Errorf("a lookup without work left: %v", err)
	}
	f.Work, f.Limit = 1<<30, func(*batch.Header) int { return 500 << 10 }
	if at, when, ok, err := f.AtTime(p, 1050, false); at != 0 || when != 1099 || !ok || err != nil {
		t.Errorf("a batch beyond the limit: offset %d at %d, %v, %v; want its begin", at, when, ok, err)
	}
	f.Limit = func(*batch.Header) int { return 0 }
	if at, when, ok, err := f.AtTime(p, 150, false); at != 0 || when != 1099 || !ok || err != nil {
		t.Errorf("a batch that is not to be looked into: offset %d at %d, %v, %v; want its begin", at, when, ok, err)
	}
	if _, err := p.DeleteRecords(1003); err != nil {
		t.Fatal(err)
	}
	f = finder()
	if at, when, ok, err := f.MaxTime(p); at != 1099 || when != 2099 || !ok || err != nil {
		t.Errorf("the newest of all: offset %d at %d, %v, %v", at, when, ok, err)
	}
	f.Work = 3 * pastWork
	mustAppend(t, p, rows(50, "k", "v"))
	awaitHW(t, p)
	if _, _, _, err := f.MaxTime(p); !errors.Is(err, ErrWork) {
		t.Errorf("going through a hundred batches with work for three: %v", err)
	}
}

// The greatest time behind a log's start is found wherever it lies, and whatever lies before the start.
func TestGreatestTimeBehindTheStart(t *testing.T) {
	const batches = 60
	r := rand.New(rand.NewPCG(17, 18))
	p := mustCreate(t, mustOpen(t, vfs.NewMem(), testConfig(t)), 0, Settings{})
	value := strings.Repeat("v", 1<<10) // an index entry for a few of them
	var times []int64
	for range batches {
		at := int64(1000 + r.IntN(batches)) // some the same
		mustAppend(t, p, rows(at, "k", value))
		times = append(times, at)
	}
	awaitHW(t, p)
	f := finder()
	for start := range batches {
		if _, err := p.DeleteRecords(int64(start)); err != nil {
			t.Fatal(err)
		}
		want := slices.Max(times[start:])
		first := start + slices.Index(times[start:], want)
		if at, when, ok, err := f.MaxTime(p); at != int64(first) || when != want || !ok || err != nil {
			t.Errorf("from %d on: offset %d at %d, %v, %v; want %d at %d", start, at, when, ok, err, first, want)
		}
	}
}
