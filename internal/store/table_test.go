package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

// testDB opens a database that the test closes.
func testDB(t testing.TB, fs vfs.FS) *DB {
	t.Helper()
	db, err := OpenDB(fs, "db", Options{Logger: quietLog})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func testKV(t testing.TB, db *DB, b *Budget) *KV[int64] {
	t.Helper()
	kv, err := OpenKV(Env{DB: db, Hasher: hashed.NewHasher(1, 2), Budget: b}, "counts", Schema{KindTimestampedKV, "string", "int64"}, serde.Int64)
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

func testKey(kv *KV[int64], i int) Key { return kv.env.Hasher.Key(fmt.Appendf(nil, "key-%09d", i)) }

// checkpointed writes everything below.
func checkpointed(t testing.TB, s Store) {
	t.Helper()
	c := s.BeginCheckpoint()
	if c == nil {
		return
	}
	for !c.Encode(1 << 20) {
	}
	err := c.Write()
	c.Finish(err)
	if err != nil {
		t.Fatal(err)
	}
}

func closed(t testing.TB, cs ...interface{ Close() error }) {
	t.Helper()
	for _, c := range cs {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGetAndPutAllocateNothing(t *testing.T) {
	kv := testKV(t, nil, nil)
	keys := make([]Key, 20_000)
	for i := range keys {
		keys[i] = testKey(kv, i)
	}
	var log nothing
	round := func() {
		for i, k := range keys {
			v, at, _, _ := kv.Get(&k)
			_ = kv.Put(&k, v+int64(i), at+1)
		}
		if err := kv.Flush(&log); err != nil {
			t.Fatal(err)
		}
		kv.Ended(Position{})
	}
	round()
	if n := testing.AllocsPerRun(5, round); n > 0 {
		t.Errorf("%v allocations for %d records and their commit, want none", n, len(keys))
	}
}

// A store with far more rows than fit into its budget keeps to it, and finds every row.
func TestMemoryIsBounded(t *testing.T) {
	const rows, limit = 100_000, 2 << 20
	db := testDB(t, vfs.NewMem())
	budget := NewBudget(limit)
	kv := testKV(t, db, budget)
	for i := range rows {
		if err := kv.Put(new(testKey(kv, i)), int64(i), 1); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 999 {
			if err := kv.Flush(&nothing{}); err != nil {
				t.Fatal(err)
			}
			kv.Ended(Position{Offset: int64(i)})
			if _, pending := kv.Pending(); pending > limit/8 {
				checkpointed(t, kv)
			}
		}
	}
	for i := range rows {
		if v, _, ok, err := kv.Get(new(testKey(kv, i))); err != nil || !ok || v != int64(i) {
			t.Fatalf("row %d: %d %v %v", i, v, ok, err)
		}
		if _, _, ok, err := kv.Get(new(testKey(kv, i+rows))); err != nil || ok {
			t.Fatalf("row %d is there: %v", i+rows, err)
		}
	}
	if used := budget.Used(); used > 2*limit {
		t.Errorf("%d bytes are used of %d", used, limit)
	}
	if n := kv.Rows(); n < rows*9/10 || n > rows {
		t.Errorf("%d rows, want %d", kv.Rows(), rows)
	}
	closed(t, kv, db)
}

// A restore larger than the budget goes below as it comes.
func TestLargeRestoreSpills(t *testing.T) {
	const rows, limit = 100_000, 2 << 20
	db := testDB(t, vfs.NewMem())
	budget := NewBudget(limit)
	kv := testKV(t, db, budget)
	var key, value []byte
	err := kv.Replay(func(yield func(Logged) bool) {
		for i := range 2 * rows {
			key = fmt.Appendf(key[:0], "key-%09d", i%rows)
			value, _ = serde.Int64.Append(value[:0], int64(i))
			if !yield(Logged{Key: key, Value: value, Time: int64(i)}) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if kv.Position().Offset != 0 {
		t.Errorf("during the replay the position is %v", kv.Position())
	}
	kv.Restored(Position{Offset: 2 * rows})
	if used := budget.Used(); used > 4*limit {
		t.Errorf("%d bytes are used of %d", used, limit)
	}
	checkpointed(t, kv)
	closed(t, kv)
	kv = testKV(t, db, budget)
	if kv.Position().Offset != 2*rows || kv.Rows() < rows*9/10 || kv.Rows() > rows {
		t.Errorf("position %v, %d rows", kv.Position(), kv.Rows())
	}
	for i := range rows {
		if v, at, ok, err := kv.Get(new(testKey(kv, i))); err != nil || !ok || v != int64(i+rows) || at != v {
			t.Fatalf("row %d: %d at %d %v %v", i, v, at, ok, err)
		}
	}
	closed(t, kv, db)
}

// After a restart, fruitless reads make the table build a filter, which knows what is below.
func TestFilterComesAfterARestart(t *testing.T) {
	const rows = 5000
	db := testDB(t, vfs.NewMem())
	kv := testKV(t, db, nil)
	for i := range rows {
		_ = kv.Put(new(testKey(kv, i)), int64(i), 1)
	}
	kv.Ended(Position{Offset: 1})
	checkpointed(t, kv)
	closed(t, kv)
	db.lim.scanAfter = 10
	kv = testKV(t, db, nil)
	for i := 0; kv.tab.scan == nil; i++ {
		if i > 10 {
			t.Fatal("no filter is being built")
		}
		if _, _, ok, err := kv.Get(new(testKey(kv, rows+i))); ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	f := <-kv.tab.scan.done
	kv.tab.scan.done = make(chan *filter, 1)
	kv.tab.scan.done <- f
	wrong := 0
	for i := range rows {
		if _, _, ok, err := kv.Get(new(testKey(kv, i))); !ok || err != nil {
			t.Fatalf("row %d: %v %v", i, ok, err)
		}
		if f.may(testKey(kv, rows+i).Hash) {
			wrong++
		}
	}
	if kv.tab.filter == nil || wrong > rows/20 {
		t.Errorf("the filter errs for %d of %d keys", wrong, rows)
	}
	closed(t, kv, db)
}

// Rows are written while another goroutine writes the checkpoint.
func TestCheckpointBesideProcessing(t *testing.T) {
	db := testDB(t, vfs.NewMem())
	kv := testKV(t, db, nil)
	offset := int64(0)
	for round := range 20 {
		for i := range 12_000 {
			_ = kv.Put(new(testKey(kv, i)), int64(round), 1)
		}
		kv.Ended(Position{Offset: offset})
		offset++
		c := kv.BeginCheckpoint()
		for done := false; !done; {
			done = c.Encode(500)
			_ = kv.Put(new(testKey(kv, round*100)), int64(-round), 2)
		}
		wrote := make(chan error)
		go func() { wrote <- c.Write() }()
		for i := range 5000 {
			_ = kv.Put(new(testKey(kv, i)), int64(-round), 3)
			_, _, _, _ = kv.Get(new(testKey(kv, i+20_000)))
		}
		c.Finish(<-wrote)
		if kv.Position().Offset != offset-1 {
			t.Fatalf("round %d: position %v", round, kv.Position())
		}
		if err := checkTable(kv.tab); err != nil {
			t.Fatal(err)
		}
		kv.Abort()
	}
	for i := range 12_000 {
		if v, _, ok, err := kv.Get(new(testKey(kv, i))); !ok || err != nil || v != 19 {
			t.Fatalf("row %d: %d %v %v", i, v, ok, err)
		}
	}
	closed(t, kv, db)
}

// Segments that are joined while a checkpoint has encoded one of them and not the other lose no row.
func TestJoinBesideACheckpointLosesNothing(t *testing.T) {
	db := testDB(t, vfs.NewMem())
	db.lim.segment = 4 * firstSlots
	kv := testKV(t, db, nil)
	const rows = 4 * firstSlots // two segments
	put := func(round int64) {
		for i := range rows {
			_ = kv.Put(new(testKey(kv, i)), round, round)
		}
		kv.Ended(Position{Offset: round})
	}
	put(1)
	checkpointed(t, kv)
	one, two := kv.tab.dir[0].seg, kv.tab.dir[len(kv.tab.dir)-1].seg
	if kv.tab.segs != 2 {
		t.Fatalf("void: %d segments", kv.tab.segs)
	}
	for kv.tab.rows > rows/2 {
		kv.tab.evict(one)
		kv.tab.evict(two)
	}
	var changed []int
	for i := range rows {
		k := testKey(kv, i)
		if _, _, hot := kv.tab.find(&k); hot {
			_ = kv.Put(&k, 2, 2)
			changed = append(changed, i)
		}
	}
	kv.Ended(Position{Offset: 2})
	c := kv.BeginCheckpoint()
	if c.Encode(1) {
		t.Fatal("void: the checkpoint encodes both segments at once")
	}
	if kv.tab.join(kv.tab.lists[listGen0+1-kv.tab.cur][0]); kv.tab.segs != 1 {
		t.Fatal("void: they are not joined")
	}
	for !c.Encode(1) {
	}
	c.Finish(c.Write())
	closed(t, kv)
	kv = testKV(t, db, nil)
	for _, i := range changed {
		if v, _, ok, err := kv.Get(new(testKey(kv, i))); err != nil || !ok || v != 2 {
			t.Errorf("row %d: %d %v %v, want 2: the checkpoint stands for offset %d", i, v, ok, err, kv.Position().Offset)
		}
	}
	closed(t, kv, db)
}

var errSerde = errors.New("refused")

// What a serde refuses fails the commit, and a checkpoint leaves everything as it was.
func TestSerdeErrors(t *testing.T) {
	db := testDB(t, vfs.NewMem())
	bad := serde.Of(func(dst []byte, v int) ([]byte, error) {
		if v < 0 {
			return nil, errSerde
		}
		return append(dst, byte(v)), nil
	}, func(b []byte) (int, error) { return int(b[0]), nil })
	kv, err := OpenKV(Env{DB: db, Hasher: hashed.NewHasher(1, 2)}, "bad", Schema{Kind: KindKV}, bad)
	if err != nil {
		t.Fatal(err)
	}
	one, two := kv.env.Hasher.Key([]byte("one")), kv.env.Hasher.Key([]byte("two"))
	_ = kv.Put(&one, 1, 0)
	_ = kv.Put(&two, -1, 0)
	if err := kv.Flush(&nothing{}); !errors.Is(err, errSerde) {
		t.Errorf("flush: %v", err)
	}
	kv.Ended(Position{Offset: 9})
	c := kv.BeginCheckpoint()
	c.Encode(100)
	err = c.Write()
	if c.Finish(err); !errors.Is(err, errSerde) {
		t.Errorf("write: %v", err)
	}
	if rows, _ := kv.Pending(); rows != 2 || kv.Position().Offset != 0 {
		t.Errorf("%d rows are pending, position %v", rows, kv.Position())
	}
	closed(t, kv, db)
}
