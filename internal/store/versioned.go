package store

import (
	"fmt"
	"iter"
	"math"

	"github.com/thalweg/thalweg/serde"
)

// Versioned is a map from key bytes to versions of values: version i holds from its time until that of version i+1. A
// tombstone is a version too. It implements [Store].
//
// The newest version of a key is kept for good, an older one until it ended more than the history before the highest
// time put (KIP-889). What is put earlier than that is refused and counted.
type Versioned[V any] struct {
	series[V]
	history int64
	nulls   bool
	puts    []loggedPut[V] // of the transaction, for the changelog
	keys    []byte         // of puts
}

// loggedPut is a put that the changelog has yet to get. It gets all of them in their order, those too that were refused:
// a replay decides as the store did.
type loggedPut[V any] struct {
	key  int // where the key ends in keys; it begins where the one before ends
	cell Cell[V]
}

// Version is a value and the time it holds for, [From, Until).
type Version[V any] struct {
	V           V
	From, Until int64 // Until is the greatest number for the newest
}

// OpenVersioned opens the store. history is in ms.
func OpenVersioned[V any](env Env, name string, s Schema, history int64, v serde.Serde[V]) (*Versioned[V], error) {
	if history < 0 {
		return nil, fmt.Errorf("store: %q: a history of %d ms", name, history)
	}
	x := &Versioned[V]{history: history, nulls: serde.TakesNull(v)}
	x.expired = func(row []Cell[V], observed int64) (n int) {
		end := less(observed, history)
		for n < len(row) && row[n].At <= end && (row[n].Null() || n+1 < len(row) && row[n+1].At <= end) {
			n++
		}
		return n
	}
	x.gone = func(at int64, null bool, observed int64) bool { return null && at <= less(observed, history) }
	return x, x.open(env, name, s, v)
}

// History is how far back versions are kept, in ms.
func (x *Versioned[V]) History() int64 { return x.history }

// Get returns the newest version of k; none if it is a tombstone.
func (x *Versioned[V]) Get(k Key) (v V, at int64, ok bool, err error) {
	row, err := x.row(&k)
	if n := len(row.all); err == nil && n > row.from && !row.all[n-1].Null() {
		return row.all[n-1].V, row.all[n-1].At, true, nil
	}
	return v, 0, false, err
}

// AsOf returns the version of k that held at t. Of times before the history only the newest version answers.
func (x *Versioned[V]) AsOf(k Key, t int64) (v Version[V], ok bool, err error) {
	row, err := x.row(&k)
	if err != nil {
		return v, false, err
	}
	v, ok = asOf(row.rows(), t, t < less(x.observed, x.history))
	return v, ok, nil
}

// asOf is AsOf of one row; old: t is before the history.
func asOf[V any](row []Cell[V], t int64, old bool) (v Version[V], ok bool) {
	i := find(row, t)
	if i == 0 || old && i < len(row) || row[i-1].Null() {
		return v, false
	}
	return versionAt(row, i-1), true
}

func versionAt[V any](row []Cell[V], i int) Version[V] {
	v := Version[V]{row[i].V, row[i].At, math.MaxInt64}
	if i+1 < len(row) {
		v.Until = row[i+1].At
	}
	return v
}

// Put makes v the value of k from at on, until the next version that there is. A value whose serde writes null is a
// tombstone. accepted is false if at is before the history.
func (x *Versioned[V]) Put(k Key, v V, at int64) (until int64, accepted bool, err error) {
	if x.nulls {
		b, err := x.val.Append(x.value[:0], v)
		if err != nil {
			return 0, false, err
		}
		if b == nil {
			return x.Delete(k, at)
		}
	}
	return x.put(k, Cell[V]{At: at, mark: x.txn, V: v})
}

// Delete is Put of a tombstone.
func (x *Versioned[V]) Delete(k Key, at int64) (until int64, accepted bool, err error) {
	return x.put(k, Cell[V]{At: at, mark: x.txn | nullMark})
}

func (x *Versioned[V]) put(k Key, c Cell[V]) (until int64, accepted bool, err error) {
	if until, accepted, err = x.apply(&k, c); err != nil {
		return 0, false, err
	}
	x.keys = append(x.keys, k.Bytes...)
	x.puts = append(x.puts, loggedPut[V]{len(x.keys), c})
	if !accepted && x.env.Dropped != nil {
		x.env.Dropped(1)
	}
	return until, accepted, nil
}

