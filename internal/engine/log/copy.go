package log

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// copyChunk is how many bytes of a segment are copied between two looks at the context.
const copyChunk = 1 << 20

// ErrCopying is returned by Dir.Copy while another copy is made.
var ErrCopying = errors.New("log: a copy is being made")

// Copied counts what was copied.
type Copied struct {
	Logs     int   `json:"logs"`
	Segments int   `json:"segments"`
	Bytes    int64 `json:"bytes"` // of batches, in segments and in the WAL
}

// pin keeps files of logs in place while a copy reads them.
type pin struct {
	mu    sync.Mutex // protects following fields
	held  bool
	later []func() error // removals that wait
}

// set holds removals back from now on.
func (n *pin) set() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.held {
		return ErrCopying
	}
	n.held = true
	return nil
}

// drop does what was held back.
func (n *pin) drop() error {
	n.mu.Lock()
	later := n.later
	n.held, n.later = false, nil
	n.mu.Unlock()
	var err error
	for _, remove := range later {
		err = errors.Join(err, remove())
	}
	return err
}

// remove calls f, once no copy needs what it removes. A process that ends before leaves files that no manifest names, and
// the next Open removes them.
func (n *pin) remove(f func() error) error {
	n.mu.Lock()
	if n.held {
		n.later = append(n.later, f)
		n.mu.Unlock()
		return nil
	}
	n.mu.Unlock()
	return f()
}

// discard closes a segment that no manifest names and removes its files.
func (d *Dir) discard(s *segment) error {
	return errors.Join(s.retire(), d.pin.remove(s.remove))
}

// source is a log as a copy takes it: what its manifest, durable, named at one moment.
type source struct {
	id       ID
	dirs     []string // where its files are, or else are
	meta     []byte
	manifest []byte
	parsed   *manifest
}

// Copy writes the logs as they are at one moment to the directory to of fs, which must not exist. The moment comes after
// the call: what is durable by then is in the copy. What is in it is what a crash at that moment would leave, a prefix of
// the WAL over all logs, and [Open] recovers it; logs that were being created or deleted may be in it without their owner
// knowing.
//
// Appends go on meanwhile; creations wait until the moment is past, and the removal of files until the copy is made. The
// caller does not close d before Copy returns, and removes what an error leaves. A second copy at a time is ErrCopying, and
// a log that is offline fails it.
func (d *Dir) Copy(ctx context.Context, fs vfs.FS, to string) (done Copied, err error) {
	if err = d.pin.set(); err != nil {
		return done, err
	}
	defer func() {
		if e := d.pin.drop(); e != nil {
			d.cfg.Logf("log: remove after a copy: %v", e)
		}
	}()
	c := &copier{ctx: ctx, from: d.fs, fs: fs, to: to, done: &done}
	if err = c.begin(d.dir, state{epoch: d.state.epoch}); err != nil {
		return done, fmt.Errorf("log: copy %s: %w", d.dir, err)
	}
	logs, err := d.copyWAL(c)
	if err == nil {
		err = c.logs(logs)
	}
	if err != nil {
		return done, fmt.Errorf("log: copy %s: %w", d.dir, err)
	}
	return done, nil
}

// copyWAL chooses the moment of the copy and copies the part of the WAL that leads there from the manifests it returns. That
// part is copied first, and is short after a flush: the WAL's files are only that long kept from being used again.
func (d *Dir) copyWAL(c *copier) ([]*source, error) {
	for _, p := range d.List() {
		if err := errors.Join(p.flush(), c.ctx.Err()); err != nil {
			return nil, err
		}
	}
	d.wal.hold(true)
	defer func() {
		d.wal.hold(false)
		kick(d.flushDue)
	}()
	logs, low, cut, err := d.capture()
	if err != nil {
		return nil, err
	}
	if err = d.wal.waitSynced(cut); err != nil {
		return nil, err
	}
	for _, f := range d.wal.between(low, cut) {
		if err = c.frames(d.wal, f); err != nil {
			return nil, fmt.Errorf("%s: %w", walName(f.slot), err)
		}
	}
	return logs, nil
}

