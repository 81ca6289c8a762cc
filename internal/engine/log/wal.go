package log

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	walPending   = 16 << 20 // appends wait while so many bytes are queued for the committer
	walFilesSoft = 8        // and while so many full files wait for the flusher; up to twice as many after a crash
	walFilesFree = 2        // files kept to be used again
	walInterval  = time.Second
)

// advance is the new end of a partition once a group is durable.
type advance struct {
	p   *Partition
	end int64
}

// group is what one commit writes.
type group struct {
	buf  []byte // frames
	last uint64 // lsn of the last
	adv  []advance
}

// wal is the commit WAL of a directory. Partitions queue frames; the committer goroutine, run, is the only one that
// touches the current file.
type wal struct {
	fs       vfs.FS
	dir      string
	clock    Clock
	policy   FlushPolicy
	limit    int64       // size of a file
	full     func()      // a file became full: flush
	failed   func(error) // called once
	counters *counters
	wake     chan struct{} // to the committer: something is queued, or to be synced
	quit     chan struct{} // to the committer: write what there is and return
	exited   chan struct{} // the committer returned
	synced   atomic.Uint64 // all up to here is on disk
	done     atomic.Uint64 // all up to here counts as durable, by the policy
	cur      *walFile      // the committer's, which changes it under mu
	num      uint64        // of cur

	mu sync.Mutex // protects following fields
	//
	room    sync.Cond     // pending shrank, or files were released
	pending *group        // queued
	spare   *group        // the last one written, to be used again
	next    uint64        // lsn of the next frame
	files   []*walFile    // full, and still needed, oldest first
	free    []*walFile    // to be used again
	slots   int           // names given so far
	soft    int           // appends wait while there are more files
	held    bool          // files are not released: a copy reads them
	force   bool          // sync even if the policy would not yet
	moved   chan struct{} // closed, and replaced, when done or synced grew, or err was set
	closing bool
	err     error // first failure; nothing is written after it
}

// newWAL returns a WAL that holds nothing; open fills it.
func newWAL(fs vfs.FS, dir string, cfg *Config) *wal {
	w := &wal{
		fs: fs, dir: dir, clock: cfg.Clock, policy: cfg.Flush, limit: cfg.WALBytes,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), exited: make(chan struct{}),
		moved: make(chan struct{}), next: 1, pending: &group{}, spare: &group{},
	}
	w.room.L = &w.mu
	return w
}

// admit waits until the queue has room. It must not be called with a lock held, nor by the flusher.
func (w *wal) admit() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for (len(w.pending.buf) > walPending || len(w.files) > w.soft) && w.err == nil && !w.closing {
		w.room.Wait()
	}
	return w.stateLocked()
}

func (w *wal) stateLocked() error {
	switch {
	case w.err != nil:
		return w.err
	case w.closing:
		return ErrClosed
	}
	return nil
}

// enqueue adds a frame, whose lsn it returns, and p's end after it.
func (w *wal) enqueue(kind byte, p *Partition, payload []byte, now, end int64) uint64 {
	w.mu.Lock()
	lsn := w.next
	w.next++
	g := w.pending
	g.buf = appendFrame(g.buf, &frame{lsn: lsn, synced: w.synced.Load(), time: now, kind: kind, id: p.id, payload: payload})
	g.last = lsn
	if n := len(g.adv); n > 0 && g.adv[n-1].p == p {
		g.adv[n-1].end = end
	} else {
		g.adv = append(g.adv, advance{p, end})
	}
	w.mu.Unlock()
	w.kick()
	return lsn
}