func (x *Versioned[V]) apply(k *Key, c Cell[V]) (until int64, accepted bool, err error) {
	if c.At < less(x.observed, x.history) {
		return 0, false, nil
	}
	row, err := x.row(k)
	if err != nil {
		return 0, false, err
	}
	x.observed = max(x.observed, c.At)
	old := row.rows()
	i, until := find(old, c.At), int64(math.MaxInt64)
	if i < len(old) {
		until = old[i].At
	}
	replace := i > 0 && old[i-1].At == c.At
	if !replace {
		return until, true, x.insert(k, row, i, c, false)
	}
	if i--; i == len(old)-1 && c.Null() && !old[i].Null() && (i == 0 || old[i-1].Null()) {
		// Kafka Streams remembers a tombstone as the end of the value before it. Where there is none the newest value just
		// goes, and what then comes with an earlier time is the newest.
		return until, true, x.set(k, x.without(row), c.At)
	}
	return until, true, x.insert(k, row, i, c, true)
}

// Versions returns the versions of k that hold at some time of from..to, oldest first, tombstones left out. It sees the
// store as it was when it began. An error is yielded last.
func (x *Versioned[V]) Versions(k Key, from, to int64) iter.Seq2[Version[V], error] {
	return func(yield func(Version[V], error) bool) {
		row, err := x.row(&k)
		if err != nil {
			yield(Version[V]{}, err)
			return
		}
		cells := row.rows()
		end := less(x.observed, x.history)
		for i := range cells {
			v := versionAt(cells, i)
			seen := v.Until > max(from, end) || i == len(cells)-1
			if seen && v.From <= to && !cells[i].Null() && !yield(v, nil) {
				return
			}
		}
	}
}

// Dirty returns the rows changed since the last commit, and the bytes they hold beside their slots.
func (x *Versioned[V]) Dirty() (rows int, bytes int64) {
	rows, bytes = x.series.Dirty()
	return rows, bytes + int64(len(x.keys)) + int64(float64(len(x.puts))*x.meanCell)
}

// Flush appends the puts of the transaction to w.
func (x *Versioned[V]) Flush(w Changelog) error {
	from := 0
	for i := range x.puts {
		p := &x.puts[i]
		value, err := x.encode(&p.cell)
		if err != nil {
			return fmt.Errorf("store: encode the value of key %q: %w", x.keys[from:p.key], err)
		}
		if err := w.Append(p.cell.At, x.keys[from:p.key:p.key], value); err != nil {
			return err
		}
		from = p.key
	}
	return nil
}

// Ended says that the transaction of the last Flush is committed.
func (x *Versioned[V]) Ended(p Position) {
	x.series.Ended(p)
	x.forgetPuts()
}

// Abort takes back everything since the last Ended.
func (x *Versioned[V]) Abort() {
	x.series.Abort()
	x.forgetPuts()
}

func (x *Versioned[V]) forgetPuts() {
	clear(x.puts)
	x.puts, x.keys = x.puts[:0], x.keys[:0]
}

// Replay applies committed changelog records in order.
func (x *Versioned[V]) Replay(recs iter.Seq[Logged]) error {
	return x.each(x, recs, func(r Logged) (err error) {
		c := Cell[V]{At: r.Time, mark: x.txn}
		if r.Value == nil {
			c.mark |= nullMark
		} else if c.V, err = x.val.Decode(r.Value); err != nil {
			return fmt.Errorf("store: decode the changelog's value of key %q: %w", r.Key, err)
		}
		k := x.env.Hasher.Key(r.Key)
		_, _, err = x.apply(&k, c)
		return err
	})
}

// Committed answers queries from outside: "get" the newest version, "asof" (Key, FromTime), and of every key's newest
// "range" and "all". The rows are those of the last commit.
func (x *Versioned[V]) Committed(q Query) iter.Seq2[Row, error] {
	at, old := int64(math.MaxInt64), false
	rows := x.tab.committedRows(q.Key, after(q.To))
	switch q.Op {
	case "asof":
		at, old = q.FromTime, q.FromTime < less(x.settled, x.history)
		fallthrough
	case "get":
		rows = x.KV.Committed(Query{Op: "get", Key: q.Key})
	case "all":
		rows = x.tab.committedRows(nil, nil)
	case "range":
	default:
		return failing(fmt.Errorf("store: %q: a %s answers get, asof, range and all, not %q", x.name, x.schema.Kind, q.Op))
	}
	return func(yield func(Row, error) bool) {
		for r, err := range rows {
			ok := err == nil
			if ok {
				r, ok, err = x.newest(r, at, old)
			}
			if (ok || err != nil) && !yield(r, err) {
				return
			}
		}
	}
}

// newest turns the row of a key into the version that held at t.
func (x *Versioned[V]) newest(r Row, t int64, old bool) (Row, bool, error) {
	row, err := cellsSerde[V]{x.val, &x.series}.Decode(r.Value)
	if err != nil {
		return r, false, err
	}
	v, ok := asOf(row.rows(), t, old)
	if !ok {
		return r, false, nil
	}
	r.Value, err = x.val.Append([]byte{}, v.V)
	r.Time, r.Start, r.End = v.From, v.From, v.Until
	return r, err == nil, err
}
