package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/thalweg/thalweg/serde"
)

const segmentMin = 60_000 // ms of a time segment, at least

// Window is a map from (key bytes, window start) to values with times: a segment table for each start, and a [ring] of the
// windows of a key where they overlap much. It implements [Store].
//
// Rows below are ordered by start, so that what has expired goes by one range delete. A window is visible as long as
// start ≥ observed − retention + 1, where observed is the highest start ever put. Its memory goes with its time
// segment, at a commit: until then it can still be written, though not read.
type Window[V any] struct {
	base
	// Ends gives the end of a window by its start; nil: start and size do.
	Ends      func(start int64) int64
	serde     serde.Serde[V]
	nulls     bool
	size      int64
	retention int64
	segment   int64
	pool      *pool[V]
	tables    map[int64]*table[V]
	starts    []int64 // of tables, ascending
	last      *table[V]
	lastStart int64
	changed   []*table[V] // with dirty rows
	frozen    []*table[V] // of the checkpoint under way
	observed  int64
	settled   int64  // observed as of the last commit
	newest    []byte // the key by which observed rose to what it is, and when
	newestAt  int64
	allHot    bool     // every start below has a table
	maxBelow  int64    // no start below is higher
	ring      *ring[V] // of the starts that are multiples of the advance; nil: all have tables
}

// OpenWindow opens the store. size and retention are in ms.
func OpenWindow[V any](env Env, name string, s Schema, size, retention int64, v serde.Serde[V]) (*Window[V], error) {
	if size < 0 || retention < 1 {
		return nil, fmt.Errorf("store: %q: windows of %d ms kept for %d ms", name, size, retention)
	}
	w := &Window[V]{serde: v, nulls: serde.TakesNull(v), size: size, retention: retention,
		segment: max(retention/2, segmentMin), pool: &pool[V]{}, tables: map[int64]*table[V]{}, allHot: true, maxBelow: noTime}
	if err := w.open(env, name, s); err != nil {
		return nil, err
	}
	if env.DB != nil {
		last, err := env.DB.last(w.prefix())
		if err != nil {
			env.DB.release(name, env.Partition)
			return nil, err
		}
		if w.allHot = last == nil; last != nil {
			w.maxBelow = startOf(last)
		}
	}
	w.pool.account.open(env.Budget)
	w.observed, w.settled = w.below.observed, w.below.observed
	return w, nil
}

// visible reports whether a window that starts at start can be read when observed is the highest start.
func (w *Window[V]) visible(start, observed int64) bool {
	return observed != noTime && start >= less(observed, w.retention)+1
}

// floor is the start of the first time segment that is kept when observed is the highest start.
func (w *Window[V]) floor(observed int64) int64 {
	if observed == noTime {
		return noTime
	}
	t := less(observed, w.retention)
	if r := t % w.segment; r < 0 {
		return less(t, r+w.segment)
	} else {
		return t - r
	}
}

// less returns t − d, d ≥ 0, or the least number.
func less(t, d int64) int64 {
	if t < noTime+d {
		return noTime
	}
	return t - d
}

// End is the end of a window.
func (w *Window[V]) End(start int64) int64 {
	if w.Ends != nil {
		return w.Ends(start)
	}
	if start > math.MaxInt64-w.size {
		return math.MaxInt64
	}
	return start + w.size
}

// table returns the table of a start. Without create it is nil if there is none and no rows are below either.
func (w *Window[V]) table(start int64, create bool) (*table[V], error) {
	if w.last != nil && w.lastStart == start {
		return w.last, nil
	}
	t := w.tables[start]
	if t == nil {
		complete, err := w.nothingBelow(start)
		if err != nil {
			return nil, err
		}
		if complete && !create {
			return nil, nil
		}
		t = w.addTable(start, complete)
	}
	w.last, w.lastStart = t, start
	return t, nil
}

func (w *Window[V]) addTable(start int64, complete bool) *table[V] {
	t := w.bare(start)
	t.complete = complete
	t.settle()
	w.tables[start] = t
	i, _ := slices.BinarySearch(w.starts, start)
	w.starts = slices.Insert(w.starts, i, start)
	return t
}

// nothingBelow reports that the database has no rows of a start.
func (w *Window[V]) nothingBelow(start int64) (bool, error) {
	if w.allHot || start > w.maxBelow {
		return true, nil
	}
	return w.env.DB.empty(w.startPrefix(start))
}

// bare makes an empty table for a start.
func (w *Window[V]) bare(start int64) *table[V] {
	t := newTable(&w.env, w.serde, w.pool)
	t.suffix = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(start)), 0)
	if w.env.DB != nil {
		t.prefix = w.startPrefix(start)
	}
	return t
}

// startPrefix begins the keys of a start in the database: starts order there as they do in time.
func (w *Window[V]) startPrefix(start int64) []byte {
	return binary.BigEndian.AppendUint64(w.prefix(), uint64(start)^1<<63)
}

// startOf is the start in a key of the database.
func startOf(key []byte) int64 { return int64(binary.BigEndian.Uint64(key[4:]) ^ 1<<63) }

