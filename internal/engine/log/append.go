package log

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/batch"
)

// Append says what to do with a batch.
type Append struct {
	Batch []byte // one batch, CRC checked by the caller; patched in place (offset, epoch, append time); not retained
	// Admit, if set, is called under the partition's lock after the sequence check and before the batch gets its
	// offset: the transaction coordinator's last word. Its error is returned as it is.
	Admit func() error
	// Internal skips sequence checks for batches without a sequence: those of the engine's own coordinators. They are
	// also let into the space that is kept back when the disk is nearly full.
	Internal bool
}

// Appended is the answer to Append.
type Appended struct {
	BaseOffset int64
	AppendTime int64 // -1 unless LogAppendTime
	LogStart   int64
	Ticket     Ticket
	Duplicate  bool // an exact retry: BaseOffset is the original's; nothing was written
	FirstOfTxn bool // this batch opened the producer's transaction on this partition
}

// Append validates sequence and epoch without changing anything, writes, then changes producer state; it does not wait
// for the disk. Errors: ErrOutOfOrder, ErrProducerEpoch, ErrTxnState, ErrDiskFull, ErrOffline, ErrClosed, those of
// package batch for a batch that is none, and Admit's.
func (p *Partition) Append(a Append) (Appended, error) {
	h, err := batch.Parse(a.Batch)
	if err != nil {
		return Appended{}, err
	}
	if h.Size() != len(a.Batch) {
		return Appended{}, fmt.Errorf("%w: %d bytes after the batch", batch.ErrCorrupt, len(a.Batch)-h.Size())
	}
	if h.Control() {
		return Appended{}, fmt.Errorf("%w: control batch", batch.ErrCorrupt)
	}
	if err = p.admit(len(a.Batch), a.Internal); err != nil {
		return Appended{}, err
	}
	out, err := p.append(a, &h)
	if err != nil {
		p.tell()
	}
	return out, err
}

// append is Append from the lock on.
func (p *Partition) append(a Append, h *batch.Header) (Appended, error) {
	now := nowMs(p.d.cfg.Clock)
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.writableLocked()
	if err != nil {
		return Appended{}, err
	}
	if h.ProducerID >= 0 {
		retry, err := p.ps.check(h, a.Internal)
		if err != nil {
			return Appended{}, err
		}
		if retry != nil {
			return Appended{BaseOffset: retry.base, AppendTime: retry.time, LogStart: p.start, Ticket: Ticket(p.lastLSN), Duplicate: true}, nil
		}
	}
	if a.Admit != nil {
		if err = a.Admit(); err != nil {
			return Appended{}, err
		}
	}
	out := Appended{BaseOffset: p.end, AppendTime: -1, LogStart: p.start}
	if p.cfg.LogAppendTime {
		batch.SetTimestampType(a.Batch, true, now)
		out.AppendTime = now
	} else if h.LogAppendTime() {
		batch.SetTimestampType(a.Batch, false, h.MaxTimestamp)
	}
	out.FirstOfTxn, err = p.writeLocked(a.Batch, now)
	out.Ticket = Ticket(p.lastLSN)
	return out, err
}

// EndTxn appends a marker for the producer and closes its transaction here. A marker without an open transaction is
// written all the same: it fences older epochs.
func (p *Partition) EndTxn(producerID int64, epoch int16, commit bool, coordinatorEpoch int32) (Appended, error) {
	if err := p.admit(batch.HeaderSize, true); err != nil {
		return Appended{}, err
	}
	out, err := p.endTxn(producerID, epoch, batch.Marker{Commit: commit, CoordinatorEpoch: coordinatorEpoch})
	if err != nil {
		p.tell()
	}
	return out, err
}

// endTxn is EndTxn from the lock on.
func (p *Partition) endTxn(producerID int64, epoch int16, m batch.Marker) (Appended, error) {
	now := nowMs(p.d.cfg.Clock)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.writableLocked(); err != nil {
		return Appended{}, err
	}
	if s := p.ps.byID[producerID]; s != nil && epoch < s.epoch {
		return Appended{}, fmt.Errorf("%w: marker of producer %d with epoch %d, current is %d", ErrProducerEpoch, producerID, epoch, s.epoch)
	}
	out := Appended{BaseOffset: p.end, AppendTime: -1, LogStart: p.start}
	p.marker = batch.AppendMarker(p.marker[:0], m, p.end, now, producerID, epoch)
	_, err := p.writeLocked(p.marker, now)
	out.Ticket = Ticket(p.lastLSN)
	return out, err
}

// admit waits for room in the WAL's queue and refuses what a nearly full disk cannot take.
func (p *Partition) admit(n int, internal bool) error {
	if err := p.d.disk.admit(n, internal); err != nil {
		return err
	}
	return p.d.wal.admit()
}

// writeLocked gives b, whose other fields are final, its offset and leader epoch, writes it to the segment, queues it
// for the WAL and applies it.
func (p *Partition) writeLocked(b []byte, now int64) (opened bool, err error) {
	batch.SetBaseOffset(b, p.end)
	batch.SetLeaderEpoch(b, p.d.state.epoch)
	h, err := batch.Parse(b)
	if err != nil {
		return false, err
	}
	p.roll(&h, false)
	if err = p.active().append(b); err != nil {
		if vfs.IsNoSpaceError(err) {
			p.d.disk.full()
			return false, fmt.Errorf("%w: %s: %w", ErrDiskFull, p.id, err)
		}
		p.failLocked(err)
		return false, p.err
	}
	p.lastLSN = p.d.wal.enqueue(frameAppend, p, b, now, h.LastOffset()+1)
	if p.dirty == 0 {
		p.dirty = p.lastLSN
	}
	return p.applyLocked(b, &h, now)
}

// applyLocked changes the state for batch b, which was just written at the end of the active segment: the only way
// in, for appends as for recovery.
func (p *Partition) applyLocked(b []byte, h *batch.Header, now int64) (opened bool, err error) {
	s := p.active()
	p.assignEpoch(h.LeaderEpoch, h.BaseOffset)
	p.tail.add(s, s.size, b)
	s.note(h, now)
	p.end = h.LastOffset() + 1
	switch {
	case h.Control() && h.Count > 0: // one without a record is what the cleaner left
		m, err := batch.ParseMarker(b)
		if err != nil {
			return false, err
		}
		p.endTxnLocked(s, h, m, now)
	case h.ProducerID >= 0 && !h.Control():
		opened = p.ps.add(h, now)
	}
	return opened, nil
}

func (p *Partition) endTxnLocked(s *segment, h *batch.Header, m batch.Marker, now int64) {
	first := p.ps.end(h, m.CoordinatorEpoch, now)
	if first < 0 {
		return
	}
	p.ended = append(p.ended, ended{first, h.BaseOffset})
	if m.Commit {
		return
	}
	stable := h.BaseOffset + 1
	if p.ps.low >= 0 {
		stable = p.ps.low
	}
	s.aborted = append(s.aborted, abortedTxn{h.ProducerID, first, h.BaseOffset, stable})
}
