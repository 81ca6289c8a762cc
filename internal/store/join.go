package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/thalweg/thalweg/serde"
)

// Join is one side of a stream-stream join: every value of every key for as long as partners may come, equal times in
// the order they came. It implements [Store].
//
// A value is visible as long as its time ≥ observed − retention + 1, where observed is the highest time put. One whose
// time segment has expired is refused and counted.
type Join[V any] struct {
	series[V]
	retention, segment int64
	seq, seqThen       uint32 // the number of the last put, now and as of the last commit
	refused            []refusedPut[V]
}

// refusedPut is a put of the transaction that came too late. The changelog gets it all the same, as Kafka Streams' does.
type refusedPut[V any] struct {
	key  []byte
	cell Cell[V]
}

// OpenJoin opens the store. retention is in ms.
func OpenJoin[V any](env Env, name string, s Schema, retention int64, v serde.Serde[V]) (*Join[V], error) {
	if retention < 0 {
		return nil, fmt.Errorf("store: %q: values kept for %d ms", name, retention)
	}
	x := &Join[V]{retention: retention, segment: max(retention/2, segmentMin)}
	x.expired = func(row []Cell[V], observed int64) (n int) {
		for n < len(row) && row[n].At <= less(observed, retention) {
			n++
		}
		return n
	}
	x.gone = func(at int64, _ bool, observed int64) bool { return at <= less(observed, retention) }
	if err := x.open(env, name, s, v); err != nil {
		return nil, err
	}
	if x.below.dropped != noTime {
		x.seq = uint32(x.below.dropped)
	}
	x.seqThen = x.seq
	return x, nil
}

// Put adds v to the values of k.
func (x *Join[V]) Put(k Key, v V, at int64) error {
	if at < x.floor() {
		if x.env.Dropped != nil {
			x.env.Dropped(1)
		}
		x.seq++
		x.refused = append(x.refused, refusedPut[V]{bytes.Clone(k.Bytes), Cell[V]{At: at, Seq: x.seq, mark: x.txn, V: v}})
		return nil
	}
	x.observed = max(x.observed, at)
	row, err := x.row(&k)
	if err != nil {
		return err
	}
	x.seq++
	return x.insert(&k, row, find(row.rows(), at), Cell[V]{At: at, Seq: x.seq, mark: x.txn, V: v}, false)
}

// Ended says that the transaction of the last Flush is committed.
func (x *Join[V]) Ended(p Position) {
	x.series.Ended(p)
	x.settle()
}

// settle makes the number of the last put a part of the committed state, so that it never comes again.
func (x *Join[V]) settle() {
	x.seqThen = x.seq
	x.ended.dropped = int64(x.seq)
	x.refused = nil
}

// Abort takes back everything since the last Ended.
func (x *Join[V]) Abort() {
	x.series.Abort()
	x.seq, x.refused = x.seqThen, nil
}

// Restored ends the replay: the store now stands for p.
func (x *Join[V]) Restored(p Position) {
	x.series.Restored(p)
	x.settle()
}

// floor is the start of the first time segment that is kept.
func (x *Join[V]) floor() int64 {
	if x.observed == noTime {
		return noTime
	}
	t := less(x.observed, x.retention)
	if t < 0 {
		return noTime // times are never negative: everything is in the first segment or later
	}
	return t - t%x.segment
}

// Fetch returns the values of k whose time is in from..to, oldest first. They live until the next Put.
func (x *Join[V]) Fetch(k Key, from, to int64) ([]Cell[V], error) {
	if x.observed == noTime {
		return nil, nil
	}
	row, err := x.row(&k)
	if err != nil {
		return nil, err
	}
	cells := row.rows()
	cells = cells[:find(cells, to)]
	return cells[find(cells, max(from, less(x.observed, x.retention)+1)-1):], nil
}

