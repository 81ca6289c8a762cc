package store

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"github.com/thalweg/thalweg/serde"
)

// span is what a cell of [Sessions] or [Scattered] holds beside the time by which its row is ordered: a session's end, a
// window's start.
type span[V any] struct {
	start int64 // of a session; of a window as the cell's own time
	at    int64 // of the changelog's record
	v     V
}

// spans is a map from key bytes to values by windows whose bounds few keys share: an array for each key, see series. Its
// changelog has a record for each window, and a tombstone where one has gone.
//
// A window is visible as long as its time ≥ observed − retention + 1, where observed is the highest time put. One whose
// time segment has expired is refused and counted.
type spans[V any] struct {
	series[span[V]]
	of        serde.Serde[V]
	nulls     bool
	retention int64
	slack     int64 // how much longer they stay for Append
	segment   int64
	// suffix appends what follows the key in the changelog, split takes it off.
	suffix func(dst []byte, c *Cell[span[V]]) []byte
	split  func(key []byte) (bare []byte, time, start int64, ok bool)
	filed  *filing
	newest []byte // the key by which observed rose to what it is, and when, as the changelog has it
	newAt  int64
	lag    int64 // how long before its end the time of a window is
}

// wasCommitted is the Seq of a cell that the open transaction wrote, or removed, where the changelog has one already.
const wasCommitted = 1

// spanSerde writes start(8) at(8) value.
type spanSerde[V any] struct{ of serde.Serde[V] }

const spanHead = 16

func (x spanSerde[V]) Append(dst []byte, s span[V]) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, uint64(s.start)), uint64(s.at))
	return x.of.Append(dst, s.v)
}

func (x spanSerde[V]) Decode(data []byte) (s span[V], err error) {
	if len(data) < spanHead {
		return s, fmt.Errorf("%w: a window of %d bytes", ErrCorrupt, len(data))
	}
	s.start, s.at = int64(binary.BigEndian.Uint64(data)), int64(binary.BigEndian.Uint64(data[8:]))
	s.v, err = x.of.Decode(data[spanHead:])
	return s, err
}

func (s *spans[V]) openSpans(env Env, name string, sc Schema, retention int64, v serde.Serde[V]) error {
	if retention < 1 {
		return fmt.Errorf("store: %q: windows kept for %d ms", name, retention)
	}
	s.of, s.nulls, s.retention, s.segment = v, serde.TakesNull(v), retention, max(retention/2, segmentMin)
	s.expired = func(row []Cell[span[V]], observed int64) (n int) {
		for n < len(row) && (row[n].Null() || row[n].At <= less(observed, retention+s.slack)) {
			n++
		}
		return n
	}
	s.transient = true // and its bytes do not say which window it was
	s.gone = func(at int64, _ bool, observed int64) bool { return at <= less(observed, retention+s.slack) }
	if err := s.open(env, name, sc, spanSerde[V]{v}); err != nil {
		return err
	}
	return nil
}

// visible reports whether a window can be read when observed is the highest time.
func (s *spans[V]) visible(c *Cell[span[V]], observed int64) bool {
	return !c.Null() && observed != noTime && c.At > less(observed, s.retention)
}

// Slack keeps windows so much longer, in ms, for Append alone: an operator may look back at what nobody else sees any
// more.
func (s *spans[V]) Slack(d int64) { s.slack = d }

// there reports whether Append sees a window.
func (s *spans[V]) there(c *Cell[span[V]]) bool {
	return !c.Null() && s.observed != noTime && c.At > less(s.observed, s.retention+s.slack)
}

// floor is the time of the first segment that is kept.
func (s *spans[V]) floor() int64 {
	if s.observed == noTime {
		return noTime
	}
	t := less(s.observed, s.retention)
	return t - ((t%s.segment)+s.segment)%s.segment
}

// search returns where the window is, or belongs, among the cells of a key.
func (s *spans[V]) search(row []Cell[span[V]], time, start int64) (i int, found bool) {
	i = find(row, time)
	for i > 0 && row[i-1].At == time && row[i-1].V.start > start {
		i--
	}
	if i > 0 && row[i-1].At == time && row[i-1].V.start == start {
		return i - 1, true
	}
	return i, false
}

// change makes v the value of a window, or removes it.
func (s *spans[V]) change(k *Key, time, start int64, v V, at int64, live bool) error {
	if live && s.nulls {
		b, err := s.of.Append(s.value[:0], v)
		if err != nil {
			return err
		}
		live = b != nil
	}
	switch {
	case time > s.observed:
		s.observed, s.newAt = time, at
		s.newest = s.suffix(append(s.newest[:0], k.Bytes...), &Cell[span[V]]{At: time, V: span[V]{start: start}})
	case time < s.floor():
		if s.env.Dropped != nil {
			s.env.Dropped(1)
		}
		return nil
	}
	row, err := s.row(k)
	if err != nil {
		return err
	}
	old := row.rows()
	i, found := s.search(old, time, start)
	known := found && s.known(&old[i])
	if !live && !found {
		return nil
	}
	c := Cell[span[V]]{At: time, mark: s.txn, V: span[V]{start: start, at: at, v: v}}
	if known {
		c.Seq = wasCommitted
	}
	if !live {
		c.V.v = *new(V)
		c.mark |= nullMark
	}
	s.file(k, time)
	return s.replace(k, row, i, found, c, live || known)
}

