package store

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

// refusing is a serde of numbers that neither writes nor reads negative ones.
var refusing = serde.Of(func(dst []byte, v int) ([]byte, error) {
	if v < 0 {
		return nil, errSerde
	}
	return append(dst, byte(v)), nil
}, func(b []byte) (int, error) {
	if b[0] > 100 {
		return 0, errSerde
	}
	return int(b[0]), nil
})

// testRing opens a store of windows of 60 ms every 10, which takes 8 cells for each key.
func testRing(t testing.TB, db *DB, b *Budget) *Window[int] {
	t.Helper()
	w, err := OpenWindow(Env{DB: db, Hasher: hashed.NewHasher(1, 2), Budget: b}, "w", Schema{Kind: KindTimestampedWindow}, 60, 61, refusing)
	if err != nil {
		t.Fatal(err)
	}
	if w.Hop(10); w.ring == nil {
		t.Fatal("it has no ring")
	}
	return w
}

func ringKey(w *Window[int], i int) Key { return w.env.Hasher.Key(fmt.Appendf(nil, "key-%d", i)) }

func TestRingsAreForWindowsThatOverlapMuch(t *testing.T) {
	for _, x := range []struct{ size, advance, retention, cells int64 }{
		{10, 10, 10, 0},
		{10, 5, 10, 0},
		{11, 5, 11, 8},
		{60, 10, 60, 8},
		{60, 10, 81, 16},
		{60, 10, 243, 32},
		{60, 10, 244, 0}, // a key that comes now and then would have most of its cells empty
		{60, 1, 64, 64},
		{60, 1, 65, 0},
		{60, 0, 60, 0}, // it does not hop
	} {
		w, err := OpenWindow(Env{Hasher: hashed.NewHasher(1, 2)}, "w", Schema{}, x.size, x.retention, serde.Int64)
		if err != nil {
			t.Fatal(err)
		}
		w.Hop(x.advance)
		if x.cells == 0 && w.ring != nil || x.cells > 0 && (w.ring == nil || w.ring.cells != x.cells) {
			t.Errorf("%+v: %+v", x, w.ring)
		}
		closed(t, w)
	}
}

// A start is one of the ring's if it is a multiple of the advance, however large both are.
func TestRingNumbers(t *testing.T) {
	for _, advance := range []int64{1, 2, 3, 7, 10, 1 << 20, 3_600_000, 1<<40 + 1} {
		w, err := OpenWindow(Env{Hasher: hashed.NewHasher(1, 2)}, "w", Schema{}, 3*advance, 3*advance, serde.Int64)
		if err != nil {
			t.Fatal(err)
		}
		w.Hop(advance)
		last := int64(1<<63-1) / advance
		for _, n := range []int64{0, 1, 2, 1_000_003, last / 2, last - 1, last} {
			for d := int64(-1); d <= 1; d++ {
				if n > last || n == last && d > 0 {
					continue
				}
				start := n*advance + d
				got, ok := w.ring.number(start)
				if ok != (start >= 0 && start%advance == 0) || ok && got != start/advance {
					t.Errorf("advance %d: %d is number %d, %v", advance, start, got, ok)
				}
			}
		}
		closed(t, w)
	}
}

