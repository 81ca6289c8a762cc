package task

import (
	"fmt"
	"time"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
)

// groupSize is how many records are looked at ahead: their keys are hashed and the home slots of their rows loaded.
const groupSize = 16

// Fetched is what was read of one partition at once: whole committed batches of records, without markers and what was
// aborted.
type Fetched struct {
	Batches [][]byte // aliased until Release
	Next    int64    // the position after all that was read, markers and aborted records included
	End     int64    // what is known to be readable of the partition: the last stable offset
	Bytes   int
	Release func() // nil: nothing to release
}

// input is one partition that a task reads.
type input struct {
	topic     *edge.Topic
	partition int32
	entrance  edge.Entrance
	touch     []store.Store

	queue    []Fetched // queue[0] is being read
	at       int       // index of the batch being read in queue[0]
	reader   batch.Reader
	reading  bool // reader is within a batch
	group    [groupSize]batch.Record
	lo, hi   [groupSize]uint64 // of the group's keys, see hashed.Key
	hashes   [groupSize]uint64
	n, i     int // records in group, index of the head
	headTime int64
	hasHead  bool // group[i] is the head and headTime its time
	bytes    int

	position  int64 // of the next record to process, as far as known: the end of what was processed or skipped
	committed int64
	fetched   int64 // the end of the queue
	end       int64 // known to be readable; -1: unknown
	time      int64 // highest time taken; -1: none
	timeThen  int64 // the same at the last commit

	first      int64     // of a bootstrap input: what has to be read of it before others; -1: not known
	answered   int64     // when it was last heard of, by the clock
	emptySince time.Time // when it was first seen empty; zero: it is not
}

func newInput(topic *edge.Topic, partition int32, e edge.Entrance, touch []store.Store) *input {
	return &input{topic: topic, partition: partition, entrance: e, touch: touch, end: -1, first: -1, time: -1, timeThen: -1}
}

// clear forgets what is queued and goes to position.
func (in *input) clear(position int64) {
	for i := range in.queue {
		in.release(i)
	}
	in.queue = in.queue[:0]
	in.at, in.reading, in.n, in.i, in.hasHead, in.bytes = 0, false, 0, 0, false, 0
	in.position, in.fetched, in.end = position, position, -1
}

func (in *input) release(i int) {
	f := &in.queue[i]
	in.bytes -= f.Bytes
	if f.Release != nil {
		f.Release()
	}
	*f = Fetched{}
}

func (in *input) add(f Fetched) {
	in.queue = append(in.queue, f)
	in.bytes += f.Bytes
	in.fetched, in.end = f.Next, max(in.end, f.End)
}

// head makes the next record the head, if there is one: it is decoded and its time known.
func (t *Task) head(in *input) (ok bool, err error) {
	for !in.hasHead {
		if in.i == in.n {
			more, err := t.fill(in)
			if err != nil || !more {
				return false, err
			}
		}
		rec := &in.group[in.i]
		if rec.Offset < in.position { // the batch began before the position
			in.i++
			continue
		}
		t.loaded = nil
		t.load(in, rec, in.i)
		tm, skip, err := in.entrance.Time(&t.meta, in.time)
		if err != nil {
			return false, err
		}
		if skip {
			in.i++
			in.position = rec.Offset + 1
			t.dirty = true
			continue
		}
		in.headTime, in.hasHead, t.loaded = tm, true, in
		in.emptySince = time.Time{}
	}
	return true, nil
}

// load makes rec the record at hand.
func (t *Task) load(in *input, rec *batch.Record, i int) {
	m := &t.meta
	m.Key.Bytes, m.Val, m.Time, m.Headers, m.RawHeaders = rec.Key, rec.Value, rec.Timestamp, nil, rec.Headers
	m.Topic, m.Partition, m.Offset, m.NoKey, m.Stale = in.topic.Name, in.partition, rec.Offset, rec.Key == nil, false
	if m.Hashed = len(in.touch) > 0; m.Hashed {
		m.Key.Lo, m.Key.Hi, m.Key.Hash = in.lo[i], in.hi[i], in.hashes[i]
	}
	t.current = in
}

// fill decodes the next group of records of the batch at hand, or of the next batch.
func (t *Task) fill(in *input) (more bool, err error) {
	in.n, in.i = 0, 0
	for in.n == 0 {
		if !in.reading {
			if len(in.queue) == 0 {
				return false, nil
			}
			f := &in.queue[0]
			if in.at == len(f.Batches) {
				in.position = max(in.position, f.Next)
				t.dirty = t.dirty || in.position > in.committed
				in.release(0)
				in.queue, in.at = in.queue[:copy(in.queue, in.queue[1:])], 0
				continue
			}
			if err := in.reader.Reset(f.Batches[in.at]); err != nil {
				return false, in.corrupt(err)
			}
			in.reading = true
		}
		for in.n < groupSize && in.reader.Next(&in.group[in.n]) {
			in.n++
		}
		if in.n < groupSize {
			if err := in.reader.Err(); err != nil {
				return false, in.corrupt(err)
			}
			in.reading = false
			in.at++
		}
	}
	if len(in.touch) > 0 {
		t.lookAhead(in)
	}
	return true, nil
}

func (in *input) corrupt(err error) error {
	return fmt.Errorf("%s-%d@%d: a record batch that cannot be read: %w", in.topic.Name, in.partition, in.position, err)
}

// lookAhead hashes the keys of a group and loads the home slots of their rows. It is a hint alone.
func (t *Task) lookAhead(in *input) {
	for i := range in.n {
		in.lo[i], in.hi[i], in.hashes[i] = t.env.Hasher.Words(in.group[i].Key)
	}
	for _, s := range in.touch {
		s.Touch(in.hashes[:in.n])
	}
}

// Add hands fetched batches to the task. They belong to it until it calls Release.
func (t *Task) Add(topic string, f Fetched) error {
	for _, in := range t.inputs {
		if in.topic.Name == topic {
			in.add(f)
			in.answered = t.Now()
			return nil
		}
	}
	return fmt.Errorf("task %s does not read %q", t.id, topic)
}

// Seek sets where the input of a topic begins. metadata is what was committed with the position: the highest time that its
// partition had then, and what nodes keep.
func (t *Task) Seek(topic string, offset int64, metadata string) {
	time, seq, values := parseMetadata(metadata)
	t.kept.restore(seq, values)
	for _, in := range t.inputs {
		if in.topic.Name != topic {
			continue
		}
		in.clear(offset)
		in.committed = offset
		in.time, in.timeThen = time, time
		t.streamTime = max(t.streamTime, time)
		t.committed = t.streamTime
	}
}

// Input is the state of one input, for whoever fetches and measures.
type Input struct {
	Topic     string
	Partition int32
	Position  int64 // of the next record to process
	Fetched   int64 // where to fetch on
	End       int64 // known to be readable, -1: unknown
	Bytes     int   // queued
	Committed int64 // position as of the last commit
	Time      int64 // highest event time processed, -1: none
}

// Inputs calls f with every input.
func (t *Task) Inputs(f func(Input)) {
	for _, in := range t.inputs {
		f(Input{in.topic.Name, in.partition, in.at0(), in.fetched, in.end, in.bytes, in.committed, in.time})
	}
}

// at0 is the offset of the next record to process, or the position behind all that was queued.
func (in *input) at0() int64 {
	if in.i < in.n && in.group[in.i].Offset > in.position {
		return in.group[in.i].Offset
	}
	return in.position
}
