// Package tasktest opens one task of a topology for tests and benchmarks: the production task loop on stores in memory,
// fed with real record batches, writing into real ones.
//
// A [Bed] is the task and what surrounds it, an [Out] is one topic it writes, a [Record] is what goes in and comes out.
package tasktest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/task"
	"github.com/thalweg/thalweg/topology"
)

// DeadLetters is the topic of records put aside.
const DeadLetters = "dead-letters"

// Options of a Bed. The zero value is the first sub-topology, its failures ending the test's Process.
type Options struct {
	Sub      int
	MaxIdle  time.Duration
	IdleStep time.Duration
	Settled  func() bool
	Decide   func(task.Failure) task.Action // default: Stop
}

// Hasher is that of every Bed.
var Hasher = hashed.NewHasher(1, 2)

// Bed is one task, partition 0 of its sub-topology. It is for the test's goroutine.
type Bed struct {
	*task.Task
	Now  time.Time // of the task's clock
	t    testing.TB
	outs map[string]*Out
	next map[string]int64 // offset of the next record of each input
}

// Open opens the task of a sub-topology of what define builds. It is closed with the test.
func Open(t testing.TB, define func(*topology.Builder), opts Options) *Bed {
	t.Helper()
	topo, err := topology.Define("test", define)
	if err != nil {
		t.Fatal(err)
	}
	b := &Bed{t: t, Now: time.UnixMilli(1_000_000), outs: map[string]*Out{}, next: map[string]int64{}}
	if opts.Decide == nil {
		opts.Decide = func(task.Failure) task.Action { return task.Stop }
	}
	g := topo.Graph()
	b.Task, err = task.Open(task.Env{
		Graph: g, Sub: g.Subs[opts.Sub], Context: context.Background(), Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return b.Now }, Out: func(topic string) (edge.Out, error) { return b.Out(topic), nil },
		Reads: func(n *edge.Node) []*edge.Topic { return []*edge.Topic{n.Topic} }, Wake: func() {}, Hasher: Hasher, Decide: opts.Decide, MaxIdle: opts.MaxIdle, IdleStep: opts.IdleStep, Settled: opts.Settled, DeadLetter: DeadLetters,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Task.Close(); err != nil {
			t.Error(err)
		}
	})
	b.Inputs(func(i task.Input) { b.Seek(i.Topic, 0, "") })
	return b
}

// Out returns a topic the task writes, changelogs too.
func (b *Bed) Out(topic string) *Out {
	if b.outs[topic] == nil {
		b.outs[topic] = &Out{t: b.t}
	}
	return b.outs[topic]
}

// Feed adds records behind those of earlier calls, as one batch. more is how many further records are known to be in
// the topic.
func (b *Bed) Feed(topic string, more int64, rs ...Record) {
	b.t.Helper()
	f := task.Fetched{}
	if len(rs) > 0 {
		f.Batches = [][]byte{Batch(b.t, b.next[topic], rs)}
	}
	b.next[topic] += int64(len(rs))
	f.Next, f.End = b.next[topic], b.next[topic]+more
	b.Add(topic, f)
}

// Add adds fetched batches.
func (b *Bed) Add(topic string, f task.Fetched) {
	b.t.Helper()
	if err := b.Task.Add(topic, f); err != nil {
		b.t.Fatal(err)
	}
}

// Run processes all it can and returns how many records that were.
func (b *Bed) Run() (n int) {
	b.t.Helper()
	for {
		took, err := b.Process(1024)
		if err != nil {
			b.t.Fatal(err)
		}
		if took == 0 {
			return n
		}
		n += took
	}
}

// Commit flushes the stores into their changelogs, ends the transaction and returns its positions.
func (b *Bed) Commit() []task.Offset {
	b.t.Helper()
	if err := b.Flush(func(changelog string) (edge.Out, error) { return b.Out(changelog), nil }); err != nil {
		b.t.Fatal(err)
	}
	offsets := b.Offsets()
	b.Ended(func(changelog string) (int64, [16]byte, bool) { return b.Out(changelog).written, [16]byte{}, true })
	for _, o := range b.outs {
		o.commit()
	}
	return offsets
}

// Abort takes back the open transaction. Inputs go on at their committed positions.
func (b *Bed) Abort() {
	b.Task.Abort()
	for _, o := range b.outs {
		o.builder.Reset()
	}
	b.Inputs(func(i task.Input) { b.next[i.Topic] = i.Position })
}

// Dropped returns how many records were dropped for a reason, all nodes together.
func (b *Bed) Dropped(reason string) (sum int64) {
	b.Counters(func(_, name string, dropped bool, n int64) {
		if dropped && name == reason {
			sum += n
		}
	})
	return sum
}

// Record is a record as text. An empty Key is none; Null says that the value is null.
type Record struct {
	Time       int64
	Key, Value string
	Null       bool
	Headers    []batch.KV
}

// At is a record of that time, key and value.
func At(time int64, key, value string) Record { return Record{Time: time, Key: key, Value: value} }

// Batch is one batch of records from the offset base on.
func Batch(t testing.TB, base int64, rs []Record) []byte {
	t.Helper()
	var b batch.Builder
	for _, r := range rs {
		var key, value, headers []byte
		if r.Key != "" {
			key = []byte(r.Key)
		}
		if !r.Null {
			value = append([]byte{}, r.Value...)
		}
		if len(r.Headers) > 0 {
			headers = batch.AppendHeaders(nil, r.Headers)
		}
		b.Append(r.Time, key, value, headers)
	}
	bytes, err := b.Finish(batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, BaseOffset: base})
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}
