package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
)

// Tier is a tier of the caller's own for one store partition: see state.Tier.
type Tier interface {
	Get(key []byte) (value []byte, err error)
	Snapshot() (TierSnapshot, error)
	Apply(puts iter.Seq2[[]byte, []byte], offset int64) error
	DeleteRange(from, to []byte) error
	Offset() (int64, error)
	Close() error
}

// TierSnapshot is what a Tier held at a time.
type TierSnapshot interface {
	Scan(from, to []byte, descending bool, each func(key, value []byte) bool) error
	Close() error
}

// OpenTier returns the database of a store's partition in a tier of the caller's own: the store closes both. open makes the tier.
func OpenTier(env Env, store string, open func() (Tier, error)) (*DB, error) {
	log := env.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	e := &tiered{of: partitionOf{store, env.Partition}, left: env.Left}
	e.place = fmt.Sprintf("the tier of %q partition %d", store, env.Partition)
	e.left.opened(e.of)
	err := e.call("Open", func() (err error) {
		if e.t, err = open(); err == nil && e.t == nil {
			err = errors.New("it returned no tier")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := e.call("Offset", func() (err error) { e.at, err = e.t.Offset(); return err }); err != nil {
		return nil, errors.Join(err, e.close())
	}
	e.found = e.at
	db, err := newDB(e, e.place, log, defaultLimits)
	if err != nil {
		return nil, err
	}
	db.sole = true
	return db, nil
}

// tiered is the engine of a tier of the caller's own.
type tiered struct {
	t     Tier
	of    partitionOf
	place string
	left  *Left
	found int64 // the offset it was opened with
	sound bool  // its rows agree

	mu sync.Mutex // of writes
	at int64      // the offset it stands for
}

// call runs the caller's code: its panic is an error.
func (e *tiered) call(what string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if err != nil {
			err = fmt.Errorf("store: %s: %s: %w", e.place, what, err)
		}
	}()
	return f()
}

// unheld is closed without effect.
type unheld struct{}

func (unheld) Close() error { return nil }

func (e *tiered) get(key []byte) (value []byte, c io.Closer, err error) {
	err = e.call("Get", func() (err error) { value, err = e.t.Get(key); return err })
	if err != nil || len(value) == 0 {
		return nil, unheld{}, err
	}
	return value, unheld{}, nil
}

// write applies the rows and then empties the ranges.
func (e *tiered) write(w writes) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.at
	if w.offset != nil {
		at = *w.offset
	}
	if err := e.call("Apply", func() error { return e.t.Apply(w.rows, at) }); err != nil {
		return err
	}
	e.at = at
	for _, r := range w.gone {
		if err := e.call("DeleteRange", func() error { return e.t.DeleteRange(r[0], r[1]) }); err != nil {
			return err
		}
	}
	return nil
}

func (e *tiered) check(offset int64) error {
	if e.sound = e.found == offset; e.sound {
		return nil
	}
	return fmt.Errorf("store: %s stands for offset %d of the changelog by its Offset, and for %d by its rows: its Apply must write both or nothing; remove what it holds, and the store is restored from the changelog", e.place, e.found, offset)
}

func (e *tiered) close() error {
	err := e.call("Close", e.t.Close)
	if err == nil && e.sound {
		e.left.closed(e.of, e.at)
	}
	return err
}

func (e *tiered) snapshot() (snapshot, error) {
	s := &tierSnapshot{e: e}
	err := e.call("Snapshot", func() (err error) {
		if s.s, err = e.t.Snapshot(); err == nil && s.s == nil {
			err = errors.New("it returned none")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (e *tiered) cursor(lower, upper []byte) (cursor, error) {
	s, err := e.snapshot()
	if err != nil {
		return nil, err
	}
	return &tierCursor{snap: s.(*tierSnapshot), sole: true, lower: lower, upper: upper}, nil
}

type tierSnapshot struct {
	e *tiered
	s TierSnapshot
}

func (s *tierSnapshot) cursor(lower, upper []byte) (cursor, error) {
	return &tierCursor{snap: s, lower: lower, upper: upper}, nil
}

func (s *tierSnapshot) Close() error { return s.e.call("Snapshot.Close", s.s.Close) }

// Bounds of a page, which is what a cursor reads at once.
const (
	firstPage = 16 // rows; the next ones have twice as many each
	mostRows  = 1024
	mostBytes = 256 << 10
)

// tierCursor reads a snapshot in pages, so that no scan waits for whoever reads the cursor.
type tierCursor struct {
	snap         *tierSnapshot
	sole         bool // closes the snapshot
	lower, upper []byte
	down         bool
	bytes        []byte // of the page
	rows         []tierRow
	i, size      int
	more         bool // the page may not be the last
	err          error
	closed       bool
}

// tierRow is where a row's key begins in the page, where its value does, and where that ends.
type tierRow struct{ key, value, end int }

func (c *tierCursor) First() bool { return c.load(c.lower, c.upper, false) }
func (c *tierCursor) Last() bool  { return c.load(c.lower, c.upper, true) }

func (c *tierCursor) SeekGE(key []byte) bool {
	if bytes.Compare(key, c.lower) < 0 {
		key = c.lower
	}
	c.size = 0
	return c.load(bytes.Clone(key), c.upper, false)
}

func (c *tierCursor) Next() bool {
	if !c.Valid() {
		return false
	}
	if c.i++; !c.down && (c.i < len(c.rows) || !c.more) {
		return c.Valid()
	}
	return c.load(after(c.key(c.i-1)), c.upper, false)
}

func (c *tierCursor) Prev() bool {
	if !c.Valid() {
		return false
	}
	if c.i++; c.down && (c.i < len(c.rows) || !c.more) {
		return c.Valid()
	}
	return c.load(c.lower, bytes.Clone(c.key(c.i-1)), true)
}

func (c *tierCursor) Valid() bool { return c.err == nil && c.i < len(c.rows) }
func (c *tierCursor) Key() []byte { return c.key(c.i) }

func (c *tierCursor) key(i int) []byte {
	r := c.rows[i]
	return c.bytes[r.key:r.value:r.value]
}

func (c *tierCursor) ValueAndErr() ([]byte, error) {
	r := c.rows[c.i]
	return c.bytes[r.value:r.end:r.end], c.err
}

func (c *tierCursor) Error() error { return c.err }

func (c *tierCursor) Close() error {
	if c.closed || !c.sole {
		return c.err
	}
	c.closed = true
	return errors.Join(c.err, c.snap.Close())
}

// load reads the first page of from ≤ key < to in a direction.
func (c *tierCursor) load(from, to []byte, down bool) bool {
	if c.err != nil {
		return false
	}
	c.size = min(max(2*c.size, firstPage), mostRows)
	c.bytes, c.rows, c.i, c.down, c.more = c.bytes[:0], c.rows[:0], 0, down, false
	if to != nil && bytes.Compare(from, to) >= 0 {
		return false
	}
	c.err = c.snap.e.call("Scan", func() (misled error) {
		err := c.snap.s.Scan(from, to, down, func(key, value []byte) bool {
			if misled == nil {
				misled = c.take(key, value, from, to)
			}
			c.more = len(c.rows) >= c.size || len(c.bytes) >= mostBytes
			return misled == nil && !c.more
		})
		return errors.Join(err, misled)
	})
	return c.Valid()
}

// take adds a row to the page, if it may stand there.
func (c *tierCursor) take(key, value, from, to []byte) error {
	switch n := len(c.rows); {
	case c.more:
		return errors.New("it went on after each had returned false")
	case bytes.Compare(key, from) < 0 || to != nil && bytes.Compare(key, to) >= 0:
		return fmt.Errorf("it gave the key %x, asked for %x to %x", key, from, to)
	case n > 0 && (bytes.Compare(key, c.key(n-1)) > 0) == c.down || n > 0 && bytes.Equal(key, c.key(n-1)):
		return fmt.Errorf("it gave the key %x after %x, descending: %v", key, slices.Clone(c.key(n-1)), c.down)
	}
	at := len(c.bytes)
	c.bytes = append(append(c.bytes, key...), value...)
	c.rows = append(c.rows, tierRow{at, at + len(key), len(c.bytes)})
	return nil
}
