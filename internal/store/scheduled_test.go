package store

import (
	"fmt"
	"iter"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

// TestAStoreIsScheduledAfterItsReplay gives an order by time to rows that were replayed before, some of them below already, some
// over others of an earlier life with that order.
func TestAStoreIsScheduledAfterItsReplay(t *testing.T) {
	db, err := OpenDB(vfs.NewMem(), "db", Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := hashed.NewHasher(1, 2)
	open := func() *KV[int64] {
		s, err := OpenKV(Env{DB: db, Hasher: h}, "due", Schema{KindKV, "bytes", "int64"}, serde.Int64)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	replay := func(s *KV[int64], from, to int64) {
		rows := iter.Seq[Logged](func(yield func(Logged) bool) {
			for i := from; i < to; i++ {
				v, _ := serde.Int64.Append(nil, (i*7)%100)
				if !yield(Logged{Key: fmt.Appendf(nil, "k%03d", i%100), Value: v, Next: i + 1}) {
					return
				}
			}
		})
		if err := s.Replay(rows); err != nil {
			t.Fatal(err)
		}
		s.Restored(Position{Offset: to})
	}
	checkpoint := func(s *KV[int64]) {
		c := s.BeginCheckpoint()
		for !c.Encode(1000) {
		}
		err := c.Write()
		c.Finish(err)
		if err != nil {
			t.Fatal(err)
		}
	}
	order := func(s *KV[int64]) {
		if err := s.Schedule(func(v, _ int64) int64 { return v }); err != nil {
			t.Fatal(err)
		}
	}
	life := open() // with an order, as a task at work
	order(life)
	replay(life, 0, 40)
	checkpoint(life)
	if err := life.Close(); err != nil {
		t.Fatal(err)
	}
	for _, below := range []bool{false, true} {
		s := open() // as a copy: the order comes last
		replay(s, 20, 100)
		if below {
			checkpoint(s)
		}
		replay(s, 100, 130)
		order(s)
		n, last := 0, int64(-1)
		err := s.Due(1000, 0, func(k Key, v, when int64) error {
			if when < last || v != when {
				t.Errorf("%s, of %d, is due at %d, after %d", k.Bytes, v, when, last)
			}
			n, last = n+1, when
			return nil
		})
		if err != nil || n != 100 {
			t.Errorf("%d rows were due, %v; want 100", n, err)
		}
		s.Abort()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
