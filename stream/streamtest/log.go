package streamtest

import (
	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/task"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// log is a topic: its committed records, as batches.
type log struct {
	parts []part
	next  int // partition for the next record without a key
}

type part struct {
	batches [][]byte
	bases   []int64 // offset of each batch
	end     int64
}

// raw is a record on its way into a log.
type raw struct {
	time                int64
	key, value, headers []byte
}

// written is a record that waits for the commit.
type written struct {
	place
	raw
}

// record is w as a callback sees it.
func (w *written) record() (topology.Record[[]byte, []byte], error) {
	r := topology.Record[[]byte, []byte]{Key: w.key, Value: w.value, Time: window.Instant(w.time), NoKey: w.key == nil}
	var err error
	r.Headers, err = topology.HeadersOf(&edge.Meta{RawHeaders: w.headers})
	return r, err
}

func newLog(partitions int) *log { return &log{parts: make([]part, partitions)} }

// append adds records as one batch.
func (p *part) append(rs []raw) error {
	if len(rs) == 0 {
		return nil
	}
	var b batch.Builder
	b.Reset()
	for _, r := range rs {
		b.Append(r.time, r.key, r.value, r.headers)
	}
	bytes, err := b.Finish(batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, BaseOffset: p.end})
	if err != nil {
		return err
	}
	p.batches = append(p.batches, append([]byte{}, bytes...))
	p.bases = append(p.bases, p.end)
	p.end += int64(len(rs))
	return nil
}

// fetch returns what there is from offset on.
func (p *part) fetch(offset int64) task.Fetched {
	f := task.Fetched{Next: max(offset, p.end), End: p.end}
	for i := len(p.batches); i > 0; i-- {
		if p.bases[i-1] < offset {
			// The batch may hold offset in its middle.
			f.Batches = p.batches[i-1:]
			return f
		}
	}
	f.Batches = p.batches
	return f
}

// records calls f with every record from offset on.
func (p *part) records(offset int64, f func(r *batch.Record)) error {
	var r batch.Reader
	var rec batch.Record
	for _, b := range p.fetch(offset).Batches {
		if err := r.Reset(b); err != nil {
			return err
		}
		for r.Next(&rec) {
			if rec.Offset >= offset {
				f(&rec)
			}
		}
		if err := r.Err(); err != nil {
			return err
		}
	}
	return nil
}

// writer is one topic as the sinks of an instance see it: what is written waits for the commit.
type writer struct {
	in    *instance
	topic string
	log   *log
}

// Partitions implements edge.Out.
func (w *writer) Partitions() int32 { return int32(len(w.log.parts)) }

// Append implements edge.Out.
func (w *writer) Append(partition int32, time int64, key, value, headers []byte) error {
	if partition < 0 {
		partition = int32(w.log.next % len(w.log.parts))
		w.log.next++
	}
	w.in.pending = append(w.in.pending, written{place{w.topic, partition}, raw{time, clone(key), clone(value), clone(headers)}})
	return nil
}

// clone copies b; nil stays nil, empty stays empty.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}
