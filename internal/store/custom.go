package store

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"runtime/debug"

	"github.com/thalweg/thalweg/serde"
)

// Custom is a store of the user's own kind. What it tells of its rows is a map like any other, with its changelog and what
// lies below it; from that map the user's store is filled when it opens, and put right after an abort. It implements
// [Store].
type Custom struct {
	*KV[[]byte]
	own    Own
	quiet  bool  // it is being told rows: it has none to tell
	told   error // a row that could not be noted, until Failed takes it
	broken error // the user's store and the map may differ: nothing is committed any more
}

// Own is the user's side of a Custom.
type Own struct {
	Restore func(key, value []byte) error // makes value the row of key; nil: there is none. Nil: it has no rows to tell
	Flush   func() error                  // precedes a commit; may be nil
	Close   func() error                  // may be nil
}

// Note takes a row that the user's store tells of: value nil for one that is no more. It copies both.
type Note func(key, value []byte, at int64)

// OpenCustom opens the map and then, by open, the user's store, which is filled from it. After an error both are closed.
func OpenCustom(env Env, name string, s Schema, open func(Note) (Own, error)) (*Custom, error) {
	kv, err := OpenKV(env, name, s, serde.Bytes)
	if err != nil {
		return nil, err
	}
	c := &Custom{KV: kv, quiet: true}
	err = c.call("open", func() (err error) { c.own, err = open(c.note); return err })
	if err == nil {
		err = c.fill()
	}
	if err == nil {
		err = c.told
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.quiet = false
	return c, nil
}

// call runs user code: its panic is an error.
func (c *Custom) call(what string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if err != nil {
			err = fmt.Errorf("store: %q partition %d: %s: %w", c.name, c.env.Partition, what, err)
		}
	}()
	return f()
}

// note keeps a row as part of the open transaction.
func (c *Custom) note(key, value []byte, at int64) {
	if c.own.Restore == nil && !c.quiet {
		return
	}
	var err error
	switch k := c.env.Hasher.Key(key); {
	case c.quiet:
		err = errors.New("it was called while the store was opened or restored: rows are told as records change them")
	case key == nil:
		err = errors.New("a null key")
	case value == nil:
		err = c.KV.Delete(&k, at)
	default:
		err = c.KV.Put(&k, append(make([]byte, 0, len(value)), value...), at)
	}
	if err != nil && c.broken == nil {
		c.broken = fmt.Errorf("store: %q partition %d: Changelog of key %q: %w", c.name, c.env.Partition, key, err)
		c.told = c.broken
	}
}

// Failed returns the error of a row that could not be noted since the last call.
func (c *Custom) Failed() error {
	err := c.told
	c.told = nil
	return err
}

// restore tells the user's store a row.
func (c *Custom) restore(key, value []byte) error {
	if c.own.Restore == nil {
		return nil
	}
	was := c.quiet
	c.quiet = true
	defer func() { c.quiet = was }()
	return c.call("Restore", func() error { return c.own.Restore(key, value) })
}

// fill tells the user's store, which is empty, all rows.
func (c *Custom) fill() error {
	if c.own.Restore == nil {
		return nil
	}
	for e, err := range c.KV.Range(nil, nil, false) {
		if err == nil {
			err = c.restore(e.Key, e.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Replay applies committed changelog records in order, to the user's store too.
func (c *Custom) Replay(recs iter.Seq[Logged]) error {
	var failed error
	err := c.KV.Replay(func(yield func(Logged) bool) {
		for r := range recs {
			if failed = c.restore(r.Key, r.Value); failed != nil || !yield(r) {
				return
			}
		}
	})
	return errors.Join(failed, err)
}

// Reset forgets everything: the user's store is told of each row that it is no more.
func (c *Custom) Reset() error {
	for e, err := range c.KV.Range(nil, nil, false) {
		if err == nil {
			err = c.restore(e.Key, nil)
		}
		if err != nil {
			return err
		}
	}
	return c.KV.Reset()
}

// Flush has the user's store tell the rows that it has kept back, and appends the last value of each changed row to w.
func (c *Custom) Flush(w Changelog) error {
	if c.own.Flush != nil && c.broken == nil {
		if err := c.call("Flush", c.own.Flush); err != nil {
			return err
		}
	}
	if c.broken != nil {
		return c.broken
	}
	return c.KV.Flush(w)
}

// Abort takes back everything since the last Ended: the user's store is told each changed row as it was.
func (c *Custom) Abort() {
	keys := c.tab.dirtyKeys()
	c.KV.Abort()
	for _, key := range keys {
		k := c.env.Hasher.Key(key)
		v, _, ok, err := c.KV.Get(&k)
		if !ok {
			v = nil
		}
		if err == nil {
			err = c.restore(key, v)
		}
		if err != nil && c.broken == nil {
			c.broken = fmt.Errorf("the store cannot be put right after an abort: %w", err)
			c.told = c.broken
		}
	}
}

// dirtyKeys returns the keys changed since the last commit.
func (t *table[V]) dirtyKeys() (keys [][]byte) {
	for _, seg := range t.lists[listDirty] {
		for gi := range seg.groups {
			for rest := seg.groups[gi].dirty; rest != 0; rest &= rest - 1 {
				keys = append(keys, t.appendKey(nil, &seg.slots[gi*groupSlots+bits.TrailingZeros64(rest)]))
			}
		}
	}
	return keys
}

// Close closes the user's store and the map. Nothing is written.
func (c *Custom) Close() error {
	if c.closed {
		return nil
	}
	var err error
	if f := c.own.Close; f != nil && c.ck == nil {
		c.own.Close = nil
		err = c.call("Close", f)
	}
	return errors.Join(err, c.KV.Close())
}