// kick wakes the committer.
func (w *wal) kick() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run is the committer.
func (w *wal) run() {
	defer close(w.exited)
	var stop func() bool
	if w.policy == FlushInterval {
		var tick func()
		tick = func() {
			w.mu.Lock()
			w.force = true
			if !w.closing {
				stop = w.clock.AfterFunc(walInterval, tick)
			}
			w.mu.Unlock()
			w.kick()
		}
		w.mu.Lock()
		stop = w.clock.AfterFunc(walInterval, tick)
		w.mu.Unlock()
	}
	for quit := false; !quit; {
		select {
		case <-w.wake:
		case <-w.quit:
			quit = true
		}
		w.commit(quit)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// commit writes groups until none is queued.
func (w *wal) commit(last bool) {
	for {
		w.mu.Lock()
		g, force := w.pending, w.force || last
		w.force = false
		if w.err != nil || len(g.buf) == 0 && (!force || w.synced.Load() == w.done.Load()) {
			w.mu.Unlock()
			return
		}
		w.pending, w.spare = w.spare, nil
		w.room.Broadcast()
		w.mu.Unlock()
		if err := w.write(g, force); err != nil {
			w.fail(err)
			return
		}
		// Who is answered must find what is acknowledged: watermarks move before those who wait are told.
		for _, a := range g.adv {
			a.p.advance(a.end)
		}
		w.mu.Lock()
		w.done.Store(w.cur.last)
		close(w.moved)
		w.moved = make(chan struct{})
		if cap(g.buf) > 2*walPending {
			g.buf = nil
		}
		clear(g.adv)
		*g = group{buf: g.buf[:0], adv: g.adv[:0]}
		w.spare = g
		w.mu.Unlock()
	}
}

// write puts g into the current file, and syncs it if due.
func (w *wal) write(g *group, force bool) error {
	if len(g.buf) > 0 {
		if w.cur.pos > walHeaderSize && w.cur.pos+int64(len(g.buf)) > w.limit {
			if err := w.rotate(); err != nil {
				return err
			}
		}
		if err := w.put(g.buf); err != nil {
			return err
		}
		w.cur.last = g.last
	}
	if force || w.policy == FlushCommit {
		return w.sync()
	}
	return nil
}

// sync brings the current file to disk.
func (w *wal) sync() error {
	began := w.clock.Now()
	if err := w.cur.f.SyncData(); err != nil {
		return fmt.Errorf("log: sync %s: %w", walName(w.cur.slot), err)
	}
	w.counters.syncs.Add(w.clock.Now().Sub(began))
	w.synced.Store(w.cur.last)
	return nil
}

// put writes frames at the end of the current file and, while the file is new, zeros behind them.
func (w *wal) put(b []byte) error {
	cur := w.cur
	sealFrames(b, cur.salt)
	if _, err := cur.f.WriteAt(b, cur.pos); err != nil {
		return fmt.Errorf("log: write %s: %w", walName(cur.slot), err)
	}
	cur.pos += int64(len(b))
	if cur.pos <= cur.alloc {
		return nil
	}
	alloc := max(cur.pos, min(w.limit, (cur.pos+walStep)&^(walStep-1)))
	if err := zeroFill(cur.f, cur.pos, alloc); err != nil {
		return fmt.Errorf("log: extend %s: %w", walName(cur.slot), err)
	}
	cur.alloc = alloc
	return nil
}

// rotate closes the current file, if any, and begins the next.
func (w *wal) rotate() error {
	if w.cur != nil {
		if err := w.sync(); err != nil {
			return err
		}
	}
	w.mu.Lock()
	next := &walFile{num: w.num + 1, salt: rand.Uint64(), first: w.done.Load() + 1, pos: walHeaderSize}
	if w.cur != nil {
		w.files = append(w.files, w.cur)
		next.first = w.cur.last + 1
	}
	next.last = next.first - 1
	next.oldest = next.num
	if len(w.files) > 0 {
		next.oldest = w.files[0].num
	}
	fresh := len(w.free) == 0
	if fresh {
		w.slots++
		next.slot = w.slots
	} else {
		next.slot, next.alloc, next.f = w.free[0].slot, w.free[0].alloc, w.free[0].f
		w.free = w.free[1:]
	}
	w.mu.Unlock()
	if err := w.begin(next, fresh); err != nil {
		return fmt.Errorf("log: begin %s: %w", walName(next.slot), err)
	}
	w.mu.Lock()
	w.cur, w.num = next, next.num
	w.mu.Unlock()
	w.full()
	return nil
}

// begin makes f ready for its first frame. The header is durable before any frame is written: a file's old frames are
// overwritten only once nobody takes them for anything.
func (w *wal) begin(f *walFile, fresh bool) (err error) {
	path := w.fs.PathJoin(w.dir, walName(f.slot))
	if f.f == nil {
		if f.f, err = w.fs.OpenReadWrite(path, category); err != nil {
			return err
		}
	}
	if _, err = f.f.WriteAt(f.encodeHeader(), 0); err != nil {
		return err
	}
	f.alloc = max(f.alloc, walHeaderSize)
	if err = f.f.Sync(); err != nil || !fresh {
		return err
	}
	return syncDir(w.fs, w.dir)
}

// fail ends the WAL: nobody will be told that anything more is durable.
func (w *wal) fail(err error) {
	w.mu.Lock()
	if w.err != nil {
		w.mu.Unlock()
		return
	}
	w.err = fmt.Errorf("%w: commit WAL: %w", ErrOffline, err)
	close(w.moved)
	w.moved = make(chan struct{})
	w.room.Broadcast()
	w.mu.Unlock()
	w.failed(w.err)
}

// wait returns once reached is at least lsn.
func (w *wal) wait(ctx context.Context, reached *atomic.Uint64, lsn uint64) error {
	for reached.Load() < lsn {
		w.mu.Lock()
		moved, err := w.moved, w.err
		w.mu.Unlock()
		if reached.Load() >= lsn {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		case <-w.exited:
			if reached.Load() < lsn {
				return ErrClosed
			}
		}
	}
	return nil
}

// waitSynced returns once all up to lsn is on disk, whatever the policy.
func (w *wal) waitSynced(lsn uint64) error {
	if w.synced.Load() < lsn {
		w.mu.Lock()
		w.force = true
		w.mu.Unlock()
		w.kick()
	}
	return w.wait(context.Background(), &w.synced, lsn)
}

// release gives up the files whose frames are all below lsn, and reports whether appends still wait for more. Files go in
// the order of their numbers: the current header may count them among those needed, and a gap would be taken for a loss.
func (w *wal) release(lsn uint64) (pressed bool) {
	var drop []*walFile
	w.mu.Lock()
	if w.held {
		w.mu.Unlock()
		return false
	}
	for len(w.files) > 0 && w.files[0].last < lsn {
		f := w.files[0]
		w.files = w.files[1:]
		w.free = append(w.free, f)
		keep := walFilesFree
		if f.alloc > w.limit {
			keep = 0
		}
		for len(w.free) > keep {
			drop = append(drop, w.free[0])
			w.free = w.free[1:]
		}
	}
	w.soft = max(walFilesSoft, min(w.soft, len(w.files)+walFilesSoft/2))
	pressed = len(w.files) > w.soft
	w.room.Broadcast()
	w.mu.Unlock()
	var err error
	for _, f := range drop {
		if f.f != nil {
			_ = f.f.Close()
		}
		if err == nil { // a file that cannot be removed is harmless, as long as those behind it stay too
			err = w.fs.Remove(w.fs.PathJoin(w.dir, walName(f.slot)))
		}
	}
	return pressed
}

// nextLSN returns the lsn the next frame will have.
func (w *wal) nextLSN() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next
}

// fullUpTo returns the lsn of the last frame that is in a full file.
func (w *wal) fullUpTo() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.files); n > 0 {
		return w.files[n-1].last
	}
	return 0
}

// refuse makes admit return ErrClosed from now on.
func (w *wal) refuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closing = true
	w.room.Broadcast()
}

// stop ends the committer after it has written what is queued.
func (w *wal) stop() {
	close(w.quit)
	<-w.exited
}

// closeFiles closes the files after stop, or after an Open that failed.
func (w *wal) closeFiles() error {
	var err error
	for _, f := range append(append(w.files, w.free...), w.cur) {
		if f != nil && f.f != nil {
			err = errors.Join(err, f.f.Close())
		}
	}
	return err
}
