package log

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	walDir        = "wal"
	deletedPrefix = "deleted-"
)

// Dir is a locked data directory with all its logs. All its methods may be called concurrently.
type Dir struct {
	fs       vfs.FS
	dir      string
	cfg      Config
	lock     *dirLock
	wal      *wal
	disk     *diskGuard
	state    state
	clean    bool
	tails    atomic.Int64 // bytes held in memory for reads
	counters counters
	pin      pin // holds removals back while a copy is made

	flushDue chan struct{} // to the flusher
	roundDue chan struct{} // to the cleaner
	quit     chan struct{} // to both
	workers  sync.WaitGroup

	createMu sync.Mutex // serialises Create; taken before mu

	mu         sync.RWMutex // protects following fields
	partitions map[ID]*Partition
	removals   map[string]func() bool // directories of deleted logs → stops the timer
	round      func() bool            // stops the timer of the next round
	closed     bool
}

// Ticket stands for a point in the WAL.
type Ticket uint64

// Open locks dir, recovers it to the last durable state and returns it. Partitions that cannot be recovered are
// offline; see Partition.Err.
func Open(fs vfs.FS, dir string, cfg Config) (*Dir, error) {
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	if err := syncDir(fs, fs.PathDir(dir)); err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	lock, err := lockDir(fs, dir)
	if err != nil {
		return nil, err
	}
	d := &Dir{
		fs: fs, dir: dir, cfg: cfg.effective(), lock: lock, partitions: map[ID]*Partition{}, removals: map[string]func() bool{},
		flushDue: make(chan struct{}, 1), roundDue: make(chan struct{}, 1), quit: make(chan struct{}),
	}
	d.disk = &diskGuard{fs: fs, dir: dir, clock: d.cfg.Clock, reserve: uint64(3*d.cfg.WALBytes + 64<<20)}
	d.wal = newWAL(fs, fs.PathJoin(dir, walDir), &d.cfg)
	d.wal.full = func() { kick(d.flushDue) }
	d.wal.failed = d.fail
	d.wal.counters = &d.counters
	if err = d.open(); err != nil {
		d.closeLogs()
		return nil, errors.Join(fmt.Errorf("log: open %s: %w", dir, err), d.wal.closeFiles(), lock.release())
	}
	d.workers.Go(d.flusher)
	d.workers.Go(d.cleaner)
	d.schedule()
	return d, nil
}

// open is Open under the lock.
func (d *Dir) open() error {
	if err := d.lock.setOwner(""); err != nil {
		return err
	}
	var err error
	if d.state, _, err = readState(d.fs, d.dir); err != nil {
		return err
	}
	d.clean = d.state.clean
	if err = checkFormat(d.fs, d.dir, d.clean); err != nil {
		return err
	}
	if err = d.wal.open(); err != nil {
		return err
	}
	if d.clean {
		d.wal.forget()
	} else {
		// All files are checked before the first change to any segment.
		if err = d.wal.replay(func(*frame) error { return nil }); err != nil {
			return err
		}
		d.state.epoch++
	}
	if err = d.loadAll(); err != nil {
		return err
	}
	d.tidy()
	if err = d.recover(); err != nil {
		return err
	}
	d.state.clean = false
	if err = writeState(d.fs, d.dir, d.state); err != nil {
		return err
	}
	return d.wal.start()
}

// loadAll loads the partitions and removes what was deleted.
func (d *Dir) loadAll() error {
	names, err := d.fs.List(d.dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.HasPrefix(name, deletedPrefix) {
			if err = d.fs.RemoveAll(d.fs.PathJoin(d.dir, name)); err != nil {
				return err
			}
			continue
		}
		id, ok := parseID(name)
		if !ok {
			continue
		}
		if _, err = d.fs.Stat(d.fs.PathJoin(d.dir, name, metaFile)); missing(err) {
			// Create did not get to its end.
			if err = d.fs.RemoveAll(d.fs.PathJoin(d.dir, name)); err != nil {
				return err
			}
			continue
		}
		d.partitions[id] = d.load(id)
	}
	return nil
}

// tidy removes files that no manifest names, before segments of the same names are written.
func (d *Dir) tidy() {
	for _, p := range d.partitions {
		if p.err != nil {
			continue
		}
		if err := p.removeStrangers(); err != nil {
			p.err = fmt.Errorf("%w: %s (%s): %w", ErrOffline, p.name, p.id, err)
		}
	}
}