// Get returns the row of k in the window that starts at start.
func (w *Window[V]) Get(k Key, start int64) (v V, at int64, ok bool, err error) {
	if !w.visible(start, w.observed) {
		return v, 0, false, nil
	}
	if w.ring != nil {
		if n, ok := w.ring.number(start); ok {
			return w.ring.get(&k, n)
		}
	}
	t, err := w.table(start, false)
	if t == nil {
		return v, 0, false, err
	}
	return t.get(&k)
}

// Put makes v the value of k in that window. A value whose serde writes null deletes it. A window whose time segment
// has expired is refused and counted, without an error.
func (w *Window[V]) Put(k Key, start int64, v V, at int64) error {
	if w.nulls {
		b, err := w.serde.Append([]byte{}, v)
		if err != nil {
			return err
		}
		if b == nil {
			return w.Delete(k, start, at)
		}
	}
	at = w.time(at)
	if !w.admits(k, start, at) {
		return nil
	}
	if n, ok := w.inRing(&k, start); ok {
		if inside, err := w.ring.put(&k, n, v, at); inside {
			return err
		}
	}
	t, err := w.writable(start)
	if err != nil {
		return err
	}
	err = t.put(&k, v, at)
	w.note(t)
	return err
}

// Delete makes k absent in that window.
func (w *Window[V]) Delete(k Key, start int64, at int64) error {
	at = w.time(at)
	if !w.admits(k, start, at) {
		return nil
	}
	if n, ok := w.inRing(&k, start); ok && w.ring.delete(&k, n, at) {
		return nil
	}
	t, err := w.writable(start)
	if err != nil {
		return err
	}
	err = t.delete(&k, at)
	w.note(t)
	return err
}

// inRing reports whether a write is the ring's, if that has not moved on, and of which of its windows. What nobody can see any
// more may be in a table already, and stays there.
func (w *Window[V]) inRing(k *Key, start int64) (n int64, ok bool) {
	if w.ring == nil {
		return 0, false
	}
	if n, ok = w.ring.number(start); !ok || w.visible(start, w.observed) {
		return n, ok
	}
	if t := w.tables[start]; t != nil {
		_, _, aside := t.find(k)
		return n, !aside
	}
	return n, true
}

// writable returns the table of a start for a write.
func (w *Window[V]) writable(start int64) (*table[V], error) {
	if w.ring != nil {
		if _, ok := w.ring.number(start); ok {
			return w.asideOf(start), nil
		}
	}
	return w.table(start, true)
}

// admits notes that a write has come, and reports whether it is in time.
func (w *Window[V]) admits(k Key, start, at int64) bool {
	if start > w.observed {
		w.observed, w.newestAt = start, at
		w.newest = append(w.newest[:0], k.Bytes...)
	} else if start < w.floor(w.observed) {
		if w.env.Dropped != nil {
			w.env.Dropped(1)
		}
		return false
	}
	return true
}

// note puts a table that has been written on the list of changed ones.
func (w *Window[V]) note(t *table[V]) {
	if !t.changed && len(t.undo) > 0 {
		t.changed = true
		w.changed = append(w.changed, t)
	}
}

// Touch loads the home slots of keys that will be asked for soon, in the window used last.
func (w *Window[V]) Touch(hashes []uint64) {
	if w.ring != nil {
		for _, h := range hashes {
			w.ring.tab.load(h)
		}
		return
	}
	if w.last == nil {
		return
	}
	for _, h := range hashes {
		w.last.load(h)
	}
}

// Dirty returns the rows changed since the last commit, and the bytes that hang on them.
func (w *Window[V]) Dirty() (rows int, bytes int64) {
	for _, t := range w.changed {
		r, b := t.dirty()
		rows, bytes = rows+r, bytes+b
	}
	if w.ring != nil {
		r, b := w.ring.changed()
		rows, bytes = rows+r, bytes+b
	}
	return rows, bytes
}

// Flush appends the last value of each changed row to c. If observed rose by writes that left no row, a deletion says so:
// after a restore the same windows are visible as before.
func (w *Window[V]) Flush(c Changelog) error {
	told := w.observed == w.settled
	for _, t := range w.changed {
		n, err := t.flush(c)
		if err != nil {
			return err
		}
		told = told || n > 0 && t == w.tables[w.observed]
	}
	if w.ring != nil {
		said, err := w.ring.flush(c, w.observed)
		if err != nil {
			return err
		}
		told = told || said
	}
	if told {
		return nil
	}
	w.newest = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(w.newest, uint64(w.observed)), 0)
	return c.Append(w.newestAt, w.newest, nil)
}

// Ended says that the transaction of the last Flush is committed. What has expired goes now.
func (w *Window[V]) Ended(p Position) {
	for _, t := range w.changed {
		t.ended()
		t.changed = false
		t.settle()
	}
	w.unchange()
	w.settled = w.observed
	if w.ring != nil {
		w.ring.ended()
	}
	w.settle(p)
}

