package log

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/thalweg/thalweg/internal/batch"
)

// Partition is one log. All its methods may be called concurrently.
type Partition struct {
	d   *Dir
	id  ID
	dir string

	cleanMu sync.Mutex // serialises cleaning; taken before flushMu
	flushMu sync.Mutex // serialises flush, changes of the segments, and removal

	mu       sync.Mutex // protects following fields
	name     string
	given    Settings   // as the caller set them
	cfg      Settings   // with defaults
	err      error      // why nothing can be appended; nil: it can
	untold   bool       // OnError does not know of err yet
	closed   bool       // nothing can be appended any more, and files are closed
	deleted  bool       // closed for good
	segments []*segment // in order; the last is written to. Replaced, never changed, except by adding
	epochs   []epochStart
	ps       producers
	ended    []ended // in order of their markers
	tail     tail
	start    int64
	hw       int64
	end      int64
	cleaned  int64  // the cleaner has been through all below
	recovery int64  // all below is synced in the segments, and a manifest says so
	lastLSN  uint64 // of the last frame
	dirty    uint64 // lsn of the first frame that no manifest covers; 0: none
	flushing uint64 // the same for frames a flush under way will cover
	changed  bool   // the manifest is stale for another reason
	marker   []byte // scratch
}

// epochStart says at which offset a leader epoch began.
type epochStart struct {
	epoch int32
	start int64
}

// ID returns what the partition was created with.
func (p *Partition) ID() ID { return p.id }

// Name returns the name as given to Create.
func (p *Partition) Name() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.name
}

// Settings returns the settings as they were set.
func (p *Partition) Settings() Settings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.given
}

// SetSettings changes the settings, durably before it returns. They hold from the next append and cleaning on.
func (p *Partition) SetSettings(s Settings) error {
	p.flushMu.Lock()
	defer p.flushMu.Unlock()
	p.mu.Lock()
	name, closed := p.name, p.closed
	p.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if err := writeMeta(p.d.fs, p.dir, name, s); err != nil {
		return fmt.Errorf("log: settings of %s: %w", p.id, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.given, p.cfg = s, s.effective()
	p.active().interval = int64(p.cfg.IndexIntervalBytes)
	return nil
}

// Err returns why the partition is offline, nil if it is not.
func (p *Partition) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Offsets is a consistent view: Start ≤ LSO ≤ HW ≤ End. HW is the durable end.
type Offsets struct{ Start, LSO, HW, End int64 }

// Offsets returns the current ones.
func (p *Partition) Offsets() Offsets {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.offsetsLocked()
}

func (p *Partition) offsetsLocked() Offsets {
	o := Offsets{Start: p.start, HW: p.hw, End: p.end, LSO: p.hw}
	if p.ps.low >= 0 {
		o.LSO = min(o.LSO, p.ps.low)
	}
	for _, e := range p.ended {
		o.LSO = min(o.LSO, e.first)
	}
	o.LSO = max(o.LSO, o.Start)
	if o.LSO > o.HW || o.HW > o.End {
		panic(fmt.Sprintf("log: %s: offsets out of order: %+v", p.id, o))
	}
	return o
}

// active returns the segment that is written to.
func (p *Partition) active() *segment { return p.segments[len(p.segments)-1] }

// advance moves the high watermark to end: all below is durable.
func (p *Partition) advance(end int64) {
	p.mu.Lock()
	p.hw = max(p.hw, end)
	n := 0
	for n < len(p.ended) && p.ended[n].marker < p.hw {
		n++
	}
	p.ended = slices.Delete(p.ended, 0, n)
	p.mu.Unlock()
	p.d.cfg.OnAdvance(p)
}

// fail takes the partition offline. err is kept and returned by what is refused from now on.
func (p *Partition) fail(err error) {
	p.mu.Lock()
	p.failLocked(err)
	p.mu.Unlock()
	p.tell()
}

// failLocked is fail for who holds the lock, and calls tell once it does not.
func (p *Partition) failLocked(err error) {
	if p.err != nil || p.deleted {
		return
	}
	if !errors.Is(err, ErrOffline) {
		err = fmt.Errorf("%w: %s (%s): %w", ErrOffline, p.name, p.id, err)
	}
	p.err, p.untold = err, true
}

// tell reports a partition that went offline, once.
func (p *Partition) tell() {
	p.mu.Lock()
	err, untold := p.err, p.untold
	p.untold = false
	p.mu.Unlock()
	if untold {
		p.d.cfg.Logf("log: partition offline: %v", err)
		p.d.cfg.OnError(p.id, err)
	}
}

// writableLocked returns why nothing can be written, nil if it can.
func (p *Partition) writableLocked() error {
	if p.closed {
		return ErrClosed
	}
	return p.err
}

// OpenTxn reports whether the producer has an open transaction here, and since which offset.
func (p *Partition) OpenTxn(producerID int64) (first int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first, ok = p.ps.open[producerID]
	return first, ok
}

// Producer is a producer's state in a partition, for DescribeProducers.
type Producer struct {
	ID           int64
	Epoch        int16
	LastSequence int32 // -1: none
	LastTime     int64 // ms
	TxnStart     int64 // -1: none
}

// Producers returns all known producers, in no order.
func (p *Partition) Producers() []Producer {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Producer, 0, len(p.ps.byID))
	for _, s := range p.ps.byID {
		out = append(out, Producer{s.id, s.epoch, s.lastSequence(), s.used, s.txn})
	}
	return out
}

// EndOfEpoch returns the end offset of the largest epoch ≤ epoch, and that epoch (OffsetForLeaderEpoch); both are -1
// if there is none.
func (p *Partition) EndOfEpoch(epoch int32) (last int32, end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.epochs) && p.epochs[n].epoch <= epoch {
		n++
	}
	switch {
	case n == 0:
		return -1, -1
	case n < len(p.epochs):
		return p.epochs[n-1].epoch, p.epochs[n].start
	}
	return p.epochs[n-1].epoch, p.hw
}

// Size returns the bytes of batches on disk.
func (p *Partition) Size() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return sizeOf(p.segments)
}

func sizeOf(segments []*segment) (n int64) {
	for _, s := range segments {
		n += s.size
	}
	return n
}

// assignEpoch notes that epoch begins at offset, if it is newer than the last.
func (p *Partition) assignEpoch(epoch int32, offset int64) {
	n := len(p.epochs)
	if n > 0 && p.epochs[n-1].epoch >= epoch {
		return
	}
	if n > 0 && p.epochs[n-1].start == offset {
		p.epochs[n-1].epoch = epoch // the one before never had a record
		return
	}
	p.epochs = append(p.epochs, epochStart{epoch, offset})
}

// roll begins a new segment if the active one is full, or holds anything and force is set.
func (p *Partition) roll(h *batch.Header, force bool) {
	s := p.active()
	if force && s.size > 0 || h != nil && s.full(h, p.end, &p.cfg) {
		next := newSegment(p.d.fs, p.dir, p.end, 0, p.cfg.IndexIntervalBytes)
		p.segments = append(slices.Clone(p.segments), next)
		p.changed = true
	}
}
