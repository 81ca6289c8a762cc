package log

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/batch"
)

// indexed is a partition with an index of an entry for each batch, and what its batches are.
type indexed struct {
	*Partition
	times []int64 // of the batches, one record each
}

func newIndexed(t *testing.T, d *Dir, s Settings) *indexed {
	t.Helper()
	s.IndexIntervalBytes = 1
	return &indexed{Partition: mustCreate(t, d, 0, s)}
}

// write appends n batches, at times that go up and down.
func (x *indexed) write(t *testing.T, n int) {
	t.Helper()
	for range n {
		at := int64(len(x.times)*7919%1000 + len(x.times))
		mustAppend(t, x.Partition, rows(at, "key", "value"))
		x.times = append(x.times, at)
	}
	awaitHW(t, x.Partition)
}

// check reads from offsets and times all over the log, and compares them with what was written.
func (x *indexed) check(t *testing.T, step int) {
	t.Helper()
	for i := 0; i < len(x.times); i += step {
		c, err := x.Read(Read{Offset: int64(i), Max: 1, MinOne: true})
		if err != nil || c.Next != int64(i)+1 {
			t.Fatalf("offset %d: next %d, %v", i, c.Next, err)
		}
		if h, err := batch.Parse(c.Data); err != nil || h.BaseOffset != int64(i) || h.MaxTimestamp != x.times[i] {
			t.Fatalf("offset %d: %+v, %v, want a record of %d", i, h, err, x.times[i])
		}
		want := 0
		for want < len(x.times) && x.times[want] < int64(i) {
			want++
		}
		if at, when, ok, err := finder().AtTime(x.Partition, int64(i), false); err != nil || !ok || at != int64(want) || when != x.times[want] {
			t.Fatalf("time %d: %d at %d, %v, %v; want %d", i, at, when, ok, err, want)
		}
	}
}

// inMemory returns the index entries that are in memory, of the segments before the active one and of that.
func (x *indexed) inMemory() (sealed, active int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.segments {
		if s == x.active() {
			return sealed, len(s.index.x)
		}
		sealed += len(s.index.x)
	}
	panic("log: no active segment")
}

// TestIndexesAreSearchedInTheirFiles writes segments whose indexes are of many blocks: of those, little is in memory, whoever reads
// where, and reads and lookups find what was written, before and after a restart and between appends.
func TestIndexesAreSearchedInTheirFiles(t *testing.T) {
	fs := vfs.NewMem()
	d := mustOpen(t, fs, testConfig(t))
	x := newIndexed(t, d, Settings{SegmentBytes: 150_000})
	for _, n := range []int{blockEntries, 1, 3000, recentEntries - 1, 1000} {
		x.write(t, n)
		x.check(t, 37)
		if err := x.flush(); err != nil {
			t.Fatal(err)
		}
		x.sweep()
		x.check(t, 41)
		if sealed, active := x.inMemory(); sealed > 0 || active > recentEntries {
			t.Fatalf("after %d batches %d entries of sealed segments are in memory, and %d", len(x.times), sealed, active)
		}
		if n := x.Available(0, false); n != x.Size() {
			t.Errorf("%d bytes can be read, of %d", n, x.Size())
		}
	}
	if n := len(x.segments); n < 2 || x.segments[0].index.count() < 4*blockEntries {
		t.Fatalf("void: %d segments, %d entries", n, x.segments[0].index.count())
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	x.Partition = mustOpen(t, fs, testConfig(t)).Get(x.ID())
	if sealed, active := x.inMemory(); sealed+active > 0 {
		t.Errorf("the start has read %d and %d entries", sealed, active)
	}
	x.write(t, 500)
	x.check(t, 31)
}

// TestIndexesAreRestored damages entries of a running log's indexes: whoever meets them has the file made anew, with what comes later.
func TestIndexesAreRestored(t *testing.T) {
	for _, damage := range []string{"flipped", "cut", "removed"} {
		t.Run(damage, func(t *testing.T) {
			fs := vfs.NewMem()
			x := newIndexed(t, mustOpen(t, fs, testConfig(t)), Settings{SegmentBytes: 150_000})
			for round := range 3 {
				x.write(t, 1500)
				if err := x.flush(); err != nil {
					t.Fatal(err)
				}
				for range 2 { // so that the files are opened again
					x.sweep()
				}
				for _, s := range x.segments {
					path := s.path(indexExt)
					switch damage {
					case "flipped":
						for n := round; n < s.index.saved; n += 3 {
							flip(t, fs, path, int64(n)*entrySize+3)
						}
					case "cut":
						b, err := readFile(fs, path, 1<<20)
						if err == nil {
							err = replaceFile(fs, x.dir, s.name(indexExt), b[:len(b)/2])
						}
						if err != nil {
							t.Fatal(err)
						}
					case "removed":
						if err := fs.Remove(path); err != nil {
							t.Fatal(err)
						}
					}
				}
				x.write(t, 10)
				x.check(t, 53)
			}
			if err := x.d.Close(); err != nil {
				t.Fatal(err)
			}
			if found, _ := problems(t, fs); len(found) > 0 {
				t.Error(strings.Join(found, "\n"))
			}
			x.Partition = mustOpen(t, fs, testConfig(t)).Get(x.ID())
			x.check(t, 59)
		})
	}
}

// TestReadsSayWhatTheyCost reads what is in memory, what is where the writers have just been, and what is elsewhere, with files that
// have to be opened and with such as are.
func TestReadsSayWhatTheyCost(t *testing.T) {
	x := newIndexed(t, mustOpen(t, vfs.NewMem(), testConfig(t)), Settings{SegmentBytes: 150_000})
	x.write(t, 4000)
	if err := x.flush(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		x.sweep()
	}
	last := int64(len(x.times) - 1)
	x.write(t, 1)
	for _, test := range []struct {
		name   string
		offset int64
		want   int
	}{
		{"in memory", last + 1, 0},
		{"recent", last, fileWork},
		{"old", 100, openWork + searchWork + openWork + fileWork},
		{"old, again", 100, searchWork + fileWork},
	} {
		c, err := x.Read(Read{Offset: test.offset, Max: 1, MinOne: true})
		if err != nil || c.Next != test.offset+1 || c.Work < test.want || c.Work > test.want+1<<10 {
			t.Errorf("%s: work %d, want %d; next %d, %v", test.name, c.Work, test.want, c.Next, err)
		}
	}
}

// BenchmarkFileRead reads a batch that is not in memory, of a segment with n index entries: near the end, where those are, and
// elsewhere.
func BenchmarkFileRead(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		d, err := Open(vfs.Default, b.TempDir(), Config{TailBytes: 1, Logf: b.Logf})
		if err != nil {
			b.Fatal(err)
		}
		defer d.Close()
		p := mustCreate(b, d, 0, Settings{IndexIntervalBytes: 1})
		row := rows(0, "key", "value")
		for range n {
			mustAppend(b, p, slices.Clone(row))
		}
		awaitHW(b, p)
		if err := p.flush(); err != nil {
			b.Fatal(err)
		}
		for name, places := range map[string]int{"recent": recentEntries, "cold": n} {
			b.Run(fmt.Sprintf("%s of %d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				at := 0
				for b.Loop() {
					at = (at + 7919) % places
					if _, err := p.Read(Read{Offset: int64(n - places + at), Max: 1, MinOne: true}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