// Flush appends the values of the transaction to w.
func (x *Join[V]) Flush(w Changelog) error {
	for i := range x.refused {
		r := &x.refused[i]
		if err := x.log(w, append(x.tab.key[:0], r.key...), []Cell[V]{r.cell}); err != nil {
			return err
		}
	}
	return x.dirty(func(key []byte, row []Cell[V]) error { return x.log(w, key, row) })
}

// log appends the values of one key that the transaction has put to w.
func (x *Join[V]) log(w Changelog, key []byte, row []Cell[V]) error {
	n := len(key)
	for i := range row {
		c := &row[i]
		if c.mark != x.txn {
			continue
		}
		value, err := x.encode(c)
		if err != nil {
			return fmt.Errorf("store: encode the value of key %q: %w", key, err)
		}
		key = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(key[:n], uint64(c.At)), c.Seq)
		if err := w.Append(c.At, key, value); err != nil {
			return err
		}
	}
	x.tab.key = key[:n]
	return nil
}

// Replay applies committed changelog records in order. What the changelog has was accepted once, so nothing is refused.
func (x *Join[V]) Replay(recs iter.Seq[Logged]) error {
	return x.each(x, recs, func(r Logged) (err error) {
		n := len(r.Key) - 12
		if n < 0 {
			return fmt.Errorf("store: %q: changelog key %q has no time", x.name, r.Key)
		}
		c := Cell[V]{At: int64(binary.BigEndian.Uint64(r.Key[n:])), Seq: binary.BigEndian.Uint32(r.Key[n+8:]), mark: x.txn}
		x.seq = max(x.seq, c.Seq)
		if r.Value == nil || x.observed != noTime && c.At <= less(x.observed, x.retention) {
			return nil
		}
		if c.V, err = x.val.Decode(r.Value); err != nil {
			return fmt.Errorf("store: decode the changelog's value of key %q: %w", r.Key, err)
		}
		return x.replay(r.Key[:n], c)
	})
}

// replay puts a logged value where it belongs. It may be there already.
func (x *Join[V]) replay(key []byte, c Cell[V]) error {
	x.observed = max(x.observed, c.At)
	k := x.env.Hasher.Key(key)
	row, err := x.row(&k)
	if err != nil {
		return err
	}
	old := row.rows()
	i := find(old, c.At)
	for i > 0 && old[i-1].At == c.At && old[i-1].Seq > c.Seq {
		i--
	}
	if i > 0 && old[i-1].At == c.At && old[i-1].Seq == c.Seq {
		return x.insert(&k, row, i-1, c, true)
	}
	return x.insert(&k, row, i, c, false)
}

var errStopRow = errors.New("store: enough of the row")

// Committed answers "fetchall": the visible values of all keys, by key, then time.
func (x *Join[V]) Committed(q Query) iter.Seq2[Row, error] {
	if q.Op != "fetchall" {
		return failing(fmt.Errorf("store: %q: a %s answers fetchall, not %q", x.name, x.schema.Kind, q.Op))
	}
	return func(yield func(Row, error) bool) {
		for r, err := range x.tab.committedRows(nil, nil) {
			if err == nil {
				err = x.values(r, q, yield)
			}
			if errors.Is(err, errStopRow) {
				return
			}
			if err != nil {
				yield(Row{}, err)
				return
			}
		}
	}
}

func (x *Join[V]) values(r Row, q Query, yield func(Row, error) bool) error {
	row, err := cellsSerde[V]{x.val, &x.series}.Decode(r.Value)
	if err != nil {
		return err
	}
	for _, c := range row.rows() {
		if c.At < q.FromTime || c.At > q.ToTime || c.At <= less(x.settled, x.retention) {
			continue
		}
		out := Row{Key: r.Key, Time: c.At, Start: c.At, End: c.At}
		if out.Value, err = x.val.Append([]byte{}, c.V); err != nil {
			return err
		}
		if !yield(out, nil) {
			return errStopRow
		}
	}
	return nil
}
