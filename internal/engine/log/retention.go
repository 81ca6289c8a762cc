package log

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
)

// DeleteRecords moves the log start, durable before it returns; -1 means HW. An offset above HW is ErrOutOfRange, one
// below the start changes nothing. It returns the log start.
func (p *Partition) DeleteRecords(before int64) (start int64, err error) {
	if err := p.moveStart(before); err != nil {
		return 0, err
	}
	if err := p.trim(); err != nil {
		return 0, err
	}
	return p.Offsets().Start, nil
}

// moveStart is DeleteRecords without the removal of files.
func (p *Partition) moveStart(before int64) error {
	if err := p.d.wal.admit(); err != nil {
		return err
	}
	p.mu.Lock()
	if err := p.writableLocked(); err != nil {
		p.mu.Unlock()
		return err
	}
	if before == -1 {
		before = p.hw
	}
	if before < 0 || before > p.hw {
		defer p.mu.Unlock()
		return fmt.Errorf("%w: %d is above the high watermark %d", ErrOutOfRange, before, p.hw)
	}
	moved := before > p.start
	if moved {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(before))
		p.lastLSN = p.d.wal.enqueue(frameStart, p, b[:], nowMs(p.d.cfg.Clock), p.hw)
		if p.dirty == 0 {
			p.dirty = p.lastLSN
		}
		p.start = before
	}
	lsn := p.lastLSN
	p.mu.Unlock()
	return p.d.WaitDurable(context.Background(), Ticket(lsn))
}

// trim removes the segments that lie wholly below the log start. The manifest without them is durable first.
func (p *Partition) trim() error {
	p.flushMu.Lock()
	defer p.flushMu.Unlock()
	p.mu.Lock()
	n := 0
	for n+1 < len(p.segments) && p.segments[n+1].base <= p.start {
		n++
	}
	if n == 0 {
		p.mu.Unlock()
		return nil
	}
	gone := p.segments[:n]
	p.segments = slices.Clone(p.segments[n:])
	p.cleaned = max(p.cleaned, p.segments[0].base)
	for len(p.epochs) > 1 && p.epochs[1].start <= p.start {
		p.epochs = p.epochs[1:]
	}
	p.changed = true
	p.mu.Unlock()
	if err := p.flushHeld(); err != nil {
		return err
	}
	for _, s := range gone {
		if err := p.d.discard(s); err != nil {
			return fmt.Errorf("log: remove %s: %w", s.path(logExt), err)
		}
	}
	p.d.counters.expired.Add(sizeOf(gone))
	return nil
}

// retain applies cleanup.policy=delete: it moves the log start over segments that are too old or too many.
func (p *Partition) retain(now int64) error {
	p.mu.Lock()
	start := int64(-1)
	if p.cfg.Delete && p.writableLocked() == nil {
		start = p.retainedFrom(now)
	}
	p.mu.Unlock()
	if start >= 0 {
		if err := p.moveStart(start); err != nil {
			return err
		}
	}
	return p.trim()
}

// retainedFrom returns the base of the first segment to be kept, -1 if it is the first. The active segment can go as
// well: then a new one is begun.
func (p *Partition) retainedFrom(now int64) int64 {
	n := 0
	size := sizeOf(p.segments)
	for ; n < len(p.segments) && p.segments[n].size > 0 && p.segments[n].end <= p.hw; n++ {
		s := p.segments[n]
		old := p.cfg.RetentionMs >= 0 && now-s.newest() > p.cfg.RetentionMs
		large := p.cfg.RetentionBytes >= 0 && size-s.size >= p.cfg.RetentionBytes && s != p.active()
		if !old && !large {
			break
		}
		size -= s.size
	}
	if n == len(p.segments) {
		p.roll(nil, true)
	}
	if n == 0 {
		return -1
	}
	return p.segments[n].base
}