// known reports whether the changelog has the window, as of the last commit.
func (s *spans[V]) known(c *Cell[span[V]]) bool {
	if c.mark&^nullMark == s.txn {
		return c.Seq == wasCommitted
	}
	return !c.Null()
}

// replace writes the row of k anew with c at i, in place of the cell there if found; without it if not keep. What nobody
// can ask for any more and the changelog has been told of is left out.
func (s *spans[V]) replace(k *Key, row cells[span[V]], i int, found bool, c Cell[span[V]], keep bool) error {
	old, least := row.rows(), less(s.observed, s.retention+s.slack)
	all := s.kept.take(len(old) + 1)
	for j := range old {
		if j == i && keep {
			all = append(all, c)
		}
		if j == i && found || old[j].mark&^nullMark != s.txn && (old[j].Null() || old[j].At <= least) {
			continue
		}
		all = append(all, old[j])
	}
	if i == len(old) && keep {
		all = append(all, c)
	}
	s.kept.retire(row.all)
	return s.series.set(k, cells[span[V]]{all: all}, c.V.at)
}

// Flush appends every window that the transaction has changed to w. If observed rose by writes that left no window, a
// deletion says so: after a restore the same windows are visible as before.
func (s *spans[V]) Flush(w Changelog) error {
	told := s.observed == s.series.settled
	err := s.dirty(func(key []byte, row []Cell[span[V]]) error {
		n := len(key)
		for i := range row {
			c := &row[i]
			if c.mark&^nullMark != s.txn {
				continue
			}
			value, err := s.encode(c)
			if err != nil {
				return fmt.Errorf("store: encode the value of key %q: %w", key[:n], err)
			}
			if value != nil {
				value = value[spanHead:]
			}
			key = s.suffix(key[:n], c)
			if err := w.Append(c.V.at, key, value); err != nil {
				return err
			}
			told = told || c.At == s.observed
		}
		s.tab.key = key[:n]
		return nil
	})
	if err != nil || told {
		return err
	}
	return w.Append(s.newAt, s.newest, nil)
}

// Ended says that the transaction of the last Flush is committed.
func (s *spans[V]) Ended(p Position) {
	s.series.Ended(p)
	s.filed.commit(s.lag)
}

// Abort takes back everything since the last Ended.
func (s *spans[V]) Abort() {
	s.series.Abort()
	s.filed.abort()
}

// Reset forgets everything, below too.
func (s *spans[V]) Reset() error {
	if f := s.filed; f != nil {
		s.filed = newFiling(f.width, f.closed)
	}
	return s.series.Reset()
}

// replayLogged applies a committed changelog record.
func (s *spans[V]) replayLogged(r Logged) error {
	key, time, start, ok := s.split(r.Key)
	if !ok {
		return fmt.Errorf("store: %q: changelog key %q has no window", s.name, r.Key)
	}
	s.observed = max(s.observed, time)
	s.series.settled = s.observed
	if time < s.floor() {
		return nil
	}
	k := s.env.Hasher.Key(key)
	row, err := s.row(&k)
	if err != nil {
		return err
	}
	i, found := s.search(row.rows(), time, start)
	c := Cell[span[V]]{At: time, mark: s.txn - txnStep, V: span[V]{start: start, at: r.Time}}
	if r.Value == nil {
		if !found {
			return nil
		}
	} else if c.V.v, err = s.of.Decode(r.Value); err != nil {
		return fmt.Errorf("store: decode the changelog's value of key %q: %w", r.Key, err)
	}
	all := append(s.kept.take(len(row.rows())+1), row.rows()...)
	s.kept.retire(row.all)
	switch {
	case r.Value == nil:
		all = slices.Delete(all, i, i+1)
	case found:
		all[i] = c
	default:
		all = slices.Insert(all, i, c)
	}
	return s.series.set(&k, cells[span[V]]{all: all}, r.Time)
}

func (s *spans[V]) replayAll(self Store, recs iter.Seq[Logged]) error {
	return s.each(self, recs, s.replayLogged)
}

// collect calls f with the windows of the keys first..last (nil: open), in key order, visible or not, as they are or as of
// the last commit. The key lives until the next call.
func (s *spans[V]) collect(first, last []byte, committed bool, f func(key []byte, c *Cell[span[V]]) error) error {
	w := s.tab.open(s.tab.reader(), first, after(last), false, committed)
	defer w.close()
	for {
		key, raw, row, err := w.next()
		if err == nil && raw != nil {
			row.v, _, err = s.tab.decode(key, raw)
		}
		if err != nil || key == nil {
			return err
		}
		for i := range row.v.rows() {
			if c := &row.v.rows()[i]; !c.Null() {
				if err := f(key, c); err != nil {
					return err
				}
			}
		}
	}
}
