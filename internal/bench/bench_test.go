package bench

import (
	"fmt"
	"testing"

	"github.com/thalweg/thalweg/internal/bench/cputest"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/task/tasktest"
)

// commitEvery is how many records a transaction has in a benchmark.
const commitEvery = 65536

// measure runs f, which processes n records at a time, until b is content, and reports the CPU time of a record beside
// the clock's.
func measure(b *testing.B, n int, f func(done int)) {
	b.Helper()
	defer cputest.Pin()()
	b.ReportAllocs()
	b.ResetTimer()
	began, done := cputest.Thread(b), 0
	for ; done < b.N; done += n {
		f(done)
	}
	b.ReportMetric(float64(cputest.Thread(b)-began)/float64(done), "cpu-ns/op")
}

// perRecord measures l. committed says whether the ends of transactions, of commitEvery records, are part of it; else
// there are none, and each row is first touched long before.
func perRecord(b *testing.B, l *load, committed bool) {
	b.Helper()
	for range l.batches { // each key comes, so that tables do not grow any more
		l.step(b)
	}
	if committed {
		l.commit()
	}
	measure(b, perBatch, func(done int) {
		l.step(b)
		if committed && (done+perBatch)%commitEvery == 0 {
			l.commit()
		}
	})
}

// BenchmarkFiveOperators is filter, mapValues, filter, selectKey and mapValues on a value of 40 bytes.
func BenchmarkFiveOperators(b *testing.B) {
	b.Run("typed", func(b *testing.B) {
		l := open(b, five, perBatch, orderOf(1000))
		first := l.bed.Sub().Sources[0].Children[0]
		f, err := l.bed.Receive(first)
		if err != nil {
			b.Fatal(err)
		}
		receive := f.(edge.Emit[int64, order])
		m := &edge.Meta{Time: 1}
		measure(b, perBatch, func(int) {
			for i := range int64(perBatch) {
				if err := receive(m, i, order{i, i & 1023, 7, 3, i & 255}); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("bytes", func(b *testing.B) { perRecord(b, open(b, five, 64*perBatch, orderOf(1000)), false) })
	b.Run("bytes-to-sink", func(b *testing.B) { perRecord(b, open(b, fiveToSink, 64*perBatch, orderOf(1000)), false) })
}

// BenchmarkPassOn is what a sink costs where bytes are copied.
func BenchmarkPassOn(b *testing.B) {
	b.Run("source-sink", func(b *testing.B) { perRecord(b, open(b, copies, 64*perBatch, textOf(1000, 80)), false) })
	b.Run("filter-sink", func(b *testing.B) { perRecord(b, open(b, filterToSink, 64*perBatch, orderOf(1000)), false) })
	b.Run("filter-strings-sink", func(b *testing.B) { perRecord(b, open(b, stringFilter, 64*perBatch, textOf(1000, 80)), false) })
}

// BenchmarkCount is a count from bytes to the table's row; "committed" has the transactions' ends too, of commitEvery
// records.
func BenchmarkCount(b *testing.B) {
	for _, keys := range []int{10_000, 1_000_000} {
		for _, committed := range []bool{false, true} {
			b.Run(fmt.Sprintf("keys=%d/committed=%v", keys, committed), func(b *testing.B) {
				perRecord(b, open(b, count, 1<<20, textOf(keys, 20)), committed)
			})
		}
	}
}

// BenchmarkCountEntrance is the part of BenchmarkCount from the source's entrance on: raw keys are hashed and counted,
// one by one, and nothing is read from batches or chosen. A Go map counts the same keys beside it.
func BenchmarkCountEntrance(b *testing.B) {
	const keys, n = 10_000, 1 << 20
	raw, order := make([][]byte, n), textOf(keys, 0)
	for i := range raw {
		raw[i], _, _ = order(i, nil, nil)
	}
	b.Run("table", func(b *testing.B) {
		l := open(b, count, perBatch, textOf(keys, 20))
		f, err := l.bed.Receive(l.bed.Sub().Sources[0])
		if err != nil {
			b.Fatal(err)
		}
		entrance, m := f.(edge.Entrance), &edge.Meta{Time: 1, Val: []byte("text")}
		m.Hashed = true
		push := func(done int) {
			h := tasktest.Hasher
			for _, m.Key.Bytes = range raw[done%n : done%n+perBatch] {
				m.Key.Lo, m.Key.Hi, m.Key.Hash = h.Words(m.Key.Bytes)
				if err := entrance.Push(m); err != nil {
					b.Fatal(err)
				}
			}
		}
		for at := 0; at < n; at += perBatch {
			push(at)
		}
		measure(b, perBatch, push)
	})
	b.Run("map", func(b *testing.B) {
		counts := map[string]*int64{}
		for _, k := range raw {
			counts[string(k)] = new(int64)
		}
		measure(b, perBatch, func(done int) {
			for _, k := range raw[done%n : done%n+perBatch] {
				*counts[string(k)]++
			}
		})
	})
}

// BenchmarkWindowedCount is a count by windows of a minute in time's order, 100 000 keys, commits included.
func BenchmarkWindowedCount(b *testing.B) {
	perRecord(b, open(b, countWindows, 1<<20, orderOf(100_000)), true)
}

// BenchmarkJoinTable looks up a row for each record and writes the result.
func BenchmarkJoinTable(b *testing.B) {
	for _, rows := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			l := open(b, joinTable, 1<<20, textOf(rows, 20))
			l.fillTable(b, rows)
			perRecord(b, l, false)
		})
	}
}
