package store

import (
	"bytes"
	"slices"
	"sync/atomic"
	"time"
)

// stateRefresh is how often the time of a store without changes is written.
const stateRefresh = 10 * time.Minute

// Checkpoint is a checkpoint under way: Encode in slices on the task's goroutine until it reports done, Write on any
// goroutine, Finish on the task's again with Write's error.
type Checkpoint struct {
	store   frozen
	db      *DB
	prefix  []byte // of the store partition
	state   state
	parts   []*part // by prefix
	dropped []byte  // windows before it have gone; nil: none new
	agenda  []byte  // begins the keys of the store's agenda, which is whole; nil: none
	// outdated begins the keys of an agenda that the store keeps no more; nil: none.
	outdated []byte
	encoded  bool
	written  atomic.Bool
}

// frozen is a store of which a checkpoint is under way.
type frozen interface {
	encodeFrozen(rows int) (done bool)
	finish(c *Checkpoint, below bool)
}

// Encode encodes about so many rows and reports whether that was all.
func (c *Checkpoint) Encode(rows int) (done bool) {
	if !c.encoded {
		c.encoded = c.store.encodeFrozen(rows)
	}
	return c.encoded
}

// Write makes what Encode has encoded durable below, with the position it stands for: all or nothing.
func (c *Checkpoint) Write() error {
	if !c.encoded {
		panic("store: Checkpoint.Write before Encode was done")
	}
	rows := 0
	for _, p := range c.parts {
		if p.err != nil {
			return p.err
		}
		rows += len(p.rows)
		p.sort()
	}
	if c.outdated != nil {
		if err := c.db.clear(c.outdated); err != nil {
			return err
		}
	}
	w := writes{rows: c.all, offset: &c.state.Offset}
	if rows >= c.db.lim.batchRows {
		w.files = c.db.lim.fileBytes
	}
	if c.dropped != nil {
		w.gone = [][2][]byte{{c.prefix, c.dropped}}
	}
	err := c.db.e.write(w)
	c.written.Store(err == nil)
	return err
}

// Finish ends the checkpoint. After an error of Write, or without a Write, its rows wait for the next one.
func (c *Checkpoint) Finish(err error) {
	c.store.finish(c, err == nil && c.written.Load())
}

// all yields what is written, in the order of keys: first what the checkpoint says beside the rows.
func (c *Checkpoint) all(yield func(key, value []byte) bool) {
	for _, s := range c.states() {
		if !yield(s.key, s.value) {
			return
		}
	}
	var full []byte
	for _, p := range c.parts {
		full = append(full[:0], p.prefix...)
		for _, r := range p.rows {
			key, value := p.row(r)
			full = append(full[:len(p.prefix)], key...)
			if !yield(full, value) {
				return
			}
		}
	}
}

// stated is what a checkpoint says beside the rows.
type stated struct{ key, value []byte }

// states returns what the checkpoint says beside the rows, by key.
func (c *Checkpoint) states() []stated {
	all := []stated{{stateKey(c.prefix), appendState(nil, c.state)}}
	if c.agenda != nil {
		all = append(all, stated{stateKey(c.agenda), []byte{1}})
	}
	slices.SortFunc(all, func(a, b stated) int { return bytes.Compare(a.key, b.key) })
	return all
}

// begin makes the checkpoint of a store, nil if it has nothing to write.
func (b *base) begin(f frozen, pending int, dropped []byte) *Checkpoint {
	if b.env.DB == nil || b.ck != nil {
		return nil
	}
	same := b.ended.Offset == b.below.Offset && b.ended.TopicID == b.below.TopicID &&
		b.ended.At-b.below.At < stateRefresh.Milliseconds()
	if pending == 0 && same && dropped == nil {
		return nil
	}
	b.ck = &Checkpoint{store: f, db: b.env.DB, prefix: b.prefix(), state: b.ended, dropped: dropped}
	return b.ck
}