// recover replays the WAL into the partitions.
func (d *Dir) recover() error {
	if !d.clean {
		err := d.wal.replay(func(f *frame) error {
			p := d.partitions[f.id]
			if p == nil {
				return nil // deleted since
			}
			if err := p.replay(f); err != nil {
				p.err = fmt.Errorf("%w: %s (%s): %w", ErrOffline, p.name, p.id, err)
				p.touch(f.lsn)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	d.wal.synced.Store(d.wal.next - 1)
	for _, p := range d.partitions {
		if p.err == nil {
			if err := p.settle(d.clean); err != nil && p.Err() == nil {
				p.fail(err)
			}
			continue
		}
		d.cfg.Logf("log: partition offline: %v", p.err)
		d.cfg.OnError(p.id, p.err)
	}
	return nil
}

// Path returns where it is.
func (d *Dir) Path() string { return d.dir }

// DiskUsage returns the bytes of the disk it is on, and those that are free.
func (d *Dir) DiskUsage() (total, free uint64, err error) {
	u, err := d.fs.GetDiskUsage(d.dir)
	return u.TotalBytes, u.AvailBytes, err
}

// SetLockInfo replaces the text beside the pid in the lock file: the address others can connect to.
func (d *Dir) SetLockInfo(text string) error { return d.lock.setOwner(text) }

// Clean reports whether the last Close was a clean one; a fresh directory is clean.
func (d *Dir) Clean() bool { return d.clean }

// LeaderEpoch returns the epoch of all partitions, which is bumped at each unclean start.
func (d *Dir) LeaderEpoch() int32 { return d.state.epoch }

// Create makes the log of id, durable before it returns. The error is ErrExists (wrapped) if there is one.
func (d *Dir) Create(id ID, name string, s Settings) (*Partition, error) {
	d.createMu.Lock()
	defer d.createMu.Unlock()
	d.mu.RLock()
	closed, exists := d.closed, d.partitions[id] != nil
	d.mu.RUnlock()
	if closed {
		return nil, ErrClosed
	}
	if exists {
		return nil, fmt.Errorf("%w: %s", ErrExists, id)
	}
	p := d.newPartition(id)
	p.name, p.given, p.cfg = name, s, s.effective()
	p.segments = []*segment{newSegment(d.fs, p.dir, 0, 0, p.cfg.IndexIntervalBytes)}
	p.assignEpoch(d.state.epoch, 0)
	err := d.fs.MkdirAll(p.dir, 0o755)
	if err == nil {
		err = replaceFile(d.fs, p.dir, manifestFile, p.encodeManifest())
	}
	if err == nil {
		err = writeMeta(d.fs, p.dir, name, s) // last: without it the log does not exist
	}
	if err == nil {
		err = syncDir(d.fs, d.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("log: create %s (%s): %w", name, id, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, ErrClosed
	}
	d.partitions[id] = p
	return p, nil
}

// Get returns the log of id, nil if there is none.
func (d *Dir) Get(id ID) *Partition {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.partitions[id]
}

// List returns all logs, in no order.
func (d *Dir) List() []*Partition {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Collect(maps.Values(d.partitions))
}

// Delete removes all partitions of a topic, durably before it returns; reads under way end well, later ones get
// ErrClosed. The space is free after the topic's FileDeleteDelay.
func (d *Dir) Delete(topic [16]byte) error {
	var gone []*Partition
	for _, p := range d.List() {
		if p.id.Topic != topic {
			continue
		}
		gone = append(gone, p)
		if err := p.moveAway(d.away(p.id)); err != nil {
			return fmt.Errorf("log: delete %s (%s): %w", p.Name(), p.id, err)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if err := syncDir(d.fs, d.dir); err != nil {
		return fmt.Errorf("log: delete: %w", err)
	}
	// The WAL kept the logs' entries until here, where they cannot come back.
	var err error
	for _, p := range gone {
		err = errors.Join(err, d.remove(p))
		d.cfg.OnAdvance(p)
	}
	return err
}

// away returns where the log of a deleted partition waits for its removal.
func (d *Dir) away(id ID) string { return d.fs.PathJoin(d.dir, deletedPrefix+id.String()) }

// moveAway closes the log for good and renames its directory.
func (p *Partition) moveAway(to string) error {
	p.flushMu.Lock()
	defer p.flushMu.Unlock()
	if p.close(true) {
		return nil
	}
	return p.d.fs.Rename(p.dir, to)
}

// close refuses appends and reads from now on and closes the files; it returns whether the log was deleted before.
func (p *Partition) close(deleted bool) (before bool) {
	p.mu.Lock()
	before = p.deleted
	p.closed, p.deleted = true, p.deleted || deleted
	p.tail.drop(len(p.tail.chunks))
	segments := p.segments
	p.mu.Unlock()
	for _, s := range segments {
		if err := s.retire(); err != nil {
			p.d.cfg.Logf("log: close %s: %v", s.path(logExt), err)
		}
	}
	return before
}

// remove takes a deleted log out of the table and removes its files, now or after the delay.
func (d *Dir) remove(p *Partition) error {
	p.mu.Lock()
	delay := p.cfg.FileDeleteDelay
	p.mu.Unlock()
	away := d.away(p.id)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.partitions[p.id] != p {
		return nil
	}
	delete(d.partitions, p.id)
	if d.closed {
		return nil // the next Open removes the files
	}
	if delay < 0 {
		return d.pin.remove(func() error { return d.fs.RemoveAll(away) })
	}
	d.removals[away] = d.cfg.Clock.AfterFunc(delay, func() { d.removeAway(away) })
	return nil
}

// removeAway removes the directory of a deleted log once its delay is over.
func (d *Dir) removeAway(away string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return // the next Open removes it
	}
	delete(d.removals, away)
	if err := d.pin.remove(func() error { return d.fs.RemoveAll(away) }); err != nil {
		d.cfg.Logf("log: remove %s: %v", away, err)
	}
}

// WaitDurable returns once all up to t is durable, or ctx ends, or the WAL failed.
func (d *Dir) WaitDurable(ctx context.Context, t Ticket) error {
	return d.wal.wait(ctx, &d.wal.done, uint64(t))
}

// Err returns why nothing can be made durable any more, nil if all is well. Partitions have errors of their own.
func (d *Dir) Err() error {
	d.wal.mu.Lock()
	defer d.wal.mu.Unlock()
	return d.wal.err
}

// fail takes all partitions offline.
func (d *Dir) fail(err error) {
	for _, p := range d.List() {
		p.fail(err)
	}
}

// kick wakes a worker that need not count how often.
func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// flusher flushes what keeps full WAL files in use.
func (d *Dir) flusher() {
	for {
		select {
		case <-d.flushDue:
			d.flushOld()
		case <-d.quit:
			return
		}
	}
}

// flushOld flushes all partitions with frames in full WAL files and releases the files.
func (d *Dir) flushOld() {
	bound := d.wal.fullUpTo()
	for _, p := range d.List() {
		if lsn := p.unflushed(); lsn != 0 && lsn <= bound {
			if p.flush() != nil {
				continue // it took the partition offline, by name
			}
			if err := p.trim(); err != nil {
				d.cfg.Logf("log: trim %s (%s): %v", p.Name(), p.id, err)
			}
		}
	}
	low := d.wal.nextLSN()
	var pinned *Partition
	for _, p := range d.List() {
		if lsn := p.unflushed(); lsn != 0 && lsn < low {
			low, pinned = lsn, p
		}
	}
	if pressed := d.wal.release(low); pressed && pinned != nil {
		if err := pinned.Err(); err != nil {
			d.wal.fail(fmt.Errorf("no room beside the entries kept for a partition that is offline: %w", err))
		}
	}
}

// Close flushes, snapshots producers, writes the clean marker and unlocks. Appends are refused from its beginning on.
// An error says that the next Open will have to recover. Close is idempotent.
func (d *Dir) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	if d.round != nil {
		d.round()
	}
	for _, stop := range d.removals {
		stop()
	}
	d.mu.Unlock()
	d.wal.refuse()
	close(d.quit)
	d.workers.Wait()
	for _, p := range d.List() {
		p.mu.Lock()
		p.closed = true
		p.changed = true // producers and the cleaner's progress
		p.mu.Unlock()
	}
	var err error
	for _, p := range d.List() {
		err = errors.Join(err, p.flush())
	}
	d.wal.stop()
	if err = errors.Join(err, d.Err()); err == nil {
		d.state.clean = true
		err = writeState(d.fs, d.dir, d.state)
	}
	d.closeLogs()
	return errors.Join(err, d.wal.closeFiles(), d.lock.release())
}

// closeLogs closes the files of all logs.
func (d *Dir) closeLogs() {
	for _, p := range d.List() {
		p.close(false)
	}
}
