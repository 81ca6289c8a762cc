package store

import (
	"bytes"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

// testTier is a sorted list. Its content is never changed in place, so that a snapshot is the list.
type testTier struct {
	mu      sync.Mutex
	rows    []tierPair
	before  []tierPair // what it held before the last DeleteRange, which a crash may undo; nil: that is durable
	at      int64
	opened  int
	snaps   int
	failing string // the method that fails, or panics if it begins with "panic "
}

type tierPair struct{ key, value []byte }

func (d *testTier) fails(what string) error {
	switch d.failing {
	case what:
		return errors.New("no such luck")
	case "panic " + what:
		panic("no such luck")
	}
	return nil
}

func (d *testTier) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(d.rows, key, func(p tierPair, k []byte) int { return bytes.Compare(p.key, k) })
}

func (d *testTier) Get(key []byte) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i, ok := d.find(key); ok {
		return d.rows[i].value, d.fails("Get")
	}
	return nil, d.fails("Get")
}

func (d *testTier) Apply(puts iter.Seq2[[]byte, []byte], offset int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.fails("Apply"); err != nil {
		return err
	}
	d.rows, d.before, d.at = slices.Clone(d.rows), nil, offset
	for key, value := range puts {
		i, ok := d.find(key)
		p := tierPair{bytes.Clone(key), bytes.Clone(value)}
		switch {
		case value == nil && ok:
			d.rows = slices.Delete(d.rows, i, i+1)
		case value != nil && ok:
			d.rows[i] = p
		case value != nil:
			d.rows = slices.Insert(d.rows, i, p)
		}
	}
	return nil
}

func (d *testTier) DeleteRange(from, to []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.fails("DeleteRange"); err != nil {
		return err
	}
	if d.before == nil {
		d.before = d.rows
	}
	i, _ := d.find(from)
	j := len(d.rows)
	if to != nil {
		j, _ = d.find(to)
	}
	d.rows = slices.Concat(d.rows[:i], d.rows[j:])
	return nil
}

func (d *testTier) Offset() (int64, error) { return d.at, d.fails("Offset") }

func (d *testTier) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.opened--; d.snaps != 0 || d.opened != 0 {
		return errors.New("snapshots are open, or it is closed twice")
	}
	return d.fails("Close")
}

func (d *testTier) Snapshot() (TierSnapshot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.fails("Snapshot"); err != nil {
		return nil, err
	}
	d.snaps++
	return &testSnapshot{d, d.rows}, nil
}

type testSnapshot struct {
	d    *testTier
	rows []tierPair
}

func (s *testSnapshot) Scan(from, to []byte, descending bool, each func(key, value []byte) bool) error {
	if err := s.d.fails("Scan"); err != nil {
		return err
	}
	rows := slices.Clone(s.rows)
	if descending {
		slices.Reverse(rows)
	}
	for _, p := range rows {
		if s.d.failing == "bounds" || bytes.Compare(p.key, from) >= 0 && (to == nil || bytes.Compare(p.key, to) < 0) {
			if !each(p.key, p.value) && s.d.failing != "end" {
				break
			}
		}
	}
	return nil
}

func (s *testSnapshot) Close() error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.snaps--
	return nil
}

// disk is what survives a crash: files for Pebble, or a tier of the caller's own.
type disk struct {
	fs   *vfs.MemFS
	tier *testTier // nil: Pebble
}

func newDisk(tier bool) disk {
	if tier {
		return disk{tier: &testTier{}}
	}
	return disk{fs: vfs.NewCrashableMem()}
}

func (d disk) open() (*DB, error) {
	if d.tier == nil {
		return OpenDB(d.fs, "db", Options{Logger: quietLog})
	}
	return OpenTier(Env{Partition: 3, Logger: quietLog}, "s", func() (Tier, error) {
		d.tier.opened++
		return d.tier, nil
	})
}

// crashed is the disk after a crash: what was not synced is lost, or a part of it.
func (d disk) crashed(r *rand.Rand) disk {
	if d.tier == nil {
		return disk{fs: d.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r})}
	}
	next := &testTier{rows: d.tier.rows, at: d.tier.at}
	if d.tier.before != nil && r.IntN(2) == 0 {
		next.rows = d.tier.before
	}
	return disk{tier: next}
}

// below runs f over Pebble, and fewer times over a tier of the caller's own; a tenth of all that in short tests.
func below(f func(seed uint64, d disk, name string)) {
	from, n := *first, uint64(*cases)
	if from == 0 {
		from = uint64(rand.Uint32()) + 1
	}
	if testing.Short() {
		n = (n + 9) / 10
	}
	for seed := from; seed < from+n; seed++ {
		f(seed, newDisk(false), "pebble")
	}
	for seed := from; seed < from+(n+2)/3; seed++ {
		f(seed, newDisk(true), "tier")
	}
}

