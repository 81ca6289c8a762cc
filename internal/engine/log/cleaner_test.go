package log

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/batch"
)

func compacted() Settings {
	return Settings{Compact: true, SegmentBytes: 2000, DeleteRetentionMs: 1000, IndexIntervalBytes: 200}
}

func mustClean(t testing.TB, p *Partition) {
	t.Helper()
	awaitHW(t, p)
	if err := p.Clean(true); err != nil {
		t.Fatal(err)
	}
}

// Random records of few keys, cleaned again and again, by a cleaner with little memory: the last of each key survives
// at its offset, all others go, readers from any offset go on to the next record left, and a restart changes nothing.
func TestCompactionKeepsTheLastOfEachKey(t *testing.T) {
	for name, codec := range map[string]batch.Codec{"plain": batch.None, "lz4": batch.LZ4, "zstd": batch.Zstd} {
		t.Run(name, func(t *testing.T) {
			rng := newRand(t)
			cfg := testConfig(t)
			cfg.CleanerBytes = 64 * offsetSlotSize
			fs := vfs.NewMem()
			d := mustOpen(t, fs, cfg)
			p := mustCreate(t, d, 0, compacted())
			latest := map[string]row{}
			for round := range 6 {
				for range 60 {
					kv := []string{}
					for range 1 + rng.IntN(5) {
						kv = append(kv, fmt.Sprint("key", rng.IntN(30)), fmt.Sprint("value", rng.IntN(1000)))
					}
					a := mustAppend(t, p, sealed(batch.Seal{ProducerID: -1, Codec: codec}, 5, kv...))
					for i := 0; i < len(kv); i += 2 {
						latest[kv[i]] = row{a.BaseOffset + int64(i/2), kv[i], kv[i+1], -1, false}
					}
				}
				before := p.Size()
				for range 5 { // the small map needs several runs
					mustClean(t, p)
				}
				if p.Size() >= before {
					t.Fatalf("%d bytes, were %d", p.Size(), before)
				}
				got := readRows(t, p, 0, Read{Max: int32(1 + rng.IntN(3000)), MinOne: true})
				if len(got) > 3*len(latest) {
					t.Fatalf("round %d: %d records left of %d keys", round, len(got), len(latest))
				}
				found := map[string]row{}
				for _, r := range got {
					found[r.key] = maxRow(found[r.key], r)
				}
				for key, r := range latest {
					if found[key] != r {
						t.Fatalf("%s: %+v, want %+v", key, found[key], r)
					}
				}
				for offset := int64(0); offset < p.Offsets().End; offset += 1 + rng.Int64N(20) {
					rest := readRows(t, p, offset, Read{})
					for len(got) > 0 && got[0].offset < offset {
						got = got[1:]
					}
					if len(rest) != len(got) {
						t.Fatalf("from %d: %d records, want %d", offset, len(rest), len(got))
					}
				}
				if round%2 == 1 {
					if err := d.Close(); err != nil {
						t.Fatal(err)
					}
					d = mustOpen(t, fs, cfg)
					p = d.Get(p.ID())
				}
			}
		})
	}
}

// A tombstone outlives the run that finds it by delete.retention.ms, so that readers who saw the value see its end.
func TestTombstonesTakeTwoRuns(t *testing.T) {
	cfg := testConfig(t)
	clock := cfg.Clock.(*handClock)
	d := mustOpen(t, vfs.NewMem(), cfg)
	p := mustCreate(t, d, 0, compacted())
	mustAppend(t, p, rows(clock.ms(), "a", "1", "b", "2"))
	mustAppend(t, p, rows(clock.ms(), "a", "-"))
	mustAppend(t, p, rows(clock.ms(), "c", "3"))
	text := func() string {
		var s []string
		for _, r := range readRows(t, p, 0, Read{}) {
			s = append(s, fmt.Sprint(r.offset, r.key, r.value))
		}
		return strings.Join(s, " ")
	}
	mustClean(t, p)
	if got := text(); got != "1b2 2a- 3c3" {
		t.Fatal(got)
	}
	clock.add(900 * time.Millisecond)
	mustClean(t, p)
	if got := text(); got != "1b2 2a- 3c3" {
		t.Fatalf("too early: %s", got)
	}
	clock.add(200 * time.Millisecond)
	mustClean(t, p)
	if got := text(); got != "1b2 3c3" {
		t.Fatal(got)
	}
}

