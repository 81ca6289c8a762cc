package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/thalweg/thalweg/internal/hashed"
)

// agenda orders the rows of a KV by a time of each, so that the first that are due can be found on disk. It is a table
// of entries, time(8) key, with its own prefix in the database; the changelog does not have it.
//
// Every live row has an entry whose time is not after the row's. A row that is put off keeps its old entry until that is
// due; only then it gets another. So most writes of a row cost its agenda nothing.
type agenda[V any] struct {
	tab  *table[struct{}]
	when func(v V, at int64) int64
	// next is not after the first entry; the least number: not known.
	next int64
	// early calls back when an entry comes before next; nil: nobody asked.
	early func(when int64)
	name  string // in the database
	whole bool   // every row has its entry: what the next checkpoint says in the database
	taken []byte // the entry that Due is at; nil: it is not under way
	key   []byte // scratch
}

// agendaOf is the name of an agenda in the database: no store has it, since names of stores have no spaces.
func agendaOf(store string) string { return store + " by time" }

const kindAgenda = "agenda"

// ErrEnough ends a [KV.Due] after a row, without an error.
var ErrEnough = errors.New("store: enough")

// dueAtOnce is how many entries are taken up together.
const dueAtOnce = 256

// noBytes is the serde of entries, which are keys alone.
type noBytes struct{}

func (noBytes) Append(dst []byte, _ struct{}) ([]byte, error) { return dst, nil }
func (noBytes) Decode([]byte) (struct{}, error)               { return struct{}{}, nil }

// Schedule has the store keep its rows in the order of a time, and makes Due of use. when is pure. It follows OpenKV; the store
// may have been replayed in between.
func (t *KV[V]) Schedule(when func(v V, at int64) int64) error {
	a := &agenda[V]{tab: newTable(&t.env, noBytes{}, &pool[struct{}]{}), when: when, next: noTime, name: agendaOf(t.name)}
	a.tab.pool.account.open(t.env.Budget)
	a.tab.complete = true
	if t.env.DB != nil {
		id, err := t.env.DB.register(a.name, t.env.Partition, Schema{Kind: kindAgenda, Key: "time, key"})
		if err != nil {
			a.tab.pool.account.close()
			return err
		}
		a.tab.prefix = partitionPrefix(id, t.env.Partition)
		t.agenda, t.outdated = a, nil
		if a.whole, err = t.env.DB.stated(a.tab.prefix); err != nil {
			return err
		}
		if !a.whole {
			if err := t.env.DB.clear(a.tab.prefix); err != nil { // it may have been begun
				return err
			}
			if err := t.enterAll(); err != nil {
				return err
			}
		} else if a.tab.complete, err = t.env.DB.empty(a.tab.prefix); err != nil {
			return err
		}
	}
	a.whole = true
	t.agenda = a
	if err := t.enterHot(); err != nil {
		return err
	}
	a.tab.settle()
	return nil
}

// enterHot makes the entries of the rows in memory: of a store that was replayed before it was scheduled.
func (t *KV[V]) enterHot() (err error) {
	var key []byte
	t.tab.segments(func(seg *segment[V]) bool {
		for i := range seg.slots {
			s := &seg.slots[i]
			if s.flags&flagLive == 0 {
				continue
			}
			key = t.tab.appendKey(key[:0], s)
			k := t.agenda.entry(t.agenda.when(s.v, s.at), key, t.env.Hasher)
			if err = t.agenda.tab.replayPut(&k, struct{}{}, s.at); err != nil {
				return false
			}
		}
		return true
	})
	return err
}

// enterAll makes the entries of the rows below: the store had no agenda before.
func (t *KV[V]) enterAll() error {
	if t.tab.complete {
		return nil
	}
	it, err := t.env.DB.iter(t.tab.prefix)
	if err != nil {
		return err
	}
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		key := it.Key()[len(t.tab.prefix):]
		var v V
		var at int64
		raw, err := it.ValueAndErr()
		if err == nil {
			v, at, err = t.tab.decode(key, raw)
		}
		if err == nil {
			k := t.agenda.entry(t.agenda.when(v, at), key, t.env.Hasher)
			err = t.agenda.tab.replayPut(&k, struct{}{}, at)
		}
		if n++; err == nil && n%spillEvery(t.env.DB) == 0 {
			err = spill(t, t.agenda.tab.pool)
		}
		if err != nil {
			it.Close()
			return err
		}
	}
	return it.Close()
}

