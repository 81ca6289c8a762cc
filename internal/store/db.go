package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// ErrCorrupt marks the error of a read that met a damaged database. The next [OpenDB] puts the database aside, and the
// stores are restored from their changelogs.
var ErrCorrupt = errors.New("store: the database is corrupt")

const formatVersion = 1

// DB is the tier below the hot tables: one Pebble database for all stores of an instance, or a tier of the caller's own for one
// store partition. It is safe for concurrent use.
//
// Keys, numbers big-endian:
//
//	0(2) 'v'                       → format version
//	0(2) 's' name                  → id of the store and its schema
//	0(2) 'p' store(2) partition(2) → position, counts: see state
//	store(2) partition(2) …        → rows
type DB struct {
	e    engine
	dir  string // where, in errors
	log  *slog.Logger
	lim  limits
	sole bool // its one store partition closes it

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
	segment   int // slots of a segment that has grown up: firstSlots times a power of 4, at most segmentSlots
	floor     int // segments a table may have, however short memory is
	scanAfter int // fruitless reads of a table below before a filter is built
	spill     int // replayed records between looks at the budget
}

var defaultLimits = limits{batchRows: 10_000, fileBytes: 32 << 20, segment: segmentSlots, floor: 16, scanAfter: 4096, spill: 4096}

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
	if err := db.e.close(); err != nil {
		return fmt.Errorf("store: close %s: %w", db.dir, err)
	}
	return nil
}

// newDB returns the stores' side of e.
func newDB(e engine, dir string, log *slog.Logger, lim limits) (*DB, error) {
	db := &DB{e: e, dir: dir, log: log, lim: lim}
	db.mu.open = map[string]bool{}
	if err := db.load(); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return db, nil
}

// iter returns a cursor over the keys that begin with prefix.
func (db *DB) iter(prefix []byte) (cursor, error) { return db.e.cursor(prefix, successor(prefix)) }

// set makes value the value of key below.
func (db *DB) set(key, value []byte) error {
	return db.e.write(writes{rows: func(yield func(key, value []byte) bool) { yield(key, value) }})
}

// clear removes the keys that begin with prefix, which is of an agenda, and first what says that they are there.
func (db *DB) clear(prefix []byte) error { return db.e.write(cleared(prefix)) }

// forget is clear for a store partition: what is left stands for the beginning of its changelog.
func (db *DB) forget(prefix []byte) error {
	w := cleared(prefix)
	w.offset = new(int64)
	return db.e.write(w)
}

func cleared(prefix []byte) writes {
	return writes{
		rows: func(yield func(key, value []byte) bool) { yield(stateKey(prefix), nil) },
		gone: [][2][]byte{{prefix, successor(prefix)}},
	}
}

// stated reports whether a checkpoint has said that the keys that begin with prefix are there.
func (db *DB) stated(prefix []byte) (bool, error) {
	v, c, err := db.e.get(stateKey(prefix))
	if err != nil || v == nil {
		return false, err
	}
	return true, c.Close()
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
