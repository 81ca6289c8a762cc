package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	corruptMark  = "CORRUPT" // a file that tells the next OpenDB
	quarantine   = ".quarantine"
	ingestDir    = "ingest"
	defaultCache = 32 << 20
)

// pebbled is the engine of Pebble.
type pebbled struct {
	fs   vfs.FS
	dir  string
	p    *pebble.DB
	opts *pebble.Options
	log  *slog.Logger
	temp atomic.Int64 // names files to be ingested
	lost atomic.Bool  // the corruption mark has been written

	// trouble is what Pebble's background work meets: it tries again for ever, so whoever waits for it has to look.
	trouble struct {
		sync.Mutex
		met chan struct{} // closed at the next error
		err error
	}
}

// OpenDB opens or makes the database in dir; fs nil is the disk. A corrupt one is put aside once (dir + ".quarantine") and made anew. A
// database written by a newer version is refused.
func OpenDB(fs vfs.FS, dir string, o Options) (*DB, error) {
	if fs == nil {
		fs = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCache
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("store: open %s: %w", dir, err)
	}
	if _, err := fs.Stat(fs.PathJoin(dir, corruptMark)); err == nil {
		if err := putAside(fs, dir, o.Logger, errors.New("marked corrupt by a read")); err != nil {
			return nil, err
		}
	}
	db, err := openPebble(fs, dir, o)
	if err == nil || !pebble.IsCorruptionError(err) && !errors.Is(err, ErrCorrupt) {
		return db, err
	}
	if err := putAside(fs, dir, o.Logger, err); err != nil {
		return nil, err
	}
	return openPebble(fs, dir, o)
}

// putAside moves the database out of the way. An older one that lies there goes.
func putAside(fs vfs.FS, dir string, log *slog.Logger, why error) error {
	aside := dir + quarantine
	log.Error("store: the database is corrupt; it is put aside and rebuilt from the changelogs", "dir", dir, "aside", aside, "err", why)
	if err := fs.RemoveAll(aside); err != nil {
		return fmt.Errorf("store: put %s aside: %w", dir, err)
	}
	if err := fs.Rename(dir, aside); err != nil {
		return fmt.Errorf("store: put %s aside: %w", dir, err)
	}
	return syncDir(fs, fs.PathDir(dir))
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("store: sync %s: %w", dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func openPebble(fs vfs.FS, dir string, o Options) (*DB, error) {
	cache := pebble.NewCache(o.CacheBytes)
	defer cache.Unref()
	e := &pebbled{fs: fs, dir: dir, log: o.Logger}
	e.trouble.met = make(chan struct{})
	po := &pebble.Options{
		FS: fs, Cache: cache, DisableWAL: true, Logger: quiet{o.Logger, dir},
		FormatMajorVersion:         pebble.FormatNewest,
		MemTableSize:               4 << 20,
		CompactionConcurrencyRange: func() (int, int) { return 1, 1 },
	}
	po.EventListener = &pebble.EventListener{
		BackgroundError: e.background,
		DataCorruption:  func(pebble.DataCorruptionInfo) { e.mark() }, // the reader gets the error; the default ends the process
	}
	po.EnsureDefaults()
	for i := range po.Levels {
		po.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("store: open %s: %w", dir, err)
	}
	if err := fs.RemoveAll(fs.PathJoin(dir, ingestDir)); err != nil {
		return nil, fmt.Errorf("store: open %s: %w", dir, err)
	}
	p, err := pebble.Open(dir, po)
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", dir, err)
	}
	e.p, e.opts = p, po
	return newDB(e, dir, o.Logger, defaultLimits)
}

func (e *pebbled) close() error { return e.p.Close() }

// check has nothing to do: the state is in the same database as the rows.
func (e *pebbled) check(int64) error { return nil }

func (e *pebbled) cursor(lower, upper []byte) (cursor, error) { return e.over(e.p, lower, upper) }

// over returns a cursor over what r has.
func (e *pebbled) over(r pebble.Reader, lower, upper []byte) (cursor, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, e.failed(err)
	}
	return pebbleCursor{it, e}, nil
}

// pebbleCursor is an iterator with the errors of its database.
type pebbleCursor struct {
	*pebble.Iterator
	e *pebbled
}