// entry returns the key of an entry; it lives until the next call.
func (a *agenda[V]) entry(when int64, key []byte, h hashed.Hasher) Key {
	a.key = append(binary.BigEndian.AppendUint64(a.key[:0], uint64(when)^1<<63), key...)
	return h.Key(a.key)
}

// hot returns the time of a row of the hot table; ok is false if there is no live one.
func (t *KV[V]) hot(k *Key) (when int64, ok bool) {
	e, i, found := t.tab.find(k)
	if !found || e.slots[i].flags&flagLive == 0 {
		return 0, false
	}
	return t.agenda.when(e.slots[i].v, e.slots[i].at), true
}

// enter notes that k is about to become v. replay: by the changelog, not by the transaction.
func (t *KV[V]) enter(k *Key, v V, at int64, replay bool) error {
	a := t.agenda
	when := a.when(v, at)
	if was, ok := t.hot(k); ok && was <= when && !a.passed(was, k) {
		return nil
	}
	if when < a.next {
		a.next = when
		if a.early != nil {
			a.early(when)
		}
	}
	entry := a.entry(when, k.Bytes, t.env.Hasher)
	if replay {
		return a.tab.replayPut(&entry, struct{}{}, at)
	}
	return a.tab.put(&entry, struct{}{}, at)
}

// passed reports whether Due, under way, has passed that time and key: an entry there waits for the next call.
func (a *agenda[V]) passed(when int64, k *Key) bool {
	if a.taken == nil {
		return false
	}
	at := timeOf(a.taken)
	return when < at || when == at && bytes.Compare(k.Bytes, a.taken[8:]) <= 0
}

// leave notes that k is about to be deleted. An entry that it does not find goes when it is due.
func (t *KV[V]) leave(k *Key, at int64, replay bool) error {
	was, ok := t.hot(k)
	if !ok {
		return nil
	}
	entry := t.agenda.entry(was, k.Bytes, t.env.Hasher)
	if replay {
		return t.agenda.tab.replayDelete(&entry, at)
	}
	return t.agenda.tab.delete(&entry, at)
}

// Early has f called when a row comes before all others.
func (t *KV[V]) Early(f func(when int64)) { t.agenda.early = f }

// Next returns a time before which no row is due: the first row's or an earlier one.
func (t *KV[V]) Next() int64 { return t.agenda.next }

// Due deletes each row whose time is at most limit and calls f with it, in the order of time and key bytes. Rows that f
// writes join in if they come after the row at hand; else they wait for the next call. lag is how long after its time
// a row's deletion is. k and v are f's to use until it returns. After [ErrEnough] from f the other rows stay.
func (t *KV[V]) Due(limit, lag int64, f func(k Key, v V, when int64) error) error {
	a := t.agenda
	if a.next > limit {
		return nil
	}
	var from []byte
	if a.next != noTime {
		from = bytes.Clone(a.entry(a.next, nil, t.env.Hasher).Bytes) // what has gone lies before it
	}
	defer func() { a.taken = nil }()
	first := int64(math.MaxInt64)
	for {
		a.next = math.MaxInt64 // what is written lowers it
		keys, rest, err := a.upcoming(from, limit)
		if err != nil {
			a.next = noTime
			return err
		}
		if len(keys) == 0 {
			a.next = min(first, rest)
			return nil
		}
		for _, entry := range keys {
			a.taken = entry
			switch err := t.take(entry, lag, f); {
			case err == ErrEnough:
				a.next = min(a.next, timeOf(entry))
				return nil
			case err != nil:
				a.next = noTime
				return err
			}
			if a.next <= limit {
				break // there may be entries between this one and the following
			}
		}
		from = append(bytes.Clone(a.taken), 0)
		first = min(first, a.next)
	}
}