// capture returns all logs with their manifests, and what leads from these to one moment: the frames from low to cut, cut
// being the last that was queued. No log is created between the first manifest and that moment, so that none is missing of
// which a frame up to cut tells; one that is deleted in between is so after its owner's frame.
func (d *Dir) capture() (logs []*source, low, cut uint64, err error) {
	d.createMu.Lock()
	defer d.createMu.Unlock()
	low = d.wal.nextLSN()
	for _, p := range d.List() {
		s, first, err := p.capture()
		if err != nil {
			return nil, 0, 0, fmt.Errorf("%s (%s): %w", p.Name(), p.id, err)
		}
		if s != nil {
			logs, low = append(logs, s), min(low, first)
		}
	}
	return logs, low, d.wal.nextLSN() - 1, nil
}

// capture returns the log as its manifest says it is, nil if it was deleted, and the lsn of the first frame that the manifest
// does not cover.
func (p *Partition) capture() (s *source, first uint64, err error) {
	p.flushMu.Lock() // the manifest stays, and so do the settings and the directory's name
	defer p.flushMu.Unlock()
	p.mu.Lock()
	deleted := p.deleted
	first, err = p.dirty, p.err
	if first == 0 {
		first = p.d.wal.nextLSN()
	}
	p.mu.Unlock()
	if err != nil || deleted {
		return nil, 0, err
	}
	s, err = readSource(p.d.fs, p.id, p.dir)
	if err != nil {
		return nil, 0, err
	}
	s.dirs = append(s.dirs, p.d.away(p.id))
	return s, first, nil
}

// readSource reads what the files of the log in dir say that it is.
func readSource(fs vfs.FS, id ID, dir string) (*source, error) {
	s := &source{id: id, dirs: []string{dir}}
	var err error
	if s.meta, err = readFile(fs, fs.PathJoin(dir, metaFile), 1<<20); err != nil {
		return nil, err
	}
	if s.manifest, err = readFile(fs, fs.PathJoin(dir, manifestFile), manifestLimit); err != nil {
		return nil, err
	}
	if s.parsed, err = readManifest(fs, dir, 0); err != nil {
		return nil, err
	}
	return s, nil
}

// Copy is [Dir.Copy] of a directory on which no engine runs: after a crash with all that the WAL has.
func (i *Inspector) Copy(ctx context.Context, fs vfs.FS, to string) (done Copied, err error) {
	d := i.d
	c := &copier{ctx: ctx, from: d.fs, fs: fs, to: to, done: &done}
	logs, err := i.sources(c)
	if err == nil {
		err = c.logs(logs)
	}
	if err != nil {
		return done, fmt.Errorf("log: copy %s: %w", d.dir, err)
	}
	return done, nil
}

// sources begins the copy, copies the WAL if it is needed, and returns the logs.
func (i *Inspector) sources(c *copier) (logs []*source, err error) {
	d := i.d
	st, fresh, err := readState(d.fs, d.dir)
	if err != nil {
		return nil, err
	}
	if fresh {
		return nil, fmt.Errorf("%w: %s is missing", ErrCorrupt, stateFile)
	}
	if err = c.begin(d.dir, st); err != nil {
		return nil, err
	}
	found, err := i.List()
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		s, err := readSource(d.fs, f.ID, d.newPartition(f.ID).dir)
		if missing(err) {
			err = fmt.Errorf("%w: start and stop the engine once, which scans the log", err)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		logs = append(logs, s)
	}
	if st.clean {
		return logs, nil
	}
	w := newWAL(d.fs, d.fs.PathJoin(d.dir, walDir), &d.cfg)
	if err = w.open(); err != nil {
		return nil, err
	}
	for _, f := range w.files {
		if err = c.file([]string{w.dir}, c.fs.PathJoin(c.to, walDir), walName(f.slot), f.alloc); err != nil {
			return nil, err
		}
	}
	return logs, nil
}

