package store

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

const belowRows = 500_000

// belowKV is a store with belowRows rows on disk and none in memory.
func belowKV(b *testing.B) *KV[int64] {
	b.Helper()
	db, err := OpenDB(vfs.Default, b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	open := func() *KV[int64] {
		kv, err := OpenKV(Env{DB: db, Hasher: hashed.NewHasher(1, 2)}, "bench", benchSchema, serde.Int64)
		if err != nil {
			b.Fatal(err)
		}
		return kv
	}
	kv := open()
	var buf []byte
	for i := range belowRows {
		buf = appendBenchKey(buf[:0], i)
		_ = kv.Put(new(kv.env.Hasher.Key(buf)), int64(i), 1)
	}
	kv.Ended(Position{Offset: 1})
	checkpointed(b, kv)
	closed(b, kv)
	kv = open()
	b.Cleanup(func() { closed(b, kv, db) })
	return kv
}

// BenchmarkMiss is a read of a row that is only below, and of one that is nowhere, without and with a filter.
func BenchmarkMiss(b *testing.B) {
	kv := belowKV(b)
	r := rand.New(rand.NewPCG(1, 1))
	get := func(b *testing.B, base int) {
		var buf []byte
		for b.Loop() {
			buf = appendBenchKey(buf[:0], base+r.IntN(belowRows))
			if _, _, ok, err := kv.Get(new(kv.env.Hasher.Key(buf))); err != nil || ok != (base == 0) {
				b.Fatal(ok, err)
			}
		}
	}
	b.Run("absent", func(b *testing.B) { get(b, belowRows) })
	if kv.tab.scan == nil {
		kv.tab.startScan()
	}
	f := <-kv.tab.scan.done
	kv.tab.filter, kv.tab.scan = f, nil
	b.Run("absent/filter", func(b *testing.B) { get(b, belowRows) })
	b.Run("below", func(b *testing.B) { get(b, 0) })
}

// BenchmarkOpen is the time from a checkpoint on disk to the first row.
func BenchmarkOpen(b *testing.B) {
	env := belowKV(b).env
	env.DB.release("bench", 0)
	defer func() { env.DB.mu.open["bench/0"] = true }()
	for b.Loop() {
		kv, err := OpenKV(env, "bench", benchSchema, serde.Int64)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, ok, err := kv.Get(new(kv.env.Hasher.Key(appendBenchKey(nil, 77)))); err != nil || !ok {
			b.Fatal(ok, err)
		}
		closed(b, kv)
	}
}

// BenchmarkCheckpoint is a checkpoint of many rows: the task's part and the part beside it, for each row.
func BenchmarkCheckpoint(b *testing.B) {
	db, err := OpenDB(vfs.Default, b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	kv, err := OpenKV(Env{DB: db, Hasher: hashed.NewHasher(1, 2)}, "bench", benchSchema, serde.Int64)
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	offset := int64(0)
	dirty := func() *Checkpoint {
		for i := range belowRows {
			buf = appendBenchKey(buf[:0], i)
			_ = kv.Put(new(kv.env.Hasher.Key(buf)), offset, 1)
		}
		offset++
		kv.Ended(Position{Offset: offset})
		return kv.BeginCheckpoint()
	}
	for _, what := range []string{"encode", "write"} {
		b.Run(what, func(b *testing.B) {
			for rows := 0; rows < b.N; rows += belowRows {
				b.StopTimer()
				c := dirty()
				if what == "encode" {
					b.StartTimer()
				}
				for !c.Encode(2048) {
				}
				if what == "write" {
					b.StartTimer()
				} else {
					b.StopTimer()
				}
				err := c.Write()
				b.StopTimer()
				if c.Finish(err); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	closed(b, kv, db)
}

// BenchmarkReplay is a restore, for each record of the changelog.
func BenchmarkReplay(b *testing.B) {
	kv, err := OpenKV(Env{Hasher: hashed.NewHasher(1, 2)}, "bench", benchSchema, serde.Int64)
	if err != nil {
		b.Fatal(err)
	}
	var key []byte
	value := make([]byte, 8)
	b.ResetTimer()
	if err := kv.Replay(func(yield func(Logged) bool) {
		for i := range b.N {
			key = appendBenchKey(key[:0], i*7919%belowRows)
			if !yield(Logged{Key: key, Value: value, Time: 1}) {
				return
			}
		}
	}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkScan is an ordered read of 10 rows, and of all, with a tenth of the rows changed since the checkpoint.
func BenchmarkScan(b *testing.B) {
	kv := belowKV(b)
	for i := 0; i < belowRows; i += 10 {
		_ = kv.Put(new(kv.env.Hasher.Key(appendBenchKey(nil, i))), 1, 1)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for _, rows := range []int{10, belowRows} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			for b.Loop() {
				from, n := r.IntN(belowRows-rows+1), 0
				for _, err := range kv.Range(appendBenchKey(nil, from), appendBenchKey(nil, from+rows-1), false) {
					if n++; err != nil {
						b.Fatal(err)
					}
				}
				if n != rows {
					b.Fatalf("%d rows, want %d", n, rows)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
		})
	}
}

// BenchmarkWindow is a windowed count: 10 records for each key and advance, with the commits, and the read of what closes.
// Hopping windows are measured in both layouts; a record is in six of them.
func BenchmarkWindow(b *testing.B) {
	const keys, group, advance = 100_000, 16, 1000
	for _, x := range []struct {
		name    string
		windows int64 // that a record is in
		ring    bool
	}{{"tumbling", 1, false}, {"hopping/tables", 6, false}, {"hopping/ring", 6, true}} {
		b.Run(x.name, func(b *testing.B) {
			size := x.windows * advance
			w, err := OpenWindow(Env{Hasher: hashed.NewHasher(1, 2)}, "bench", Schema{Kind: KindTimestampedWindow}, size, size+1, serde.Int64)
			if err != nil {
				b.Fatal(err)
			}
			if x.ring {
				w.Hop(advance)
			}
			r := rand.New(rand.NewPCG(1, 1))
			var ks [group]Key
			var hs [group]uint64
			var log nothing
			var closing []WindowEntry[int64]
			held, buf := int64(0), make([]byte, 0, group*16)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += group {
				buf = buf[:0]
				for j := range group {
					at := len(buf)
					buf = appendBenchKey(buf, r.IntN(keys))
					ks[j] = w.env.Hasher.Key(buf[at:])
					hs[j] = ks[j].Hash
				}
				w.Touch(hs[:])
				now := int64(i/(10*keys))*advance + 10*size
				if gone := now - size; w.observed != noTime && w.observed < now {
					if closing, err = w.Closing(closing[:0], gone, gone); err != nil {
						b.Fatal(err)
					}
				}
				for j := range group {
					for start := now - size + advance; start <= now; start += advance {
						v, _, _, _ := w.Get(ks[j], start)
						sunk = work(sunk + uint64(v))
						_ = w.Put(ks[j], start, v+1, now)
					}
				}
				if i%65536 == 0 {
					if err := w.Flush(&log); err != nil {
						b.Fatal(err)
					}
					w.Ended(Position{})
					held = max(held, w.Bytes())
				}
			}
			b.ReportMetric(float64(held)/keys, "B/key")
		})
	}
}
