package store

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

// TestVersionsReplayedTwiceAreTheSame ends a restore that has written below before it is through, and restores again: an
// end of a value that had gone from its row is not missed.
func TestVersionsReplayedTwiceAreTheSame(t *testing.T) {
	const history = 500
	fs := vfs.NewMem()
	var log changelog
	for _, r := range []struct {
		key, value string
		at         int64
	}{
		{"a", "", 2800}, // a tombstone, in the checkpoint
		{"a", "late", 2637},
		{"b", "far", 3330}, // the tombstone is before the history now
		{"a", "new", 2934},
	} {
		value := []byte(r.value)
		if r.value == "" {
			value = nil
		}
		if err := log.Append(r.at, []byte(r.key), value); err != nil {
			t.Fatal(err)
		}
	}
	log.end(true)

	open := func() (*DB, *Versioned[string], hashed.Hasher) {
		db, err := OpenDB(fs, "db", Options{Logger: quietLog})
		if err != nil {
			t.Fatal(err)
		}
		db.lim.spill = 1
		h := hashed.NewHasher(1, 2)
		x, err := OpenVersioned(Env{DB: db, Hasher: h, Budget: NewBudget(1)}, "s", Schema{KindVersioned, "string", "string"}, history, serde.String)
		if err != nil {
			t.Fatal(err)
		}
		return db, x, h
	}
	shut := func(db *DB, x *Versioned[string]) {
		if err := errors.Join(x.Close(), db.Close()); err != nil {
			t.Fatal(err)
		}
	}

	db, x, _ := open()
	for r := range log.from(0) {
		if err := x.Replay(func(yield func(Logged) bool) { yield(r) }); err != nil {
			t.Fatal(err)
		}
		break // the first alone
	}
	x.Restored(Position{Offset: 1, TopicID: [16]byte{7}})
	if c := x.BeginCheckpoint(); c != nil {
		for !c.Encode(10) {
		}
		c.Finish(c.Write())
	}
	shut(db, x)

	db, x, _ = open()
	if err := x.Replay(log.from(x.Position().Offset)); err != nil {
		t.Fatal(err)
	}
	shut(db, x) // before it is said to be restored

	db, x, h := open()
	if err := x.Replay(log.from(x.Position().Offset)); err != nil {
		t.Fatal(err)
	}
	x.Restored(log.end(false))
	if v, ok, err := x.AsOf(h.Key([]byte("a")), 2911); ok || err != nil {
		t.Errorf("as of 2911 there is %v, %v; its value had ended at 2800", v, err)
	}
	if v, ok, err := x.AsOf(h.Key([]byte("a")), 2950); !ok || v.V != "new" || err != nil {
		t.Errorf("as of 2950 there is %v, %v, %v", v, ok, err)
	}
	shut(db, x)
}