// A serde that refuses a value in the middle of a commit, or of a checkpoint, leaves everything as it was.
func TestRingSerdeErrors(t *testing.T) {
	db := testDB(t, vfs.NewMem())
	w := testRing(t, db, nil)
	var log changelog
	one, two := ringKey(w, 1), ringKey(w, 2)
	put := func(k Key, start int64, v int) {
		t.Helper()
		if err := w.Put(k, start, v, start); err != nil {
			t.Fatal(err)
		}
	}
	commit := func() {
		t.Helper()
		if err := w.Flush(&log); err != nil {
			t.Fatal(err)
		}
		w.Ended(log.end(true))
	}
	is := func(want string) {
		t.Helper()
		got := ""
		for e, err := range w.FetchRange(nil, nil, 0, 1000) {
			if err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprintf("%s@%d=%d ", e.Key, e.Start, e.Value)
		}
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	put(one, 10, 1)
	put(one, 20, 2)
	commit()
	is("key-1@10=1 key-1@20=2 ")

	put(one, 10, 11)
	put(one, 20, -1)
	put(one, 90, 12) // the ring moves on over 10
	put(two, 90, 13)
	if err := w.Flush(&log); !errors.Is(err, errSerde) {
		t.Errorf("flush: %v", err)
	}
	log.end(false)
	w.Abort()
	is("key-1@10=1 key-1@20=2 ")
	if err := checkRing(w.ring); err != nil {
		t.Error(err)
	}

	put(one, 30, -3)
	put(two, 30, 3)
	w.Ended(Position{Offset: 9}) // a commit without a changelog
	c := w.BeginCheckpoint()
	for !c.Encode(1) {
	}
	err := c.Write()
	if c.Finish(err); !errors.Is(err, errSerde) {
		t.Errorf("write: %v", err)
	}
	if rows, _ := w.Pending(); rows != 4 || w.Position().Offset != 0 {
		t.Errorf("%d rows are pending, position %v", rows, w.Position())
	}
	put(one, 30, 4)
	commit()
	checkpointed(t, w)
	is("key-1@10=1 key-1@20=2 key-1@30=4 key-2@30=3 ")
	if err := checkRing(w.ring); err != nil {
		t.Error(err)
	}
	closed(t, w, db)
}

// evictRing lets all clean rows go.
func evictRing[V any](w *Window[V]) {
	for range 4 * segmentSlots {
		w.ring.tab.segments(func(s *segment[block]) bool { w.ring.tab.evict(s); return true })
	}
}

// What does not decode is an error of whoever asks for it; queries give bytes.
func TestRingRowsThatDoNotDecode(t *testing.T) {
	db := testDB(t, vfs.NewMem())
	w := testRing(t, db, nil)
	one, two := ringKey(w, 1), ringKey(w, 2)
	for start := int64(10); start <= 30; start += 10 {
		for _, k := range []Key{one, two} {
			if err := w.Put(k, start, int(start)+90*int(start/30), start); err != nil { // 120 can be written alone
				t.Fatal(err)
			}
		}
	}
	w.Ended(Position{Offset: 1})
	checkpointed(t, w)
	evictRing(w)
	if w.ring.tab.rows != 0 || w.ring.octets.used != 2*w.ring.octets.per || len(w.ring.octets.free) != 2 {
		t.Fatalf("%d rows are left, %d blocks free", w.ring.tab.rows, len(w.ring.octets.free))
	}
	for range 2 {
		if _, _, _, err := w.Get(one, 30); !errors.Is(err, errSerde) {
			t.Errorf("get: %v", err)
		}
		if v, _, ok, err := w.Get(one, 20); v != 20 || !ok || err != nil {
			t.Errorf("get: %d %v %v", v, ok, err)
		}
	}
	var starts []int64
	for e, err := range w.Fetch(one, 0, 100, false) {
		if starts = append(starts, e.Start); err != nil && !errors.Is(err, errSerde) || len(starts) == 3 && err == nil {
			t.Errorf("fetch: %v", err)
		}
	}
	if !slices.Equal(starts, []int64{10, 20, 0}) {
		t.Errorf("fetch: %v", starts)
	}
	n := 0
	for _, err := range w.FetchRange(nil, nil, 0, 100) {
		if n++; (err != nil) != (n == 5) || err != nil && !errors.Is(err, errSerde) {
			t.Errorf("fetchRange: row %d: %v", n, err)
		}
	}
	if n != 5 {
		t.Errorf("fetchRange: %d rows", n)
	}
	n = 0
	for row, err := range w.Committed(Query{Op: "fetchall", ToTime: 100}) {
		if n++; err != nil || n > 4 && row.Value[0] != 120 {
			t.Errorf("committed: %v %v", row, err)
		}
	}
	if n != 6 {
		t.Errorf("committed: %d rows", n)
	}
	if err := w.Put(one, 30, 1, 40); err != nil { // a write needs not read
		t.Error(err)
	}
	if err := checkRing(w.ring); err != nil {
		t.Error(err)
	}
	closed(t, w, db)
}

// counted counts reads below.
type counted struct {
	engine
	gets int
}

func (c *counted) get(key []byte) ([]byte, io.Closer, error) {
	c.gets++
	return c.engine.get(key)
}

// A row that was evicted is read once: its windows that are below, and those that are not.
func TestRingKeepsWhatItReadsBack(t *testing.T) {
	db := testDB(t, vfs.NewMem())
	w := testRing(t, db, nil)
	k := ringKey(w, 1)
	_ = w.Put(k, 10, 1, 10)
	_ = w.Put(k, 30, 3, 30)
	w.Ended(Position{Offset: 1})
	checkpointed(t, w)
	evictRing(w)
	below := &counted{engine: db.e}
	db.e = below
	for _, want := range []int{3, 0} {
		below.gets = 0
		for start := int64(10); start <= 60; start += 10 {
			v, _, ok, err := w.Get(k, start)
			if there := start == 10 || start == 30; err != nil || ok != there || ok && v != int(start)/10 {
				t.Errorf("%d: %d %v %v", start, v, ok, err)
			}
		}
		if below.gets != want {
			t.Errorf("%d reads below, want %d", below.gets, want)
		}
	}
	db.e = below.engine
	closed(t, w, db)
}

// Keys that do not come again leave memory, and so do the blocks that they had.
func TestIdleKeysLeaveRings(t *testing.T) {
	for _, below := range []bool{false, true} {
		t.Run(fmt.Sprintf("below=%v", below), func(t *testing.T) {
			var db *DB
			if below {
				db = testDB(t, vfs.NewMem())
			}
			w := testRing(t, db, nil)
			var most int64
			for i := range 20_000 {
				_ = w.Put(ringKey(w, i), int64(i/1000)*10, i%100, 0)
				if i%1000 == 999 {
					for range 30 { // each sweeps a segment
						w.Ended(Position{Offset: int64(i)})
					}
					checkpointed(t, w)
					most = max(most, w.Bytes())
				}
			}
			if n := w.ring.tab.rows; n > 12_000 || n < 7000 || most > 12_000*400 {
				t.Errorf("%d rows in memory, at most %d bytes", n, most)
			}
			_ = w.Put(ringKey(w, 1), 1000, 1, 0)
			for range 60 {
				w.Ended(Position{Offset: 1 << 20})
				checkpointed(t, w)
			}
			if n := w.ring.tab.rows; n != 1 || len(w.ring.octets.chunks) != 1 {
				t.Errorf("%d rows, %d chunks", n, len(w.ring.octets.chunks))
			}
			if err := checkRing(w.ring); err != nil {
				t.Error(err)
			}
			if closed(t, w); db != nil {
				closed(t, db)
			}
		})
	}
}

// A store with far more rows than fit into its budget keeps to it, and finds every row.
func TestMemoryOfRingsIsBounded(t *testing.T) {
	const keys, limit = 50_000, 2 << 20
	db := testDB(t, vfs.NewMem())
	budget := NewBudget(limit)
	w := testRing(t, db, budget)
	for i := range keys {
		for start := int64(0); start < 60; start += 10 {
			if err := w.Put(ringKey(w, i), start, (i+int(start))%100, 0); err != nil {
				t.Fatal(err)
			}
		}
		if i%500 == 499 {
			w.Ended(Position{Offset: int64(i)})
			if _, pending := w.Pending(); pending > limit/8 {
				checkpointed(t, w)
			}
		}
	}
	for i := range keys {
		start := int64(i%6) * 10
		if v, _, ok, err := w.Get(ringKey(w, i), start); err != nil || !ok || v != (i+int(start))%100 {
			t.Fatalf("row %d: %d %v %v", i, v, ok, err)
		}
		if _, _, ok, err := w.Get(ringKey(w, i+keys), 10); err != nil || ok {
			t.Fatalf("row %d is there: %v", i+keys, err)
		}
	}
	if used := budget.Used(); used > 2*limit || used != w.Bytes() {
		t.Errorf("%d bytes are used of %d, the store says %d", used, limit, w.Bytes())
	}
	if closed(t, w); budget.Used() != 0 {
		t.Errorf("%d bytes are used after the end", budget.Used())
	}
	closed(t, db)
}

// Once memory has its size, records allocate nothing, while windows come and go and transactions are committed or taken back.
func TestRingsAllocateNothing(t *testing.T) {
	w := testRing(t, nil, nil)
	keys := make([]Key, 5000)
	for i := range keys {
		keys[i] = ringKey(w, i)
	}
	var log nothing
	now := int64(100)
	round := func() {
		for i, k := range keys {
			for start := now - 50; start <= now; start += 10 {
				v, _, _, _ := w.Get(k, start)
				_ = w.Put(k, start, (v+i)%100, now)
			}
		}
		if now%30 == 0 {
			w.Abort()
		} else {
			if err := w.Flush(&log); err != nil {
				t.Fatal(err)
			}
			w.Ended(Position{})
		}
		now += 10
	}
	for range 10 {
		round()
	}
	if n := testing.AllocsPerRun(10, round); n > 0 {
		t.Errorf("%v allocations for %d records and their commit, want none", n, len(keys))
	}
}

// A store that is closed in the middle of a read ends it with an error.
func TestReadOfAClosedRing(t *testing.T) {
	for rows := 1; rows <= 3; rows++ {
		db := testDB(t, vfs.NewMem())
		w := testRing(t, db, nil)
		for i := range 2 {
			_ = w.Put(ringKey(w, i), 10, 1, 0)
			_ = w.Put(ringKey(w, i), 20, 1, 0)
		}
		w.Ended(Position{Offset: 1})
		checkpointed(t, w)
		n := 0
		for _, err := range w.FetchRange(nil, nil, 0, 100) {
			if n++; n == rows {
				closed(t, w)
			}
			if (err != nil) != (n > rows) || err != nil && !errors.Is(err, errClosed) {
				t.Errorf("row %d: %v", n, err)
			}
		}
		if n != rows+1 {
			t.Errorf("%d rows, closed after %d", n, rows)
		}
		closed(t, db)
	}
}

// What nobody can see is below all the same, as it was last, until its segment goes: a longer retention shows it again.
func TestLongerRetentionShowsWhatRingsMovedOnOver(t *testing.T) {
	for _, advance := range []int64{0, 10} {
		db := testDB(t, vfs.NewMem())
		open := func(retention int64) *Window[int] {
			w, err := OpenWindow(Env{DB: db, Hasher: hashed.NewHasher(1, 2)}, "w", Schema{Kind: KindTimestampedWindow}, 60, retention, refusing)
			if err != nil {
				t.Fatal(err)
			}
			w.Hop(advance)
			return w
		}
		w := open(60)
		k, offset := ringKey(w, 1), int64(0)
		commit := func() {
			t.Helper()
			if err := w.Flush(&nothing{}); err != nil {
				t.Fatal(err)
			}
			offset++
			w.Ended(Position{Offset: offset})
		}
		_ = w.Put(k, 10, 1, 0)
		_ = w.Put(k, 20, 1, 0)
		_ = w.Put(k, 30, 1, 0)
		commit()
		checkpointed(t, w)
		_ = w.Put(k, 10, 2, 0)
		_ = w.Delete(k, 20, 0)
		_ = w.Put(k, 40, 2, 0)
		commit()
		_ = w.Put(k, 30, 3, 0)
		_ = w.Put(k, 500, 3, 0) // moves on over those of before, and of this commit
		_ = w.Put(k, 0, 3, 0)   // and this one cannot be seen at once
		commit()
		checkpointed(t, w)
		closed(t, w)
		w = open(1000)
		got := ""
		for e, err := range w.Fetch(k, 0, 1000, false) {
			got += fmt.Sprintf("%d=%d %v ", e.Start, e.Value, err)
		}
		if want := "0=3 <nil> 10=2 <nil> 30=3 <nil> 40=2 <nil> 500=3 <nil> "; got != want {
			t.Errorf("advance %d: %s, want %s", advance, got, want)
		}
		closed(t, w, db)
	}
}

// A checkpoint of many segments that is overtaken by writes, and given up half way, leaves its rows to the next.
func TestRingCheckpointGivenUpHalfWay(t *testing.T) {
	const keys = 4000
	db := testDB(t, vfs.NewMem())
	w := testRing(t, db, nil)
	put := func(i int, start int64, v int) {
		t.Helper()
		if err := w.Put(ringKey(w, i), start, v, 0); err != nil {
			t.Fatal(err)
		}
	}
	check := func() {
		t.Helper()
		if err := checkRing(w.ring); err != nil {
			t.Fatal(err)
		}
	}
	for i := range keys {
		put(i, 10, 1)
	}
	w.Ended(Position{Offset: 1})
	for i := range keys {
		put(i, int64(10+i%3*10), 2)
	}
	w.Ended(Position{Offset: 2})
	for i := 0; i < keys; i += 2 {
		put(i, 20, 3) // open when the checkpoint begins
	}
	for half := range 3 {
		c := w.BeginCheckpoint()
		if c.Encode(1) {
			t.Fatal("all was encoded at once")
		}
		check()
		for i := 0; i < keys; i += 5 {
			put(i, 10, 4+half)
			put(i, []int64{200, 90, 300}[half], 5) // moves on over 10, at least
		}
		check()
		if half == 1 {
			w.Ended(Position{Offset: 3})
		} else {
			w.Abort()
		}
		check()
		c.Finish(errors.New("given up"))
		check()
	}
	checkpointed(t, w)
	check()
	evictRing(w)
	for i := range keys {
		want, start := 2, int64(10+i%3*10)
		if i%5 == 0 { // it was committed once
			want, start = 5, 90
		} else if start < 30 {
			continue // nobody can see it
		}
		if v, _, ok, err := w.Get(ringKey(w, i), start); v != want || !ok || err != nil {
			t.Fatalf("row %d: %d %v %v, want %d", i, v, ok, err, want)
		}
	}
	closed(t, w, db)
}
