package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrCorrupt marks the error of a read that met a damaged database. The next [OpenDB] puts the database aside, and the
// stores are restored from their changelogs.
var ErrCorrupt = errors.New("store: the database is corrupt")

const (
	formatVersion = 1
	corruptMark   = "CORRUPT" // a file that tells the next OpenDB
	quarantine    = ".quarantine"
	ingestDir     = "ingest"
	defaultCache  = 32 << 20
)

// DB is the tier below the hot tables: one Pebble database for all stores of an instance. It is safe for concurrent
// use.
//
// Keys, numbers big-endian:
//
//	0(2) 'v'                       → format version
//	0(2) 's' name                  → id of the store and its schema
//	0(2) 'p' store(2) partition(2) → position, counts: see state
//	store(2) partition(2) …        → rows
type DB struct {
	fs   vfs.FS
	dir  string
	p    *pebble.DB
	opts *pebble.Options
	log  *slog.Logger
	lim  limits
	temp atomic.Int64 // names files to be ingested
	lost atomic.Bool  // the corruption mark has been written

	// trouble is what Pebble's background work meets: it tries again for ever, so whoever waits for it has to look.
	trouble struct {
		sync.Mutex
		met chan struct{} // closed at the next error
		err error
	}

	mu struct {
		sync.Mutex
		names  map[string]named
		nextID uint16
		open   map[string]bool // store/partition
		closed bool
	}
}

// limits are where the stores of a database change their ways.
type limits struct {
	batchRows int // a checkpoint of fewer rows goes through a batch, others as files
	fileBytes int // of one file to be ingested
	floor     int // segments a table may have, however short memory is
	scanAfter int // fruitless reads of a table below before a filter is built
	spill     int // replayed records between looks at the budget
}

var defaultLimits = limits{batchRows: 10_000, fileBytes: 32 << 20, floor: 16, scanAfter: 4096, spill: 4096}

// spillEvery is the number of replayed records between looks at the budget. db may be nil.
func spillEvery(db *DB) int {
	if db == nil {
		return defaultLimits.spill
	}
	return db.lim.spill
}

// Options of OpenDB.
type Options struct {
	CacheBytes int64        // of Pebble's block cache; 0: 32 MiB
	Logger     *slog.Logger // nil: silent
	Now        func() time.Time
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
	db := &DB{fs: fs, dir: dir, log: o.Logger, lim: defaultLimits}
	db.trouble.met = make(chan struct{})
	po := &pebble.Options{
		FS: fs, Cache: cache, DisableWAL: true, Logger: quiet{o.Logger, dir},
		FormatMajorVersion:         pebble.FormatNewest,
		MemTableSize:               4 << 20,
		CompactionConcurrencyRange: func() (int, int) { return 1, 1 },
	}
	po.EventListener = &pebble.EventListener{
		BackgroundError: db.background,
		DataCorruption:  func(pebble.DataCorruptionInfo) { db.mark() }, // the reader gets the error; the default ends the process
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
	db.p, db.opts = p, po
	db.mu.open = map[string]bool{}
	if err := db.load(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return db, nil
}

// Close closes the database. Every store in it must be closed before.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.mu.closed {
		return nil
	}
	if n := len(db.mu.open); n > 0 {
		return fmt.Errorf("store: close %s: %d stores are still open", db.dir, n)
	}
	db.mu.closed = true
	if err := db.p.Close(); err != nil {
		return fmt.Errorf("store: close %s: %w", db.dir, err)
	}
	return nil
}

// get returns the value of a key, nil if there is none, and what to close when it has been used.
func (db *DB) get(key []byte) (value []byte, c io.Closer, err error) {
	value, c, err = db.p.Get(key)
	if err == nil {
		return value, c, nil
	}
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil, nil
	}
	return nil, nil, db.failed(err)
}

// failed wraps the error of a read. If it is corruption the database is marked, so that it will be put aside.
func (db *DB) failed(err error) error {
	if err == nil {
		return nil
	}
	if !pebble.IsCorruptionError(err) {
		return fmt.Errorf("store: read %s: %w", db.dir, err)
	}
	db.mark()
	return fmt.Errorf("%w: %s: %w", ErrCorrupt, db.dir, err)
}

// mark leaves the corruption mark. It is best effort: without it the next reader meets the damage again.
func (db *DB) mark() {
	if db.lost.Swap(true) {
		return
	}
	f, err := db.fs.Create(db.fs.PathJoin(db.dir, corruptMark), vfs.WriteCategoryUnspecified)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close(), syncDir(db.fs, db.dir))
	}
	if err != nil {
		db.log.Error("store: the corruption mark could not be written", "dir", db.dir, "err", err)
	}
}

// apply commits a small batch and makes it durable. After an error it may still become so, later but whole.
func (db *DB) apply(fill func(*pebble.Batch) error) error {
	b := db.p.NewBatch()
	defer b.Close()
	if err := fill(b); err != nil {
		return err
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("store: write %s: %w", db.dir, err)
	}
	db.trouble.Lock()
	met := db.trouble.met
	db.trouble.Unlock()
	flushed, err := db.p.AsyncFlush()
	if err != nil {
		return fmt.Errorf("store: flush %s: %w", db.dir, err)
	}
	select {
	case <-flushed:
		return nil
	case <-met:
		db.trouble.Lock()
		defer db.trouble.Unlock()
		return fmt.Errorf("store: flush %s: %w", db.dir, db.trouble.err)
	}
}

// background takes the errors of Pebble's background work.
func (db *DB) background(err error) {
	db.log.Error("store: background work failed", "dir", db.dir, "err", err)
	if pebble.IsCorruptionError(err) {
		db.mark()
	}
	db.trouble.Lock()
	defer db.trouble.Unlock()
	db.trouble.err = err
	close(db.trouble.met)
	db.trouble.met = make(chan struct{})
}

// iter returns an iterator over the keys that begin with prefix.
func (db *DB) iter(prefix []byte) (*pebble.Iterator, error) {
	it, err := db.p.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: successor(prefix)})
	if err != nil {
		return nil, db.failed(err)
	}
	return it, nil
}

// ingest makes the content of files part of the database, all or nothing.
func (db *DB) ingest(paths []string) error {
	if err := db.p.Ingest(context.Background(), paths); err != nil {
		return fmt.Errorf("store: ingest into %s: %w", db.dir, err)
	}
	return nil
}

// successor returns the least key after all that begin with p; nil: there is none.
func successor(p []byte) []byte {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] != 0xff {
			s := append([]byte(nil), p[:i+1]...)
			s[i]++
			return s
		}
	}
	return nil
}

func partitionPrefix(id uint16, partition int32) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 16), id)
	return binary.BigEndian.AppendUint16(b, uint16(partition))
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