// upcoming returns some of the first entries from ≤ entry up to the time limit. Without one, rest is the time of the
// first after limit.
func (a *agenda[V]) upcoming(from []byte, limit int64) (keys [][]byte, rest int64, err error) {
	for e, err := range a.tab.entries(from, nil, false) {
		if err != nil {
			return nil, 0, err
		}
		when := timeOf(e.Key)
		if when > limit || len(keys) == dueAtOnce {
			return keys, when, nil
		}
		keys = append(keys, bytes.Clone(e.Key))
	}
	return keys, math.MaxInt64, nil
}

func timeOf(entry []byte) int64 { return int64(binary.BigEndian.Uint64(entry) ^ 1<<63) }

// take removes an entry, and the row if it is of that time.
func (t *KV[V]) take(entry []byte, lag int64, f func(k Key, v V, when int64) error) error {
	a, when := t.agenda, timeOf(entry)
	k := t.env.Hasher.Key(entry[8:])
	e := t.env.Hasher.Key(entry)
	v, at, ok, err := t.tab.get(&k)
	if err != nil {
		return err
	}
	gone := t.time(plus(when, lag))
	if err := a.tab.delete(&e, gone); err != nil {
		return err
	}
	if !ok {
		return nil
	}
	switch is := a.when(v, at); {
	case is > when: // it has been put off
		later := a.entry(is, k.Bytes, t.env.Hasher)
		a.next = min(a.next, is)
		return a.tab.put(&later, struct{}{}, at)
	case is < when: // it has an earlier entry, which was taken or will be
		return nil
	}
	if err := t.tab.delete(&k, gone); err != nil {
		return err
	}
	return f(k, v, when)
}

// plus adds a duration without overflow.
func plus(t, d int64) int64 {
	if t > math.MaxInt64-d {
		return math.MaxInt64
	}
	return t + d
}

// freeze adds what has changed to a checkpoint, its parts in the order of their prefixes.
func (a *agenda[V]) freeze(c *Checkpoint) {
	p := &part{prefix: a.tab.prefix}
	a.tab.freeze(p)
	c.parts = append(c.parts, p)
	slices.SortFunc(c.parts, func(x, y *part) int { return bytes.Compare(x.prefix, y.prefix) })
	if a.whole {
		c.agenda = a.tab.prefix
	}
}

// close releases the agenda.
func (t *KV[V]) closeAgenda() error {
	a := t.agenda
	if a == nil {
		return nil
	}
	if t.env.DB != nil {
		t.env.DB.release(a.name, t.env.Partition)
	}
	a.tab.adopt(true)
	a.tab.pool.account.close()
	return a.tab.closeViews()
}

// replayEntry is enter and leave for a record of the changelog.
func (t *KV[V]) replayEntry(k *Key, r Logged) error {
	if r.Value == nil {
		return t.leave(k, r.Time, true)
	}
	v, err := t.tab.serde.Decode(r.Value)
	if err != nil {
		return fmt.Errorf("store: decode the changelog's value of key %q: %w", r.Key, err)
	}
	return t.enter(k, v, r.Time, true)
}

func (a *agenda[V]) ended() {
	a.tab.ended()
	a.tab.relieve()
	a.tab.settle()
}

func (a *agenda[V]) abort() {
	a.tab.abort()
	a.tab.settle()
	a.next = noTime
}

// settle ends a replay or a checkpoint.
func (a *agenda[V]) settle() {
	a.tab.settled = max(a.tab.live, 0)
	a.tab.relieve()
	a.tab.settle()
}

// reset makes it empty, with nothing below.
func (a *agenda[V]) reset() error {
	a.tab.reset()
	a.tab.settle()
	a.next = noTime
	if a.tab.env.DB == nil {
		return nil
	}
	return a.tab.env.DB.clear(a.tab.prefix)
}

// agenda begins the keys of the agenda of a store partition; nil: it has none.
func (db *DB) agenda(store string, partition int32) ([]byte, error) {
	db.mu.Lock()
	n, ok := db.mu.names[agendaOf(store)]
	db.mu.Unlock()
	if !ok {
		return nil, nil
	}
	prefix := partitionPrefix(n.ID, partition)
	if has, err := db.stated(prefix); err != nil || !has {
		return nil, err
	}
	return prefix, nil
}
