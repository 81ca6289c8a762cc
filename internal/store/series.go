package store

import (
	"encoding/binary"
	"errors"
	"iter"
	"math/bits"
	"slices"

	"github.com/thalweg/thalweg/serde"
)

// Cell is one value of a key at a time.
type Cell[V any] struct {
	At   int64
	Seq  uint32 // counts cells of equal time, where a store keeps them all
	mark uint32 // the transaction that wrote it, and whether it is a tombstone
	V    V
}

// Null reports a tombstone.
func (c *Cell[V]) Null() bool { return c.mark&1 != 0 }

// cells are the values of one key by time. Those before from have expired.
//
// What a row has shown is never changed in place, since undo, views and checkpoints hold on to it: a cell is appended
// behind the length others see, or the row moves to another block.
type cells[V any] struct {
	all  []Cell[V]
	from int
}

func (c cells[V]) rows() []Cell[V] { return c.all[c.from:] }

// series is a map from key bytes to ascending cells: what [Versioned] and [Join] have in common. Rows of its table are
// keys; the changelog has a record for each cell, the database one row for each key.
type series[V any] struct {
	*KV[cells[V]]
	val   serde.Serde[V]
	value []byte // scratch
	txn   uint32 // odd numbers are tombstones: see mark
	kept  blocks[V]

	observed, settled int64 // the highest time put, now and as of the last commit
	meanCell          float64
	// expired says how many cells at the front of a row nobody can ask for when observed is the highest time.
	expired func(row []Cell[V], observed int64) int
	// gone is expired for a whole row as it lies below: time and tombstone of its last cell.
	gone      func(at int64, null bool, observed int64) bool
	cursor    []byte // where the sweep of the database goes on
	replaying bool
	// transient says that a tombstone is for the changelog alone. What goes below has been committed, so it is left out there.
	transient bool
}

const (
	sweepBelow = 1024 // rows of the database looked at by a checkpoint
	nullMark   = 1
	txnStep    = 2
)

func (s *series[V]) open(env Env, name string, sc Schema, v serde.Serde[V]) (err error) {
	s.val, s.meanCell, s.value = v, 32, make([]byte, 0, 64)
	if s.KV, err = OpenKV[cells[V]](env, name, sc, cellsSerde[V]{v, s}); err != nil {
		return err
	}
	s.observed, s.settled = s.below.observed, s.below.observed
	return nil
}

// row returns the cells of k, those included that have expired since they were put.
func (s *series[V]) row(k *Key) (cells[V], error) {
	c, _, _, err := s.tab.get(k)
	return c, err
}

// insert puts c at i of the cells of k, in place of the cell there if it says so.
func (s *series[V]) insert(k *Key, row cells[V], i int, c Cell[V], replace bool) error {
	return s.set(k, s.place(row, i, c, replace), c.At)
}

// set makes row the cells of k; at is the time of what has changed.
func (s *series[V]) set(k *Key, row cells[V], at int64) error {
	last := at
	if n := len(row.all); n > row.from {
		last = row.all[n-1].At
	}
	switch {
	case s.replaying && len(row.all) == row.from:
		return s.tab.replayDelete(k, at)
	case s.replaying:
		return s.tab.replayPut(k, row, last)
	case len(row.all) == row.from:
		return s.tab.delete(k, at)
	}
	return s.tab.put(k, row, last)
}

// without returns row but for its last cell.
func (s *series[V]) without(row cells[V]) cells[V] {
	old := row.rows()
	all := append(s.kept.take(len(old)), old[:len(old)-1]...)
	s.kept.retire(row.all)
	return cells[V]{all: all}
}

// place returns row with c at i. Cells that have expired go, but for those the changelog has yet to get.
func (s *series[V]) place(row cells[V], i int, c Cell[V], replace bool) cells[V] {
	old := row.rows()
	drop := 0
	for n := min(i, s.expired(old, s.observed)); drop < n && old[drop].mark&^nullMark != s.txn; {
		drop++
	}
	row.from += drop
	if i == len(old) && len(row.all) < cap(row.all) && drop < len(old) {
		row.all = append(row.all, c)
		return row
	}
	old, i = old[drop:], i-drop
	all := append(s.kept.take(len(old)+1), old[:i]...)
	all = append(all, c)
	if replace {
		i++
	}
	all = append(all, old[i:]...)
	s.kept.retire(row.all)
	return cells[V]{all: all}
}

// find returns the place of the first cell of row that is later than at.
func find[V any](row []Cell[V], at int64) int {
	i := len(row)
	for n := 0; i > 0 && row[i-1].At > at; i-- { // mostly the last: records come nearly in order
		if n++; n == 8 {
			j, _ := slices.BinarySearchFunc(row[:i], at, func(c Cell[V], at int64) int {
				if c.At <= at {
					return -1
				}
				return 1
			})
			return j
		}
	}
	return i
}

