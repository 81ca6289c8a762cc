package store

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

// work stands for the rest of a pipeline: 60 ns or so that depend on each other, so that the processor cannot overlap
// the cache misses of successive records.
func work(x uint64) uint64 {
	for range 42 {
		x = x*0x9e3779b97f4a7c15 ^ x>>7
	}
	return x
}

var sunk uint64

var benchSchema = Schema{KindTimestampedKV, "bytes", "int64"}

var large = flag.Bool("large", false, "benchmarks with 10 M keys too")

func benchSizes() []int {
	if *large {
		return []int{10_000, 1_000_000, 10_000_000}
	}
	return []int{10_000, 1_000_000}
}

// appendBenchKey appends the i-th key, of 13 bytes, without a table of keys whose misses would be counted too.
func appendBenchKey(dst []byte, i int) []byte {
	dst = append(dst, "user-"...)
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, 'a'+byte(i>>shift&15))
	}
	return dst
}

func benchKV(b testing.TB, n int) *KV[int64] {
	kv, err := OpenKV(Env{Hasher: hashed.NewHasher(1, 2)}, "bench", benchSchema, serde.Int64)
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	for i := range n {
		buf = appendBenchKey(buf[:0], i)
		k := kv.env.Hasher.Key(buf)
		if err := kv.Put(&k, 0, 0); err != nil {
			b.Fatal(err)
		}
	}
	kv.Ended(Position{})
	return kv
}

// BenchmarkGetPut is a count over uniform keys: get and put of a present one, with work between. "only" is the work
// itself, to be subtracted.
func BenchmarkGetPut(b *testing.B) {
	const group = 16
	b.Run("only", func(b *testing.B) {
		x := uint64(1)
		for b.Loop() {
			x = work(x)
		}
		sunk += x
	})
	for _, n := range benchSizes() {
		b.Run(fmt.Sprintf("table/%d", n), func(b *testing.B) {
			kv := benchKV(b, n)
			r := rand.New(rand.NewPCG(1, 1))
			var ks [group]Key
			var hs [group]uint64
			buf := make([]byte, 0, group*16)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += group {
				buf = buf[:0]
				for j := range group {
					at := len(buf)
					buf = appendBenchKey(buf, r.IntN(n))
					ks[j] = kv.env.Hasher.Key(buf[at:])
					hs[j] = ks[j].Hash
				}
				kv.Touch(hs[:])
				for j := range group {
					v, at, _, _ := kv.Get(&ks[j])
					sunk = work(sunk + uint64(v))
					_ = kv.Put(&ks[j], v+1, at)
				}
				if i%65536 == 0 {
					kv.Ended(Position{})
				}
			}
		})
		b.Run(fmt.Sprintf("map/%d", n), func(b *testing.B) {
			m := make(map[string]*int64, n)
			var k []byte
			for i := range n {
				k = appendBenchKey(k[:0], i)
				m[string(k)] = new(int64)
			}
			r := rand.New(rand.NewPCG(1, 1))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				k = appendBenchKey(k[:0], r.IntN(n))
				v := *m[string(k)]
				sunk = work(sunk + uint64(v))
				*m[string(k)] = v + 1
			}
		})
	}
}

// nothing is a changelog that takes everything.
type nothing struct{ bytes int }

func (n *nothing) Append(_ int64, key, value []byte) error {
	n.bytes += len(key) + len(value)
	return nil
}

// BenchmarkCommit is the flush and end of a transaction of 65536 records, for each dirty key.
func BenchmarkCommit(b *testing.B) {
	for _, n := range benchSizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			kv := benchKV(b, n)
			r := rand.New(rand.NewPCG(1, 1))
			rows := 0
			var buf []byte
			b.ResetTimer()
			for rows < b.N {
				b.StopTimer()
				for range 65536 {
					buf = appendBenchKey(buf[:0], r.IntN(n))
					k := kv.env.Hasher.Key(buf)
					_ = kv.Put(&k, 1, 1)
				}
				dirty, _ := kv.Dirty()
				rows += dirty
				b.StartTimer()
				if err := kv.Flush(&nothing{}); err != nil {
					b.Fatal(err)
				}
				kv.Ended(Position{})
			}
		})
	}
}
