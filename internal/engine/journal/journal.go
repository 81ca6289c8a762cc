// Package journal keeps an owner's state as keyed records of one partition: the metadata of the engine, the groups'
// offsets, the transactions. The owner applies what it appends; after a restart it replays the partition.
package journal

import (
	"fmt"
	"sync"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// Entry is a record to append. A nil Value is a tombstone.
type Entry struct{ Key, Value []byte }

// Journal appends to one partition. Its methods may be called concurrently; appends happen in some order of the calls.
type Journal struct {
	p     *log.Partition
	clock log.Clock

	mu      sync.Mutex // protects following fields
	builder batch.Builder
}

// New returns the journal in p.
func New(p *log.Partition, clock log.Clock) *Journal { return &Journal{p: p, clock: clock} }

// Partition returns the partition the journal lies in.
func (j *Journal) Partition() *log.Partition { return j.p }

// Append writes the entries as one batch. They are durable once the ticket is.
func (j *Journal) Append(entries ...Entry) (log.Ticket, error) {
	return j.append(batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1}, entries)
}

// AppendTxn writes the entries as a part of the producer's open transaction, which it opens in this partition if it is
// the first.
func (j *Journal) AppendTxn(producerID int64, epoch int16, entries ...Entry) (log.Ticket, error) {
	return j.append(batch.Seal{ProducerID: producerID, ProducerEpoch: epoch, BaseSequence: -1, Transactional: true}, entries)
}

func (j *Journal) append(s batch.Seal, entries []Entry) (log.Ticket, error) {
	if len(entries) == 0 {
		return 0, nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.clock.Now().UnixMilli()
	j.builder.Reset()
	for _, e := range entries {
		j.builder.Append(now, e.Key, e.Value, nil)
	}
	b, err := j.builder.Finish(s)
	if err != nil {
		return 0, fmt.Errorf("journal: %s: %w", j.p.Name(), err)
	}
	done, err := j.p.Append(log.Append{Batch: b, Internal: true})
	if err != nil {
		return 0, fmt.Errorf("journal: %s: %w", j.p.Name(), err)
	}
	return done.Ticket, nil
}

// Replayed is one batch met by Replay. For a control batch Marker is set and Records yields nothing.
type Replayed struct {
	Header batch.Header
	Marker *batch.Marker
	Reader *batch.Reader
}

// replayBytes is how much Replay reads at a time.
const replayBytes = 1 << 20

// Replay calls f for every batch of p, oldest first, up to its very end. What f is given lives until it returns.
func Replay(p *log.Partition, f func(Replayed) error) error {
	var buf []byte
	var reader batch.Reader
	at := p.Offsets()
	for next := at.Start; next < at.End; {
		chunk, err := p.Read(log.Read{Offset: next, Max: replayBytes, MinOne: true, Unstable: true, Buf: buf[:0]})
		if err != nil {
			return fmt.Errorf("journal: %s at %d: %w", p.Name(), next, err)
		}
		if len(chunk.Data) == 0 || chunk.Next <= next {
			return nil // what is left was compacted away
		}
		if err := batches(p, chunk.Data, &reader, f); err != nil {
			return err
		}
		next, buf = chunk.Next, chunk.Data
	}
	return nil
}

// Inspect calls f for every record in the files of the journal with the id, oldest first. What f is given lives until it
// returns.
func Inspect(i *log.Inspector, id log.ID, f func(key, value []byte) error) error {
	var reader batch.Reader
	var r batch.Record
	return i.Batches(id, 0, func(b *log.Batch) error {
		if b.Err != nil {
			return b.Err
		}
		if err := reader.Reset(b.Data); err != nil {
			return err
		}
		for b.Marker == nil && reader.Next(&r) {
			if err := f(r.Key, r.Value); err != nil {
				return err
			}
		}
		return reader.Err()
	})
}

func batches(p *log.Partition, data []byte, reader *batch.Reader, f func(Replayed) error) error {
	for len(data) > 0 {
		h, err := batch.Parse(data)
		if err != nil {
			return fmt.Errorf("journal: %s: %w", p.Name(), err)
		}
		one := data[:h.Size()]
		data = data[h.Size():]
		r := Replayed{Header: h, Reader: reader}
		if err := reader.Reset(one); err != nil {
			return fmt.Errorf("journal: %s at %d: %w", p.Name(), h.BaseOffset, err)
		}
		if h.Control() {
			m, err := batch.ParseMarker(one)
			if err != nil {
				return fmt.Errorf("journal: %s at %d: %w", p.Name(), h.BaseOffset, err)
			}
			r.Marker = &m
		}
		if err := f(r); err != nil {
			return fmt.Errorf("journal: %s at %d: %w", p.Name(), h.BaseOffset, err)
		}
		if err := reader.Err(); err != nil {
			return fmt.Errorf("journal: %s at %d: %w", p.Name(), h.BaseOffset, err)
		}
	}
	return nil
}