// tierKV opens a map of ten rows over a tier that holds them.
func tierKV(t *testing.T, d disk) (*KV[int64], error) {
	t.Helper()
	db, err := d.open()
	if err != nil {
		return nil, err
	}
	kv, err := OpenKV(Env{DB: db, Partition: 3, Hasher: hashed.NewHasher(1, 2)}, "s", Schema{Kind: KindTimestampedKV}, serde.Int64)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if kv.Position().Offset == 0 {
		for i := range 10 {
			_ = kv.Put(new(testKey(kv, i)), int64(i), 1)
		}
		kv.Ended(Position{Offset: 10})
	}
	return kv, nil
}

// TestFaultsOfATierAreContained shows that what goes wrong in a tier of the caller's own is an error with the store, the partition and the
// method, at the call that meets it, and that nothing is lost by it.
func TestFaultsOfATierAreContained(t *testing.T) {
	for _, failing := range []string{"Get", "Snapshot", "Scan", "panic Get", "panic Scan", "bounds", "end"} {
		d := newDisk(true)
		kv, err := tierKV(t, d)
		if err != nil {
			t.Fatal(err)
		}
		checkpointed(t, kv)
		if err := kv.Close(); err != nil {
			t.Fatal(err)
		}
		if kv, err = tierKV(t, d); err != nil {
			t.Fatal(err)
		}
		d.tier.failing = failing
		_, _, _, err = kv.Get(new(testKey(kv, 3)))
		for _, e := range kv.Range(nil, nil, false) {
			err = errors.Join(err, e)
		}
		want := `the tier of "s" partition 3: ` + strings.TrimPrefix(failing, "panic ")
		if failing == "bounds" || failing == "end" {
			want = `the tier of "s" partition 3: Scan: it g` // it gave …, it went on …
			if failing == "end" {
				want = ""
			}
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s fails: %v, want %q", failing, err, want)
		}
		d.tier.failing = ""
		if v, _, ok, err := kv.Get(new(testKey(kv, 3))); v != 3 || !ok || err != nil {
			t.Errorf("after %s had failed: %d %v %v", failing, v, ok, err)
		}
		closed(t, kv)
	}
}

// TestTierThatCannotWriteKeepsTheRowsPending shows that a failed checkpoint is made up for.
func TestTierThatCannotWriteKeepsTheRowsPending(t *testing.T) {
	for _, failing := range []string{"Apply", "panic Apply"} {
		d := newDisk(true)
		kv, err := tierKV(t, d)
		if err != nil {
			t.Fatal(err)
		}
		d.tier.failing = failing
		c := kv.BeginCheckpoint()
		c.Encode(100)
		err = c.Write()
		if c.Finish(err); err == nil || !strings.Contains(err.Error(), `the tier of "s" partition 3: Apply: `) {
			t.Errorf("%s fails: %v", failing, err)
		}
		if n, _ := kv.Pending(); n != 10 || kv.Position().Offset != 0 {
			t.Errorf("%d rows are pending, position %v", n, kv.Position())
		}
		d.tier.failing = ""
		checkpointed(t, kv)
		closed(t, kv)
		if kv, err = tierKV(t, d); err != nil || kv.Position().Offset != 10 || kv.Rows() != 10 {
			t.Fatal(kv, err)
		}
		closed(t, kv)
	}
}

// TestTierOfAnotherOffsetIsRefused shows that a tier which has lost a part of what it applied is noticed when it is opened.
func TestTierOfAnotherOffsetIsRefused(t *testing.T) {
	d := newDisk(true)
	kv, err := tierKV(t, d)
	if err != nil {
		t.Fatal(err)
	}
	checkpointed(t, kv)
	closed(t, kv)
	d.tier.at = 9
	if _, err = tierKV(t, d); err == nil || !strings.Contains(err.Error(), `the tier of "s" partition 3 stands for offset 9 of the changelog by its Offset, and for 10 by its rows`) {
		t.Error(err)
	}
	d.tier.at = 10
	for _, failing := range []string{"Offset", "Get", "panic Offset"} {
		d.tier.failing = failing
		if _, err := tierKV(t, d); err == nil || !strings.Contains(err.Error(), `partition 3: `+strings.TrimPrefix(failing, "panic ")) {
			t.Errorf("%s fails: %v", failing, err)
		}
		if d.tier.opened != 0 {
			t.Errorf("after %s had failed the tier is open", failing)
		}
	}
}

// TestTierForgetsWhatAResetLeft shows that rows which a reset had not yet removed are not taken for rows.
func TestTierForgetsWhatAResetLeft(t *testing.T) {
	d := newDisk(true)
	kv, err := tierKV(t, d)
	if err != nil {
		t.Fatal(err)
	}
	checkpointed(t, kv)
	d.tier.failing = "DeleteRange"
	if err := kv.Reset(); err == nil {
		t.Error("a reset without DeleteRange went well")
	}
	d.tier.failing = ""
	closed(t, kv)
	db, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	kv, err = OpenKV(Env{DB: db, Partition: 3, Hasher: hashed.NewHasher(1, 2)}, "s", Schema{Kind: KindTimestampedKV}, serde.Int64)
	if err != nil {
		t.Fatal(err)
	}
	for e := range kv.Range(nil, nil, false) {
		t.Errorf("the row of %q is still there", e.Key)
	}
	closed(t, kv)
}