// Publish renames a directory, durably.
func Publish(fs vfs.FS, from, to string) error {
	if err := fs.Rename(from, to); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	if err := syncDir(fs, fs.PathDir(to)); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	return nil
}

// copier writes a copy.
type copier struct {
	ctx  context.Context
	from vfs.FS
	fs   vfs.FS // of the copy
	to   string
	done *Copied
	buf  []byte
}

// begin makes the directory and what is not of a log in it.
func (c *copier) begin(dir string, st state) error {
	format, err := readFile(c.from, c.from.PathJoin(dir, formatFile), 4096)
	if err != nil {
		return err
	}
	if err = c.fs.MkdirAll(c.fs.PathJoin(c.to, walDir), 0o700); err != nil {
		return err
	}
	if err = syncDir(c.fs, c.fs.PathDir(c.to)); err != nil {
		return err
	}
	if err = replaceFile(c.fs, c.to, formatFile, format); err != nil {
		return err
	}
	return writeState(c.fs, c.to, st)
}

// logs copies the logs, and makes the whole durable.
func (c *copier) logs(all []*source) error {
	for _, s := range all {
		if err := c.log(s); err != nil {
			return err
		}
		c.done.Logs++
	}
	if err := syncDir(c.fs, c.fs.PathJoin(c.to, walDir)); err != nil {
		return err
	}
	return syncDir(c.fs, c.to)
}

// log copies one log: of each file only what the manifest speaks of.
func (c *copier) log(s *source) error {
	to := c.fs.PathJoin(c.to, s.id.String())
	if err := c.fs.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for n, seg := range s.parsed.segments {
		if seg.size > 0 {
			if err := c.file(s.dirs, to, seg.name(logExt), seg.size); err != nil {
				return err
			}
			c.done.Segments++
			c.done.Bytes += seg.size
		}
		entries := int64(s.parsed.entries[n]) * entrySize
		if err := c.file(s.dirs, to, seg.name(indexExt), entries); err != nil && !missing(err) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err // an index that is not whole is made anew
		}
		if s.parsed.aborts[n] > 0 {
			if err := c.file(s.dirs, to, seg.name(txnExt), -1); err != nil {
				return err
			}
		}
	}
	if err := renameIn(c.fs, to, manifestFile, s.manifest); err != nil {
		return err
	}
	return replaceFile(c.fs, to, metaFile, s.meta)
}

// file copies the first size bytes of a file in the first of the directories that has it, -1: all of it; none is a file too.
func (c *copier) file(dirs []string, to, name string, size int64) (err error) {
	if size == 0 {
		return nil
	}
	src, err := c.open(dirs, name)
	if err != nil {
		return err
	}
	defer src.Close()
	if size < 0 {
		info, err := src.Stat()
		if err != nil {
			return err
		}
		size = info.Size()
	}
	dst, err := c.fs.Create(c.fs.PathJoin(to, name), category)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	if c.buf == nil {
		c.buf = make([]byte, copyChunk)
	}
	for at := int64(0); at < size; {
		if err = c.ctx.Err(); err != nil {
			return err
		}
		b := c.buf[:min(copyChunk, size-at)]
		if err = readFull(src, b, at); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if _, err = dst.Write(b); err != nil {
			return err
		}
		at += int64(len(b))
	}
	return dst.Sync()
}

// open opens a file in the first of the directories that has it. A log that is deleted meanwhile moves to the second.
func (c *copier) open(dirs []string, name string) (f vfs.File, err error) {
	for _, dir := range dirs {
		if f, err = c.from.Open(c.from.PathJoin(dir, name)); !missing(err) {
			return f, err
		}
	}
	return nil, err
}
