package log

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// BenchmarkAppend appends batches of the given size to 8 partitions on disk, each writer waiting for every 64th.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{200, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.Chdir(b.TempDir())
			d := mustOpen(b, vfs.Default, Config{})
			b.SetBytes(int64(size))
			b.ReportAllocs()
			var wg sync.WaitGroup
			b.ResetTimer()
			for i := range int32(8) {
				p := mustCreate(b, d, i, Settings{})
				data := rows(1, "key", strings.Repeat("x", size-80))
				wg.Go(func() {
					for n := range b.N / 8 {
						a := mustAppend(b, p, data)
						if n%64 == 63 {
							mustDurable(b, d, a.Ticket)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// BenchmarkRead reads batches of 1 KiB in chunks of 1 MiB, from memory and from files.
func BenchmarkRead(b *testing.B) {
	b.Chdir(b.TempDir())
	d := mustOpen(b, vfs.Default, Config{})
	p := mustCreate(b, d, 0, Settings{SegmentBytes: 64 << 20})
	data := rows(1, "key", strings.Repeat("x", 950))
	const n = 20_000
	for range n {
		mustAppend(b, p, data)
	}
	awaitHW(b, p)
	for name, from := range map[string]int64{"tail": n - 500, "file": 100} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 0, 2<<20)
			b.ReportAllocs()
			for b.Loop() {
				c, err := p.Read(Read{Offset: from, Max: 1 << 20, MinOne: true, Buf: buf})
				if err != nil || len(c.Data) == 0 {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(c.Data)))
			}
		})
	}
}
