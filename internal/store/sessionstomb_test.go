package store

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

// TestMergedSessionIsFoundAfterARestart checkpoints a session beside the tombstone of a shorter one with the same end, that
// it has grown out of, and writes it again after a restart: it is there once.
func TestMergedSessionIsFoundAfterARestart(t *testing.T) {
	fs := vfs.NewMem()
	open := func() (*DB, *Sessions[string], Key) {
		db, err := OpenDB(fs, "db", Options{Logger: quietLog})
		if err != nil {
			t.Fatal(err)
		}
		h := hashed.NewHasher(1, 2)
		x, err := OpenSessions(Env{DB: db, Hasher: h, Budget: NewBudget(1 << 20)}, "s", Schema{KindSession, "string", "string"}, 1000, serde.String)
		if err != nil {
			t.Fatal(err)
		}
		return db, x, h.Key([]byte("k"))
	}
	var log changelog
	commit := func(x *Sessions[string], errs ...error) {
		if err := errors.Join(append(errs, x.Flush(&log))...); err != nil {
			t.Fatal(err)
		}
		x.Ended(log.end(true))
	}

	db, x, k := open()
	commit(x, x.Put(k, 8, 10, "short", 10))
	commit(x, x.Delete(k, 8, 10, 10), x.Put(k, 5, 10, "grown", 10))
	c := x.BeginCheckpoint()
	for !c.Encode(10) {
	}
	c.Finish(c.Write())
	if err := errors.Join(x.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}

	db, x, k = open()
	commit(x, x.Put(k, 5, 10, "again", 10))
	got, err := x.Append(nil, k, 0, 100)
	if err != nil || len(got) != 1 || got[0].Start != 5 || got[0].End != 10 || got[0].Value != "again" {
		t.Errorf("%v, %v; want the session of 5 to 10 once", got, err)
	}
	if err := errors.Join(x.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
}