func (c pebbleCursor) ValueAndErr() ([]byte, error) {
	v, err := c.Iterator.ValueAndErr()
	return v, c.e.failed(err)
}

func (c pebbleCursor) Error() error { return c.e.failed(c.Iterator.Error()) }
func (c pebbleCursor) Close() error { return c.e.failed(c.Iterator.Close()) }

func (e *pebbled) snapshot() (snapshot, error) { return pebbleSnapshot{e.p.NewSnapshot(), e}, nil }

// pebbleSnapshot is what the database held at a time.
type pebbleSnapshot struct {
	*pebble.Snapshot
	e *pebbled
}

func (s pebbleSnapshot) cursor(lower, upper []byte) (cursor, error) {
	return s.e.over(s.Snapshot, lower, upper)
}

// get returns the value of a key, nil if there is none, and what to close when it has been used.
func (e *pebbled) get(key []byte) (value []byte, c io.Closer, err error) {
	value, c, err = e.p.Get(key)
	if err == nil {
		return value, c, nil
	}
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil, nil
	}
	return nil, nil, e.failed(err)
}

// failed wraps the error of a read. If it is corruption the database is marked, so that it will be put aside.
func (e *pebbled) failed(err error) error {
	if err == nil {
		return nil
	}
	if !pebble.IsCorruptionError(err) {
		return fmt.Errorf("store: read %s: %w", e.dir, err)
	}
	e.mark()
	return fmt.Errorf("%w: %s: %w", ErrCorrupt, e.dir, err)
}

// mark leaves the corruption mark. It is best effort: without it the next reader meets the damage again.
func (e *pebbled) mark() {
	if e.lost.Swap(true) {
		return
	}
	f, err := e.fs.Create(e.fs.PathJoin(e.dir, corruptMark), vfs.WriteCategoryUnspecified)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close(), syncDir(e.fs, e.dir))
	}
	if err != nil {
		e.log.Error("store: the corruption mark could not be written", "dir", e.dir, "err", err)
	}
}

// background takes the errors of Pebble's background work.
func (e *pebbled) background(err error) {
	e.log.Error("store: background work failed", "dir", e.dir, "err", err)
	if pebble.IsCorruptionError(err) {
		e.mark()
	}
	e.trouble.Lock()
	defer e.trouble.Unlock()
	e.trouble.err = err
	close(e.trouble.met)
	e.trouble.met = make(chan struct{})
}

// write makes w durable. After an error it may still become so, later but whole.
func (e *pebbled) write(w writes) error {
	if w.files > 0 {
		return e.writeFiles(w)
	}
	b := e.p.NewBatch()
	defer b.Close()
	for _, r := range w.gone {
		if err := b.DeleteRange(r[0], r[1], nil); err != nil {
			return fmt.Errorf("store: write %s: %w", e.dir, err)
		}
	}
	for key, value := range w.rows {
		if err := set(b, key, value); err != nil {
			return fmt.Errorf("store: write %s: %w", e.dir, err)
		}
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("store: write %s: %w", e.dir, err)
	}
	e.trouble.Lock()
	met := e.trouble.met
	e.trouble.Unlock()
	flushed, err := e.p.AsyncFlush()
	if err != nil {
		return fmt.Errorf("store: flush %s: %w", e.dir, err)
	}
	select {
	case <-flushed:
		return nil
	case <-met:
		e.trouble.Lock()
		defer e.trouble.Unlock()
		return fmt.Errorf("store: flush %s: %w", e.dir, e.trouble.err)
	}
}

func set(b *pebble.Batch, key, value []byte) error {
	if value == nil {
		return b.Delete(key, nil)
	}
	return b.Set(key, value, nil)
}

// quiet passes on what Pebble has to say in earnest.
type quiet struct {
	log *slog.Logger
	dir string
}

// Infof drops Pebble's diary.
func (q quiet) Infof(string, ...any) {}

// Errorf logs.
func (q quiet) Errorf(format string, args ...any) {
	q.log.Error("store: "+fmt.Sprintf(format, args...), "dir", q.dir)
}

// Fatalf is called when the database can no longer tell what is durable (its manifest could not be written), and must
// not return: the process ends.
func (q quiet) Fatalf(format string, args ...any) {
	q.Errorf(format, args...)
	panic("store: " + q.dir + ": " + fmt.Sprintf(format, args...))
}
