// Package bench measures the path of a record: the production task loop over stores in memory, fed with real record
// batches, its outputs appended to real ones.
//
//	go test -run - -bench . ./internal/bench
//
// What the tests of this package hold is that a record allocates nothing on its way. Get and put of the segment table
// beside a plain Go map are BenchmarkGetPut of internal/store.
package bench

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/task"
	"github.com/thalweg/thalweg/internal/task/tasktest"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// order is a value of 40 bytes.
type order struct{ ID, Customer, Price, Count, Day int64 }

// orderSerde writes the five numbers one after the other.
type orderSerde struct{}

func (orderSerde) String() string { return "order" }

func (orderSerde) Append(dst []byte, v order) ([]byte, error) {
	for _, n := range [...]int64{v.ID, v.Customer, v.Price, v.Count, v.Day} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	return dst, nil
}

func (orderSerde) Decode(b []byte) (v order, err error) {
	if len(b) != 40 {
		return v, fmt.Errorf("order of %d bytes", len(b))
	}
	for i, n := range [...]*int64{&v.ID, &v.Customer, &v.Price, &v.Count, &v.Day} {
		*n = int64(binary.BigEndian.Uint64(b[8*i:]))
	}
	return v, nil
}

// Topics of the workloads.
var (
	orders  = topology.NewTopic("in", serde.Int64, orderSerde{})
	filled  = topology.NewTopic("out", serde.Int64, orderSerde{})
	texts   = topology.NewTopic("in", serde.String, serde.String)
	prices  = topology.NewTopic("prices", serde.String, serde.Int64)
	totals  = topology.NewTopic("out", serde.String, serde.Int64)
	copied  = topology.NewTopic("out", serde.String, serde.String)
	minutes = window.Tumbling(time.Minute)
	hops    = window.Hopping(time.Minute, 10*time.Second)
)

// seen keeps results from being optimized away.
var seen int64

// five is filter, mapValues, filter, selectKey, mapValues, and an end that discards.
func five(b *topology.Builder) { discard(fiveOperators(b)) }

func fiveOperators(b *topology.Builder) stream.Stream[int64, order] {
	return stream.From(b, orders).
		Filter(func(_ int64, v order) bool { return v.Price > 0 }).
		MapValues(func(v order) order { v.Price *= v.Count; return v }).
		Filter(func(_ int64, v order) bool { return v.Day >= 0 }).
		SelectKey(func(_ int64, v order) int64 { return v.Customer }).
		MapValues(func(v order) order { v.Day++; return v })
}

// discard ends a stream in a node that reads key and value.
func discard[K any](s stream.Stream[K, order]) {
	s.Output().Apply[K, order](edge.Op{Kind: "DISCARD", Reads: edge.Need{Key: true, Val: true}},
		func(edge.Place, edge.Emit[K, order]) (edge.Emit[K, order], error) {
			return func(_ *edge.Meta, _ K, v order) error { seen += v.Day; return nil }, nil
		})
}

// fiveToSink is five with a sink, which encodes.
func fiveToSink(b *topology.Builder) { fiveOperators(b).To(filled) }

// filterToSink copies the bytes of what passes.
func filterToSink(b *topology.Builder) {
	stream.From(b, orders).Filter(func(_ int64, v order) bool { return v.Price > 0 }).To(filled)
}

// copies is a sink behind a source: neither key nor value is decoded.
func copies(b *topology.Builder) { stream.From(b, texts).To(copied) }

// stringFilter decodes string keys and values.
func stringFilter(b *topology.Builder) {
	stream.From(b, texts).Filter(func(k, v string) bool { return len(k) > 0 && len(v) > 0 }).To(copied)
}

func count(b *topology.Builder) { stream.From(b, texts).GroupByKey().Count("counts") }

func countWindows(b *topology.Builder) {
	stream.From(b, orders).GroupByKey().Windowed(minutes).Count("counts")
}

func countHops(b *topology.Builder) {
	stream.From(b, orders).GroupByKey().Windowed(hops).Count("counts")
}

func joinTable(b *topology.Builder) {
	stream.From(b, texts).JoinTable("priced", table.From(b, prices), func(v string, price int64) int64 { return price + int64(len(v)) }).To(totals)
}

// load is a workload's input: batches that are fed again and again, at ever higher offsets.
type load struct {
	bed     *tasktest.Bed
	batches [][]byte
	fetched [1][]byte
	at      int
	next    int64
}

// perBatch is how many records are fed at once: whole groups of the task's look-ahead.
const perBatch = 1024

// open opens a topology on n records that fill makes, in batches.
func open(t testing.TB, define func(*topology.Builder), n int, fill func(i int, key, value []byte) (k, v []byte, at int64)) *load {
	t.Helper()
	l := &load{bed: tasktest.Open(t, define, tasktest.Options{})}
	for _, topic := range []string{"out", "test-counts-changelog"} {
		l.bed.Out(topic).Discard = true
	}
	var b batch.Builder
	for from := 0; from < n; from += perBatch {
		b.Reset()
		for i := range perBatch {
			k, v, at := fill(from+i, nil, nil)
			b.Append(at, k, v, nil)
		}
		bytes, err := b.Finish(batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1})
		if err != nil {
			t.Fatal(err)
		}
		l.batches = append(l.batches, append([]byte{}, bytes...))
	}
	return l
}

// step feeds one batch and processes it.
func (l *load) step(t testing.TB) {
	b := l.batches[l.at]
	l.at = (l.at + 1) % len(l.batches)
	batch.SetBaseOffset(b, l.next)
	l.next += perBatch
	l.fetched[0] = b
	if err := l.bed.Task.Add("in", task.Fetched{Batches: l.fetched[:], Next: l.next, End: l.next, Bytes: len(b)}); err != nil {
		t.Fatal(err)
	}
	if n, err := l.bed.Process(perBatch); n != perBatch || err != nil {
		t.Fatalf("%d records processed, %v", n, err)
	}
}

// commit ends the transaction.
func (l *load) commit() { l.bed.Commit() }

// orderOf is the i-th order, over keys of so many customers.
func orderOf(customers int) func(i int, key, value []byte) (k, v []byte, at int64) {
	return func(i int, key, value []byte) (k, v []byte, at int64) {
		n := int64(i)
		k, _ = serde.Int64.Append(key, n%int64(customers))
		v, _ = orderSerde{}.Append(value, order{n, n % int64(customers), 7, 3, n % 365})
		return k, v, n / 10
	}
}

// textOf is a text under one of so many keys of 13 bytes, evenly at random.
func textOf(keys, size int) func(i int, key, value []byte) (k, v []byte, at int64) {
	r := rand.New(rand.NewPCG(1, 1))
	text := make([]byte, size)
	for i := range text {
		text[i] = 'a' + byte(i%26)
	}
	return func(i int, key, _ []byte) (k, v []byte, at int64) {
		return appendKey(key, r.IntN(keys)), text, int64(i)
	}
}

// appendKey appends the i-th key.
func appendKey(dst []byte, i int) []byte { return fmt.Appendf(dst, "user-%08x", i) }

// fillTable gives each of n keys a row of the joined table.
func (l *load) fillTable(t testing.TB, n int) {
	t.Helper()
	var rs []tasktest.Record
	for i := range n {
		v, _ := serde.Int64.Append(nil, int64(i))
		rs = append(rs, tasktest.At(0, string(appendKey(nil, i)), string(v)))
	}
	l.bed.Feed("in", 0)
	l.bed.Feed("prices", 0, rs...)
	if got := l.bed.Run(); got != n {
		t.Fatalf("%d rows taken, want %d", got, n)
	}
	l.commit()
}