func TestCompactionOfTransactions(t *testing.T) {
	cfg := testConfig(t)
	clock := cfg.Clock.(*handClock)
	d := mustOpen(t, vfs.NewMem(), cfg)
	p := mustCreate(t, d, 0, compacted())
	put := func(id int64, seq int32, kv ...string) {
		t.Helper()
		mustAppend(t, p, sealed(batch.Seal{ProducerID: id, BaseSequence: seq, Transactional: true}, clock.ms(), kv...))
	}
	end := func(id int64, commit bool) {
		t.Helper()
		if _, err := p.EndTxn(id, 0, commit, 0); err != nil {
			t.Fatal(err)
		}
	}
	put(1, 0, "a", "1") // 0
	end(1, true)        // 1
	put(2, 0, "a", "2") // 2: aborted, so that 0 stays
	end(2, false)       // 3
	put(1, 1, "b", "1") // 4
	end(1, true)        // 5
	put(1, 2, "b", "2") // 6
	end(1, true)        // 7
	put(3, 0, "c", "1") // 8: undecided, and so all behind it
	put(1, 3, "a", "3") // 9
	end(1, true)        // 10
	check := func(when, offsets, committed string) {
		t.Helper()
		var all, visible []string
		for _, r := range readRows(t, p, 0, Read{}) {
			all = append(all, fmt.Sprint(r.offset))
		}
		for _, r := range readRows(t, p, 0, Read{Committed: true}) {
			visible = append(visible, r.key+r.value)
		}
		if got := strings.Join(all, " "); got != offsets {
			t.Fatalf("%s: offsets left: %s, want %s", when, got, offsets)
		}
		if got := strings.Join(visible, " "); got != committed {
			t.Fatalf("%s: committed: %s, want %s", when, got, committed)
		}
	}
	mustClean(t, p)
	// LSO is 8, inside the first segment that was closed: nothing may be touched.
	check("open", "0 1 2 3 4 5 6 7 8 9 10", "a1 b1 b2")
	end(3, true) // 11
	mustClean(t, p)
	// Aborted data and what has a successor went; markers stay for now.
	check("first run", "1 3 5 6 7 8 9 10 11", "b2 c1 a3")
	clock.add(2 * time.Second)
	mustClean(t, p)
	// Markers without data went; the last of each producer's batches stays, if only as an empty one. Producer 2's
	// state survives in its empty batch at offset 2.
	check("second run", "6 7 8 9 10 11", "b2 c1 a3")
	if n := len(p.segments[0].aborted); n != 0 {
		t.Fatalf("%d aborted transactions listed without their markers", n)
	}
	if _, err := p.Append(Append{Batch: sealed(batch.Seal{ProducerID: 2, BaseSequence: 5, Transactional: true}, 0, "x", "y")}); !errors.Is(err, ErrOutOfOrder) {
		t.Fatalf("producer 2 is forgotten: %v", err)
	}
}

// After a scan the producers are known from the batches alone: those the cleaner emptied included.
func TestCompactionKeepsSequencesInTheLog(t *testing.T) {
	fs := vfs.NewMem()
	cfg := testConfig(t)
	d := mustOpen(t, fs, cfg)
	p := mustCreate(t, d, 0, compacted())
	mustAppend(t, p, fromProducer(1, 4, 0, 3, false))
	mustAppend(t, p, fromProducer(2, 0, 0, 3, false))
	mustClean(t, p)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := fs.Remove(p.dir + "/" + manifestFile); err != nil {
		t.Fatal(err)
	}
	d = mustOpen(t, fs, cfg)
	p = d.Get(p.ID())
	if _, err := p.Append(Append{Batch: fromProducer(1, 4, 9, 1, false)}); !errors.Is(err, ErrOutOfOrder) {
		t.Fatal(err)
	}
	if a, err := p.Append(Append{Batch: fromProducer(1, 4, 0, 3, false)}); err != nil || !a.Duplicate {
		t.Fatalf("%+v %v", a, err)
	}
}

func TestCompactionLags(t *testing.T) {
	cfg := testConfig(t)
	clock := cfg.Clock.(*handClock)
	d := mustOpen(t, vfs.NewMem(), cfg)
	s := compacted()
	s.MinCompactionLagMs, s.MaxCompactionLagMs, s.MinCleanableRatio = 10_000, 60_000, 0.99
	p := mustCreate(t, d, 0, s)
	for range 3 { // what they are about may lie further back
		mustAppend(t, p, rows(clock.ms()-20_000, "a", "1"))
	}
	mustClean(t, p)
	if n := len(readRows(t, p, 0, Read{})); n != 3 {
		t.Fatalf("cleaned within the minimum lag: %d records left", n)
	}
	mustAppend(t, p, rows(clock.ms(), "a", "2"))
	clock.add(61 * time.Second)
	awaitHW(t, p)
	if err := p.Clean(false); err != nil {
		t.Fatal(err)
	}
	if n := len(readRows(t, p, 0, Read{})); n != 1 {
		t.Fatalf("not cleaned after the maximum lag: %d records left", n)
	}
}

func TestOffsetMap(t *testing.T) {
	m := newOffsetMap(1<<20, 1000)
	for i := range int64(1000) {
		if m.room() == 0 {
			t.Fatalf("full after %d of 1000 keys", i)
		}
		m.put([]byte(fmt.Sprint(i)), i)
		m.put([]byte(fmt.Sprint(i/2)), i)
	}
	for i := range int64(1000) {
		want := i
		if i < 500 {
			want = 2*i + 1
		}
		if got := m.last([]byte(fmt.Sprint(i))); got != want {
			t.Fatalf("key %d: %d, want %d", i, got, want)
		}
	}
	if m.last([]byte("none")) != -1 || m.last([]byte("")) != -1 {
		t.Fatal("a key that was never put")
	}
	if small := newOffsetMap(1, 1<<40); len(small.slots) != 64 {
		t.Fatalf("%d slots in no memory", len(small.slots))
	}
}
