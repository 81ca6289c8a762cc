package store

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

func TestAnotherSchemaIsRefusedByName(t *testing.T) {
	fs := vfs.NewMem()
	db := testDB(t, fs)
	closed(t, testKV(t, db, nil), db)
	db = testDB(t, fs)
	_, err := OpenKV(Env{DB: db}, "counts", Schema{KindTimestampedKV, "string", "string"}, serde.String)
	if err == nil {
		t.Fatal("a store of int64 opens as one of strings")
	}
	for _, part := range []string{`"counts"`, "to int64", "to string", "new name"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %s", err, part)
		}
	}
	closed(t, testKV(t, db, nil), db)
}

func TestOneStoreOpensOnce(t *testing.T) {
	db := testDB(t, vfs.NewMem())
	kv := testKV(t, db, nil)
	if _, err := OpenKV(Env{DB: db}, "counts", kv.schema, serde.Int64); err == nil {
		t.Error("a store partition opens twice")
	}
	if err := db.Close(); err == nil {
		t.Error("the database closes under an open store")
	}
	closed(t, kv, db)
}

func TestNewerFormatIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	db := testDB(t, fs)
	if err := db.set(keyVersion, binary.BigEndian.AppendUint64(nil, formatVersion+1)); err != nil {
		t.Fatal(err)
	}
	closed(t, db)
	if _, err := OpenDB(fs, "db", Options{}); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("open: %v", err)
	}
}

func TestPartitionsAreListedAndDropped(t *testing.T) {
	db := testDB(t, vfs.NewMem())
	for p := range int32(3) {
		kv, err := OpenKV(Env{DB: db, Partition: p, Hasher: hashed.NewHasher(1, 2)}, "s", Schema{Kind: KindKV}, serde.Int64)
		if err != nil {
			t.Fatal(err)
		}
		_ = kv.Put(new(testKey(kv, 1)), 1, 1)
		kv.Ended(Position{Offset: 5})
		checkpointed(t, kv)
		if p == 1 {
			if err := db.DropPartition("s", p); err == nil {
				t.Error("an open partition is dropped")
			}
		}
		closed(t, kv)
	}
	if err := db.DropPartition("s", 1); err != nil {
		t.Fatal(err)
	}
	held, err := db.Partitions()
	if err != nil || !slices.Equal(held["s"], []int32{0, 2}) {
		t.Errorf("partitions %v, %v", held, err)
	}
	kv, err := OpenKV(Env{DB: db, Partition: 1, Hasher: hashed.NewHasher(1, 2)}, "s", Schema{Kind: KindKV}, serde.Int64)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok, _ := kv.Get(new(testKey(kv, 1))); ok || kv.Position().Offset != 0 {
		t.Errorf("the dropped partition has its row: %v, position %v", ok, kv.Position())
	}
	closed(t, kv, db)
}

// A damaged database is put aside and made anew; the store starts from the beginning of its changelog.
func TestCorruptDatabaseIsPutAside(t *testing.T) {
	for _, victim := range []string{".sst", "MANIFEST"} {
		t.Run(victim, func(t *testing.T) {
			fs := vfs.NewMem()
			db := testDB(t, fs)
			kv := testKV(t, db, nil)
			for i := range 1000 {
				_ = kv.Put(new(testKey(kv, i)), int64(i), 1)
			}
			kv.Ended(Position{Offset: 7})
			checkpointed(t, kv)
			closed(t, kv, db)
			damage(t, fs, victim)
			db = testDB(t, fs) // finds the damage, or the first read does
			rows, err := readAll(db)
			if rows == 1000 || err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%d rows read of a damaged database, %v", rows, err)
			}
			closed(t, db)
			db = testDB(t, fs)
			kv = testKV(t, db, nil)
			if kv.Position().Offset != 0 {
				t.Errorf("position %v of a new database", kv.Position())
			}
			if names, err := fs.List("db" + quarantine); err != nil || len(names) == 0 {
				t.Errorf("nothing was put aside: %v", err)
			}
			closed(t, kv, db)
		})
	}
}

// readAll opens the store and reads its rows until one fails.
func readAll(db *DB) (rows int, err error) {
	kv, err := OpenKV(Env{DB: db, Hasher: hashed.NewHasher(1, 2)}, "counts", Schema{KindTimestampedKV, "string", "int64"}, serde.Int64)
	if err != nil {
		return 0, err
	}
	defer kv.Close()
	for _, err := range kv.Range(nil, nil, false) {
		if err != nil {
			return rows, err
		}
		rows++
	}
	return rows, nil
}

// damage overwrites the middle of the files whose name contains part.
func damage(t *testing.T, fs *vfs.MemFS, part string) {
	t.Helper()
	names, err := fs.List("db")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range names {
		if !strings.Contains(name, part) {
			continue
		}
		path := fs.PathJoin("db", name)
		data, err := fs.UnsafeGetFileDataBuffer(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := len(data) / 10; i < len(data)*9/10; i++ {
			data[i] ^= 0x55
		}
		n++
	}
	if n == 0 {
		t.Fatalf("no file is called %s", part)
	}
}

// A full disk fails the checkpoint; what it would have written is kept and written once there is room.
func TestFullDiskFailsTheCheckpoint(t *testing.T) {
	for _, rows := range []int{100, 20_000} {
		var full atomic.Bool
		fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if full.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.HasSuffix(op.Path, ".sst") {
				return syscall.ENOSPC
			}
			return nil
		}))
		db := testDB(t, fs)
		kv := testKV(t, db, nil)
		for i := range rows {
			_ = kv.Put(new(testKey(kv, i)), int64(i), 1)
		}
		kv.Ended(Position{Offset: 3})
		full.Store(true)
		c := kv.BeginCheckpoint()
		for !c.Encode(1000) {
		}
		err := c.Write()
		if c.Finish(err); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%d rows: write to a full disk: %v", rows, err)
		}
		if n, _ := kv.Pending(); n != rows || kv.Position().Offset != 0 {
			t.Errorf("%d rows are pending, want %d; position %v", n, rows, kv.Position())
		}
		full.Store(false)
		_ = kv.Put(new(testKey(kv, 0)), -1, 2)
		kv.Ended(Position{Offset: 4})
		for c := kv.BeginCheckpoint(); c != nil; c = kv.BeginCheckpoint() { // an attempt of Pebble's own may still fail
			for !c.Encode(1000) {
			}
			c.Finish(c.Write())
		}
		if err := checkTable(kv.tab); err != nil || kv.Position().Offset != 4 {
			t.Errorf("after the disk had room: %v, position %v", err, kv.Position())
		}
		closed(t, kv, db)
	}
}