// encode returns the bytes of a cell's value, nil for a tombstone.
func (s *series[V]) encode(c *Cell[V]) ([]byte, error) {
	if c.Null() {
		return nil, nil
	}
	b, err := s.val.Append(s.value[:0], c.V)
	if b != nil {
		s.value = b
		s.meanCell += (float64(len(b)) + 16 - s.meanCell) / 256
	}
	return b, err
}

// dirty calls f with every row that the transaction has changed. f may append to the key.
func (s *series[V]) dirty(f func(key []byte, row []Cell[V]) error) error {
	t := s.tab
	for _, seg := range t.lists[listDirty] {
		for gi := range seg.groups {
			for rest := seg.groups[gi].dirty; rest != 0; rest &= rest - 1 {
				sl := &seg.slots[gi*groupSlots+bits.TrailingZeros64(rest)]
				t.meanValue += (float64(len(sl.v.rows()))*s.meanCell - t.meanValue) / 256
				t.key = t.appendKey(t.key[:0], sl)
				if err := f(t.key, sl.v.rows()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Ended says that the transaction of the last Flush is committed.
func (s *series[V]) Ended(p Position) {
	s.KV.Ended(p)
	s.settled = s.observed
	s.sweep()
	s.ended.observed, s.ended.live = s.settled, s.tab.settled
	s.txn += txnStep
	s.kept.recycle(s.tab.views == nil)
}

// Abort takes back everything since the last Ended.
func (s *series[V]) Abort() {
	s.KV.Abort()
	s.observed = s.settled
	s.txn += txnStep
	s.kept.forget()
}

// sweep removes the rows of one segment that have expired whole: of keys that do not come again.
func (s *series[V]) sweep() {
	s.tab.sweepNext(func(v cells[V]) bool {
		row := v.rows()
		if s.expired(row, s.settled) < len(row) {
			return false
		}
		s.kept.retire(v.all)
		return true
	})
}

// BeginCheckpoint freezes the rows that changed, and some of those below that have expired, as deleted.
func (s *series[V]) BeginCheckpoint() *Checkpoint {
	if s.env.DB != nil && s.ck == nil && !s.tab.complete {
		if err := s.sweepBelow(); err != nil {
			s.env.Logger.Warn("store: expired rows were left in place", "store", s.name, "err", err)
		}
	}
	return s.KV.BeginCheckpoint()
}

// sweepBelow buries expired rows that are below alone, going round the database from checkpoint to checkpoint.
func (s *series[V]) sweepBelow() error {
	it, err := s.env.DB.iter(s.tab.prefix)
	if err != nil {
		return err
	}
	n, live := 0, s.tab.live
	ok := it.SeekGE(append(slices.Clone(s.tab.prefix), s.cursor...))
	for ; ok && n < sweepBelow; ok = it.Next() {
		n++
		key := it.Key()[len(s.tab.prefix):]
		value, err := it.ValueAndErr()
		if err != nil || len(value) < 9 {
			continue // its reader will report it
		}
		k, at := s.env.Hasher.Key(key), int64(binary.BigEndian.Uint64(value))
		if _, _, hot := s.tab.find(&k); !hot && s.gone(at, value[8] != 0, s.settled) {
			if err := s.tab.replayDelete(&k, at); err != nil {
				return errors.Join(err, it.Close())
			}
		}
		s.cursor = append(s.cursor[:0], key...)
	}
	if !ok {
		s.cursor = s.cursor[:0]
	}
	s.tab.settled = max(s.tab.settled+s.tab.live-live, 0)
	return it.Close()
}

// Restored ends the replay: the store now stands for p.
func (s *series[V]) Restored(p Position) {
	s.KV.Restored(p)
	s.sweep() // a copy is replayed for as long as it lives
	s.ended.observed, s.ended.live = s.settled, s.tab.settled
	s.kept.recycle(s.tab.views == nil)
}

// Reset forgets everything, below too.
func (s *series[V]) Reset() error {
	s.observed, s.settled, s.cursor = noTime, noTime, nil
	s.kept = blocks[V]{}
	return s.KV.Reset()
}

// each replays recs, and writes below when memory is short. What is written so stands for just the records before it: unlike
// those of a map, cells cannot be replayed twice. What nobody can ask for any more has gone, and a tombstone does one thing
// to the newest cell and another to an older one.
func (s *series[V]) each(self Store, recs iter.Seq[Logged], apply func(Logged) error) error {
	s.replaying = true
	defer func() { s.replaying = false }()
	n := 0
	for r := range recs {
		if err := apply(r); err != nil {
			return err
		}
		s.settled = s.observed
		s.ended.Offset, s.ended.observed = max(s.ended.Offset, r.Next), s.settled
		s.txn += txnStep // so that the next record may drop this one
		if n++; n%spillEvery(s.env.DB) == 0 {
			s.kept.recycle(s.tab.views == nil)
			if err := spill(self, s.tab.pool); err != nil {
				return err
			}
		}
	}
	return nil
}
