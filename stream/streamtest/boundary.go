package streamtest

import (
	"errors"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/task"
	"github.com/thalweg/thalweg/topology"
)

// after is what is to be done between two records.
type after struct {
	records int // still to be processed before
	f       func()
}

// After has f called once, between two records, as soon as tasks have processed so many more, at least one. There f may
// call Crash, Restart, Wipe, Scale, Abort and Commit, which so come in the middle of a transaction: see
// Options.CommitEvery. It replaces what the last After asked for, if that has not been called yet.
//
//	d := streamtest.New(t, words, streamtest.Options{CommitEvery: 100})
//	d.After(3, func() { d.Crash(0); d.Restart(0) })
//	d.Topic(lines).PutAll(records...)
func (d *Driver) After(records int, f func()) {
	d.t.Helper()
	if records < 1 || f == nil {
		d.t.Fatalf("streamtest: After(%d records), want at least 1, and a function", records)
	}
	d.after = after{records, f}
}

// boundary reports whether the moment of After has come.
func (d *Driver) boundary() bool { return d.after.f != nil && d.after.records <= 0 }

// reach does what After asked for, if its moment has come.
func (d *Driver) reach() {
	if d.boundary() {
		f := d.after.f
		d.after = after{}
		f()
	}
}

// Abort has the open transaction of an instance fail without a crash, as brokers can cause it: what its tasks did since
// the last commit is undone, and they process the same records again.
func (d *Driver) Abort(instance int) {
	d.t.Helper()
	in := d.instance(instance)
	for _, t := range in.tasks {
		t.Abort()
	}
	in.undo()
	d.run()
}

// Processed calls f with every record that a task processes from now on, once that is committed and in the task's order:
// in which task, where the record was read, and what it is. It says in which order records of several topics met. f owns
// the slices.
func (d *Driver) Processed(f func(task string, at topology.Origin, r topology.Record[[]byte, []byte])) {
	d.processed = f
}

// taken is a record that a task has processed.
type taken struct {
	task   string
	at     topology.Origin
	record topology.Record[[]byte, []byte]
}

// process processes at most limit records of a task, and no more than After lets it.
func (in *instance) process(t *task.Task, limit int) (n int, err error) {
	d := in.d
	if d.after.f != nil {
		limit = min(limit, d.after.records)
	}
	if d.processed == nil {
		n, err = t.Process(limit)
	} else {
		n, err = in.processEach(t, limit)
	}
	d.after.records -= n
	return n, err
}

// processEach is process, and notes each record.
func (in *instance) processEach(t *task.Task, limit int) (n int, err error) {
	for n < limit {
		took, err := t.Process(1)
		if took == 0 || err != nil {
			return n, err
		}
		n++
		topic, partition, offset := t.Taken()
		x := taken{task: t.ID(), at: topology.Origin{Topic: topic, Partition: partition, Offset: offset}}
		log := &in.d.topics[topic].parts[partition]
		var made error
		err = log.records(offset, func(r *batch.Record) {
			if r.Offset == offset {
				w := written{place{topic, partition}, raw{r.Timestamp, clone(r.Key), clone(r.Value), clone(r.Headers)}}
				x.record, made = w.record()
			}
		})
		if err = errors.Join(err, made); err != nil {
			return n, err
		}
		in.taken = append(in.taken, x)
	}
	return n, nil
}
