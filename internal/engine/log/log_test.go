package log

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/batch"
)

// handClock is a clock that tests set; timers never fire by themselves.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func newHandClock() *handClock { return &handClock{now: time.UnixMilli(1_700_000_000_000)} }

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *handClock) ms() int64 { return c.Now().UnixMilli() }

func (c *handClock) AfterFunc(time.Duration, func()) func() bool { return func() bool { return true } }

// topicOne is the topic most tests write to.
var topicOne = [16]byte{1}

func testConfig(t testing.TB) Config {
	return Config{Clock: newHandClock(), WALBytes: 64 << 10, Logf: t.Logf}
}

func mustOpen(t testing.TB, fs vfs.FS, cfg Config) *Dir {
	t.Helper()
	d, err := Open(fs, "data", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func mustCreate(t testing.TB, d *Dir, partition int32, s Settings) *Partition {
	t.Helper()
	p, err := d.Create(ID{topicOne, partition}, "one", s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rows makes a batch of records without a producer.
func rows(at int64, keyValues ...string) []byte {
	return sealed(batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1}, at, keyValues...)
}

// sealed makes a batch; the value "-" is null.
func sealed(s batch.Seal, at int64, keyValues ...string) []byte {
	var b batch.Builder
	for i := 0; i < len(keyValues); i += 2 {
		value := []byte(keyValues[i+1])
		if keyValues[i+1] == "-" {
			value = nil
		}
		b.Append(at+int64(i/2), []byte(keyValues[i]), value, nil)
	}
	out, err := b.Finish(s)
	if err != nil {
		panic(err)
	}
	return bytes.Clone(out)
}

func mustAppend(t testing.TB, p *Partition, b []byte) Appended {
	t.Helper()
	a, err := p.Append(Append{Batch: b})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustDurable(t testing.TB, d *Dir, ticket Ticket) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := d.WaitDurable(ctx, ticket); err != nil {
		t.Fatal(err)
	}
}

// awaitHW waits until what was appended so far is visible.
func awaitHW(t testing.TB, p *Partition) Offsets {
	t.Helper()
	p.mu.Lock()
	lsn := p.lastLSN
	p.mu.Unlock()
	mustDurable(t, p.d, Ticket(lsn))
	return p.Offsets()
}

// TestWhatIsAcknowledgedIsVisible looks at who waits for an append at the moment the high watermark moves: nobody is told
// before.
func TestWhatIsAcknowledgedIsVisible(t *testing.T) {
	cfg := testConfig(t)
	moves, early := 0, 0
	var d *Dir
	cfg.OnAdvance = func(p *Partition) {
		p.mu.Lock()
		lsn := p.lastLSN
		p.mu.Unlock()
		if moves++; d.wal.done.Load() >= lsn {
			early++
		}
	}
	d = mustOpen(t, vfs.NewCrashableMem(), cfg)
	p := mustCreate(t, d, 0, Settings{})
	a := mustAppend(t, p, rows(1, "k", "v"))
	mustDurable(t, d, a.Ticket)
	if o := p.Offsets(); o.HW != 1 {
		t.Errorf("acknowledged, and the high watermark is %d", o.HW)
	}
	if moves == 0 || early > 0 {
		t.Errorf("%d moves of the high watermark, %d after who waited was told", moves, early)
	}
}

// row is a record as a reader sees it.
type row struct {
	offset     int64
	key, value string
	producer   int64
	control    bool
}

// readRows returns all records from offset on, with the aborted transactions taken out if committed is set.
func readRows(t testing.TB, p *Partition, offset int64, r Read) []row {
	t.Helper()
	var out []row
	if r.Max == 0 {
		r.Max = 1 << 20
	}
	for r.Offset = offset; ; {
		c, err := p.Read(r)
		if err != nil {
			t.Fatal(err)
		}
		if c.Next == r.Offset {
			return out
		}
		got := visible(t, c, r)
		out = append(out, got...)
		r.Offset = c.Next
	}
}

// visible decodes a chunk as Kafka's consumers do.
func visible(t testing.TB, c Chunk, r Read) []row {
	t.Helper()
	var out []row
	aborted := map[int64]bool{}
	pending := c.Aborted
	var reader batch.Reader
	for b := c.Data; len(b) > 0; {
		h, err := batch.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		one := b[:h.Size()]
		b = b[h.Size():]
		if err := batch.CheckCRC(one); err != nil {
			t.Fatal(err)
		}
		var rest []Aborted
		for _, a := range pending {
			if a.First <= h.LastOffset() {
				aborted[a.ProducerID] = true
			} else {
				rest = append(rest, a)
			}
		}
		pending = rest
		if h.Control() && h.Count > 0 {
			if m, err := batch.ParseMarker(one); err != nil {
				t.Fatal(err)
			} else if !m.Commit {
				delete(aborted, h.ProducerID)
			}
		}
		if r.Committed && (h.Control() || h.Transactional() && aborted[h.ProducerID]) {
			continue
		}
		if err := reader.Reset(one); err != nil {
			t.Fatal(err)
		}
		for rec := (batch.Record{}); reader.Next(&rec); {
			if rec.Offset < r.Offset {
				continue
			}
			value := string(rec.Value)
			if rec.Value == nil {
				value = "-"
			}
			key := string(rec.Key)
			if h.Control() {
				key, value = "", ""
			}
			out = append(out, row{rec.Offset, key, value, h.ProducerID, h.Control()})
		}
		if reader.Err() != nil {
			t.Fatal(reader.Err())
		}
	}
	return out
}

func newRand(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

func TestAppendReadReopen(t *testing.T) {
	fs := vfs.NewCrashableMem()
	cfg := testConfig(t)
	d := mustOpen(t, fs, cfg)
	p := mustCreate(t, d, 0, Settings{SegmentBytes: 2000})
	const n = 300
	var last Appended
	for i := range n {
		last = mustAppend(t, p, rows(int64(i), fmt.Sprint("k", i), "v"))
		if last.BaseOffset != int64(i) {
			t.Fatalf("offset %d, want %d", last.BaseOffset, i)
		}
	}
	check := func(p *Partition) {
		t.Helper()
		for _, max := range []int32{1, 300, 5000, 1 << 20} {
			got := readRows(t, p, 7, Read{Max: max, MinOne: true})
			if len(got) != n-7 || got[0].key != "k7" || got[len(got)-1].key != fmt.Sprint("k", n-1) {
				t.Fatalf("max %d: %d records", max, len(got))
			}
		}
	}
	mustDurable(t, d, last.Ticket)
	awaitHW(t, p)
	check(p)
	if len(p.segments) < 10 {
		t.Fatalf("%d segments", len(p.segments))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(Read{Offset: 0, Max: 1}); !errors.Is(err, ErrClosed) {
		t.Fatalf("read after Close: %v", err)
	}
	d = mustOpen(t, fs, cfg)
	if p = d.Get(ID{topicOne, 0}); p == nil || p.Name() != "one" || p.Settings().SegmentBytes != 2000 || !d.Clean() || d.LeaderEpoch() != 0 {
		t.Fatalf("reopened: %+v, clean %v, epoch %d", p, d.Clean(), d.LeaderEpoch())
	}
	check(p)
	if a := mustAppend(t, p, rows(0, "x", "y")); a.BaseOffset != n {
		t.Fatalf("offset %d after reopening", a.BaseOffset)
	}
}

// Nothing is visible before it is durable, all that was durable survives a crash, and the epoch tells of it.
func TestCrashKeepsWhatWasDurable(t *testing.T) {
	for _, percent := range []int{0, 30, 100} {
		fs := vfs.NewCrashableMem()
		cfg := testConfig(t)
		d := mustOpen(t, fs, cfg)
		p := mustCreate(t, d, 0, Settings{SegmentBytes: 3000})
		for i := range 2000 {
			a := mustAppend(t, p, rows(int64(i), fmt.Sprint("k", i), "some value"))
			if i%100 == 99 {
				mustDurable(t, d, a.Ticket)
			}
		}
		durable := awaitHW(t, p).HW
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: newRand(t)})
		d2 := mustOpen(t, crashed, cfg)
		if d2.Clean() || d2.LeaderEpoch() != 1 {
			t.Fatalf("clean %v, epoch %d", d2.Clean(), d2.LeaderEpoch())
		}
		p2 := d2.Get(p.ID())
		if err := p2.Err(); err != nil {
			t.Fatal(err)
		}
		o := p2.Offsets()
		if o.HW != durable || o.End != durable {
			t.Fatalf("percent %d: %+v, durable was %d", percent, o, durable)
		}
		got := readRows(t, p2, 0, Read{})
		for i, r := range got {
			if r.key != fmt.Sprint("k", i) || r.offset != int64(i) {
				t.Fatalf("record %d is %+v", i, r)
			}
		}
		if len(got) != int(durable) {
			t.Fatalf("%d records", len(got))
		}
		if epoch, end := p2.EndOfEpoch(0); epoch != 0 || end != durable {
			t.Fatalf("epoch 0 ends at %d of %d", end, durable)
		}
		mustAppend(t, p2, rows(0, "a", "b"))
		awaitHW(t, p2)
		if epoch, end := p2.EndOfEpoch(1); epoch != 1 || end != durable+1 {
			t.Fatalf("epoch 1: %d %d", epoch, end)
		}
	}
}
