package tasktest

import (
	"testing"

	"github.com/thalweg/thalweg/internal/batch"
)

// Out is a topic of one partition that a task writes into a batch.
type Out struct {
	Discard bool  // keep nothing once a batch is full, and nothing at a commit
	Err     error // what Append returns, if not nil

	t         testing.TB
	builder   batch.Builder
	committed []Record
	written   int64 // records committed
}

// outLimit is when a batch that is discarded begins anew, in bytes.
const outLimit = 768 << 10

// Partitions implements edge.Out.
func (o *Out) Partitions() int32 { return 1 }

// Append implements edge.Out.
func (o *Out) Append(_ int32, time int64, key, value, headers []byte) error {
	if o.Err != nil {
		return o.Err
	}
	if o.Discard && o.builder.Bytes() > outLimit {
		o.builder.Reset()
	}
	o.builder.Append(time, key, value, headers)
	return nil
}

// Open returns the records of the open transaction.
func (o *Out) Open() (rs []Record) {
	o.t.Helper()
	if o.builder.Len() == 0 {
		return nil
	}
	bytes, err := o.builder.Finish(batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1})
	if err != nil {
		o.t.Fatal(err)
	}
	var r batch.Reader
	if err := r.Reset(bytes); err != nil {
		o.t.Fatal(err)
	}
	for rec := (batch.Record{}); r.Next(&rec); {
		headers, err := batch.Headers(append([]byte{}, rec.Headers...))
		if err != nil {
			o.t.Fatal(err)
		}
		rs = append(rs, Record{rec.Timestamp, string(rec.Key), string(rec.Value), rec.Value == nil, headers})
	}
	if err := r.Err(); err != nil {
		o.t.Fatal(err)
	}
	return rs
}

// Committed returns the records of all transactions that were committed.
func (o *Out) Committed() []Record { return o.committed }

func (o *Out) commit() {
	o.written += int64(o.builder.Len())
	if !o.Discard {
		o.committed = append(o.committed, o.Open()...)
	}
	o.builder.Reset()
}
