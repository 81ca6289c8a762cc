package store

import (
	"errors"
	"iter"

	"github.com/thalweg/thalweg/serde"
)

// KV is a map from key bytes to values with times: the segment table. It implements [Store].
type KV[V any] struct {
	base
	tab    *table[V]
	nulls  bool       // the serde may write null
	agenda *agenda[V] // nil: rows have no order but that of their keys
	ttl    int64      // ms; 0: rows stay until they are deleted
	clock  *int64     // the highest time seen, where rows have a TTL
	// outdated begins the keys of an agenda that the store had before and has no more; nil: none. The next checkpoint
	// would leave rows without entries, so it has to go first.
	outdated []byte
}

// OpenKV opens the store of that name. s.Kind says whether rows keep the time given to Put, which the changelog record
// then bears, or the context's.
func OpenKV[V any](env Env, name string, s Schema, v serde.Serde[V]) (*KV[V], error) {
	t := &KV[V]{nulls: serde.TakesNull(v)}
	if err := t.open(env, name, s); err != nil {
		return nil, err
	}
	t.tab = newTable(&t.env, v, &pool[V]{})
	t.tab.pool.account.open(env.Budget)
	t.tab.complete = true
	if env.DB != nil {
		t.tab.prefix = t.prefix()
		empty, err := env.DB.empty(t.tab.prefix)
		if err != nil {
			env.DB.release(name, env.Partition)
			return nil, err
		}
		t.tab.complete = empty
		if t.outdated, err = env.DB.agenda(name, env.Partition); err != nil {
			env.DB.release(name, env.Partition)
			return nil, err
		}
	}
	t.tab.live = t.below.live
	t.tab.settled = t.tab.live
	t.tab.settle()
	return t, nil
}

// Get returns the row of k.
func (t *KV[V]) Get(k *Key) (v V, at int64, ok bool, err error) { return t.tab.get(k) }

// Look is Get, and says where the row stands. It is the record path's: get's steps are here without a call in between.
func (t *KV[V]) Look(k *Key) (p Place[V], v V, at int64, ok bool, err error) {
	e, i, found := t.tab.find(k)
	if !found {
		if !t.tab.complete {
			v, at, ok, err = t.tab.miss(k)
		}
		return p, v, at, ok, err
	}
	s := &e.slots[i]
	if s.flags&refMask != refMask {
		s.flags += flagRef
	}
	if s.flags&flagLive == 0 {
		return p, v, 0, false, nil
	}
	return Place[V]{e, i}, s.v, s.at, true, nil
}

// PutAt is Put where Look has found the live row of k at p; of an empty p it is Put.
func (t *KV[V]) PutAt(p Place[V], k *Key, v V, at int64) error {
	if p.e == nil || t.nulls || t.agenda != nil {
		return t.Put(k, v, at)
	}
	if t.now != nil {
		at = t.now()
	}
	s := &p.e.slots[p.i]
	t.tab.touch(p.e.seg, p.i, s, true)
	s.v, s.at = v, at
	return nil
}

// Put makes v the value of k. A value whose serde writes null deletes the row.
func (t *KV[V]) Put(k *Key, v V, at int64) error {
	if t.nulls {
		b, err := t.tab.encode(v)
		if err != nil {
			return err
		}
		if b == nil {
			return t.Delete(k, at)
		}
	}
	at = t.time(at)
	if t.agenda != nil {
		if err := t.enter(k, v, at, false); err != nil {
			return err
		}
	}
	return t.tab.put(k, v, at)
}

// Delete makes k absent. at is the time of the deletion.
func (t *KV[V]) Delete(k *Key, at int64) error {
	at = t.time(at)
	if t.agenda != nil {
		if err := t.leave(k, at, false); err != nil {
			return err
		}
	}
	return t.tab.delete(k, at)
}

// Touch loads the home slots of keys that will be asked for soon.
func (t *KV[V]) Touch(hashes []uint64) {
	for _, h := range hashes {
		t.tab.load(h)
	}
}

// Dirty returns the rows changed since the last commit, and the bytes they hold beside their slots.
func (t *KV[V]) Dirty() (rows int, bytes int64) {
	rows, bytes = t.tab.dirty()
	if t.agenda != nil {
		_, b := t.agenda.tab.dirty()
		bytes += b
	}
	return rows, bytes
}