// settle brings positions, tables and account into step with a commit.
func (w *Window[V]) settle(p Position) {
	w.expire()
	w.relieve()
	w.ended = state{Position: p, observed: w.settled, dropped: w.floor(w.settled), live: w.Rows()}
	w.pool.settle()
}

func (w *Window[V]) unchange() {
	clear(w.changed)
	w.changed = w.changed[:0]
}

// Abort takes back everything since the last Ended.
func (w *Window[V]) Abort() {
	for _, t := range w.changed {
		t.abort()
		t.changed = false
		t.settle()
	}
	w.unchange()
	w.observed = w.settled
	if w.ring != nil {
		w.ring.abort()
	}
	w.pool.settle()
}

// expire drops the tables whose time segment has expired.
func (w *Window[V]) expire() {
	floor, n := w.floor(w.observed), 0
	for n < len(w.starts) && w.starts[n] < floor {
		w.drop(w.starts[n])
		n++
	}
	w.starts = slices.Delete(w.starts, 0, n)
}

// drop gives up the table of a start. The caller takes it off starts.
func (w *Window[V]) drop(start int64) {
	t := w.tables[start]
	delete(w.tables, start)
	if w.last == t {
		w.last = nil
	}
	t.adopt(true)
	t.keepAll()
	t.drop()
}

// relieve drops the tables of closed windows, oldest first, while memory is short and they are clean.
func (w *Window[V]) relieve() {
	if w.env.DB == nil || w.ck != nil {
		return
	}
	for i := 0; i < len(w.starts) && w.env.Budget.short(w.pool.account.held) && w.End(w.starts[i]) <= w.observed; {
		t := w.tables[w.starts[i]]
		if t.pending > 0 || len(t.undo) > 0 || t.views != nil {
			i++
			continue
		}
		w.drop(w.starts[i])
		w.starts = slices.Delete(w.starts, i, i+1)
		w.allHot = false
		w.pool.settle()
	}
}

// Bytes is the memory held.
func (w *Window[V]) Bytes() int64 {
	if w.ring != nil {
		return w.pool.account.held + w.ring.tab.pool.account.held
	}
	return w.pool.account.held
}

// Rows is the number of live rows in memory.
func (w *Window[V]) Rows() (n int64) {
	for _, t := range w.tables {
		n += max(t.live, 0)
	}
	if w.ring != nil {
		n += w.ring.live
	}
	return n
}

// Reset forgets everything, below too.
func (w *Window[V]) Reset() error {
	if err := w.forget(); err != nil {
		return err
	}
	for _, start := range w.starts {
		w.drop(start)
	}
	w.starts = w.starts[:0]
	w.unchange()
	if w.ring != nil {
		w.ring.reset()
	}
	w.observed, w.settled, w.allHot, w.maxBelow = noTime, noTime, true, noTime
	w.pool.settle()
	return nil
}

// Replay applies committed changelog records in order.
func (w *Window[V]) Replay(recs iter.Seq[Logged]) error {
	n := 0
	for r := range recs {
		if err := w.replay(r); err != nil {
			return err
		}
		if n++; n%spillEvery(w.env.DB) == 0 {
			w.expire()
			for _, t := range w.tables {
				t.settle()
			}
			if err := w.spill(); err != nil {
				return err
			}
		}
	}
	return nil
}

// spill writes what was replayed below when memory is short.
func (w *Window[V]) spill() error {
	if err := spill(w, w.pool); err != nil || w.ring == nil {
		return err
	}
	w.ring.settle()
	return spill(w, w.ring.tab.pool)
}

func (w *Window[V]) replay(r Logged) error {
	n := len(r.Key) - 12
	if n < 0 {
		return fmt.Errorf("store: %q: changelog key %q has no window", w.name, r.Key)
	}
	start := int64(binary.BigEndian.Uint64(r.Key[n:]))
	w.observed = max(w.observed, start)
	w.settled = w.observed
	if start < w.floor(w.observed) {
		return nil
	}
	k := w.env.Hasher.Key(r.Key[:n])
	if n, ok := w.inRing(&k, start); ok {
		if inside, err := w.ring.replay(&k, n, r); inside {
			return err
		}
	}
	t, err := w.writable(start)
	if err != nil {
		return err
	}
	return t.replay(k, r)
}

// Restored ends the replay: the store now stands for p.
func (w *Window[V]) Restored(p Position) {
	for _, t := range w.tables {
		t.settled = max(t.live, 0)
		t.settle()
	}
	if w.ring != nil {
		w.ring.ended() // a copy is replayed for as long as it lives
	}
	w.settle(p)
}

// Close releases the store without writing anything.
func (w *Window[V]) Close() (err error) {
	if w.closed {
		return nil
	}
	if err := w.close(); err != nil {
		return err
	}
	for _, t := range w.tables {
		t.adopt(true)
		if e := t.closeViews(); e != nil {
			err = e
		}
	}
	if w.ring != nil {
		err = errors.Join(err, w.ring.close())
	}
	w.pool.account.close()
	return errors.Join(err, w.shut())
}