// Flush appends the last value of each changed row to w.
func (t *KV[V]) Flush(w Changelog) error {
	_, err := t.tab.flush(w)
	return err
}

// Ended says that the transaction of the last Flush is committed.
func (t *KV[V]) Ended(p Position) {
	t.tab.ended()
	t.ended = state{Position: p, observed: noTime, dropped: noTime, live: t.tab.settled}
	t.tab.relieve()
	t.tab.settle()
	if t.agenda != nil {
		t.agenda.ended()
	}
}

// Abort takes back everything since the last Ended.
func (t *KV[V]) Abort() {
	t.tab.abort()
	t.tab.settle()
	if t.agenda != nil {
		t.agenda.abort()
	}
}

// BeginCheckpoint freezes the rows that changed since the last checkpoint.
func (t *KV[V]) BeginCheckpoint() *Checkpoint {
	pending, _ := t.Pending()
	c := t.begin(t, pending, nil)
	if c != nil {
		c.outdated = t.outdated
		c.parts = []*part{{prefix: t.tab.prefix}}
		t.tab.freeze(c.parts[0])
		if t.agenda != nil {
			t.agenda.freeze(c)
		}
	}
	return c
}

func (t *KV[V]) encodeFrozen(rows int) bool {
	n, done := t.tab.encodeFrozen(rows)
	if done && t.agenda != nil {
		_, done = t.agenda.tab.encodeFrozen(rows - n)
	}
	return done
}

func (t *KV[V]) finish(c *Checkpoint, below bool) {
	t.tab.thaw(below)
	if below {
		t.below, t.outdated = c.state, nil
	}
	t.ck = nil
	t.tab.relieve()
	t.tab.settle()
	if t.agenda != nil {
		t.agenda.tab.thaw(below)
		t.agenda.settle()
	}
}

// Pending returns the rows and bytes the next checkpoint would write.
func (t *KV[V]) Pending() (rows int, bytes int64) {
	rows, bytes = t.tab.unwritten()
	if t.agenda != nil {
		r, b := t.agenda.tab.unwritten()
		rows, bytes = rows+r, bytes+b
	}
	return rows, bytes
}

// Bytes is the memory held.
func (t *KV[V]) Bytes() int64 {
	n := t.tab.pool.account.held
	if t.agenda != nil {
		n += t.agenda.tab.pool.account.held
	}
	return n
}

// Rows is the number of live rows. It is approximate where rows were written that may or may not have been below.
func (t *KV[V]) Rows() int64 { return max(t.tab.live, 0) }

// Reset forgets everything, below too.
func (t *KV[V]) Reset() error {
	if err := t.forget(); err != nil {
		return err
	}
	t.tab.reset()
	t.tab.settle()
	if t.agenda == nil {
		return nil
	}
	return t.agenda.reset()
}

// Replay applies committed changelog records in order.
func (t *KV[V]) Replay(recs iter.Seq[Logged]) error {
	n := 0
	for r := range recs {
		k := t.env.Hasher.Key(r.Key)
		if t.agenda != nil {
			if err := t.replayEntry(&k, r); err != nil {
				return err
			}
		}
		if err := t.tab.replay(k, r); err != nil {
			return err
		}
		if n++; n%spillEvery(t.env.DB) == 0 {
			if err := spill(t, t.tab.pool); err != nil {
				return err
			}
		}
	}
	return nil
}

// Restored ends the replay: the store now stands for p.
func (t *KV[V]) Restored(p Position) {
	t.tab.settled = max(t.tab.live, 0)
	t.ended = state{Position: p, observed: noTime, dropped: noTime, live: t.tab.settled}
	t.tab.settle()
	if t.agenda != nil {
		t.agenda.settle()
	}
}

// Close releases the store without writing anything.
func (t *KV[V]) Close() error {
	if t.closed {
		return nil
	}
	if err := t.close(); err != nil {
		return err
	}
	t.tab.adopt(true)
	t.tab.pool.account.close()
	return errors.Join(t.tab.closeViews(), t.closeAgenda(), t.shut())
}
