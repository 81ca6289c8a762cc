package store

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
)

// base is what every kind of store has: its place in the database, and the positions.
type base struct {
	env    Env
	name   string
	schema Schema
	id     uint16
	below  state // what the database stands for
	ended  state // what the last commit stands for
	ck     *Checkpoint
	now    func() int64 // the time of every row that is written; nil: whoever writes says it
	closed bool
}

// state is what a checkpoint says beside the rows.
type state struct {
	Position
	observed int64 // highest window start
	live     int64 // rows
	dropped  int64 // windows that start earlier have gone; the least number: none have
}

func (b *base) open(env Env, name string, s Schema) error {
	if env.Logger == nil {
		env.Logger = slog.New(slog.DiscardHandler)
	}
	*b = base{env: env, name: name, schema: s, below: unknown, ended: unknown}
	if !s.timestamped() {
		b.now = env.Time
	}
	if env.DB == nil {
		return nil
	}
	id, err := env.DB.register(name, env.Partition, s)
	if err != nil {
		return err
	}
	b.id = id
	b.below, err = env.DB.state(id, env.Partition)
	if err == nil {
		err = env.DB.e.check(max(b.below.Offset, 0))
	}
	if err == nil && env.DB.sole {
		err = env.DB.tidy(b.prefix())
	}
	if err != nil {
		env.DB.release(name, env.Partition)
		return err
	}
	b.ended = b.below
	return nil
}

// tidy removes rows that no checkpoint stands for: a reset that did not come to its end has left them.
func (db *DB) tidy(prefix []byte) error {
	if is, err := db.stated(prefix); is || err != nil {
		return err
	}
	if none, err := db.empty(prefix); none || err != nil {
		return err
	}
	return db.forget(prefix)
}

// shut closes the database if it is the store's alone. It follows all else.
func (b *base) shut() error {
	if b.env.DB == nil || !b.env.DB.sole {
		return nil
	}
	return b.env.DB.Close()
}

// unknown is the state of a store that has never been checkpointed.
var unknown = state{observed: noTime, dropped: noTime}

const noTime = -1 << 63

// Name returns the store's durable name.
func (b *base) Name() string { return b.name }

// Position is what the tier below stands for.
func (b *base) Position() Position { return b.below.Position }

// time is the time that a row written at at bears.
func (b *base) time(at int64) int64 {
	if b.now == nil {
		return at
	}
	return b.now()
}

// prefix begins the keys of its rows.
func (b *base) prefix() []byte { return partitionPrefix(b.id, b.env.Partition) }

func (b *base) close() error {
	if b.closed {
		return nil
	}
	if b.ck != nil {
		return fmt.Errorf("store: close %q: a checkpoint is under way", b.name)
	}
	b.closed = true
	if b.env.DB != nil {
		b.env.DB.release(b.name, b.env.Partition)
	}
	return nil
}

const stateBytes = 1 + 8 + 16 + 4*8

// appendState encodes s.
func appendState(dst []byte, s state) []byte {
	dst = append(dst, 1)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Offset))
	dst = append(dst, s.TopicID[:]...)
	for _, x := range []int64{s.At, s.observed, s.live, s.dropped} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(x))
	}
	return dst
}

// state reads what the database stands for of a store partition.
func (db *DB) state(id uint16, partition int32) (state, error) {
	key := stateKey(partitionPrefix(id, partition))
	v, c, err := db.e.get(key)
	if err != nil || v == nil {
		return unknown, err
	}
	defer c.Close()
	if len(v) != stateBytes || v[0] != 1 {
		return unknown, fmt.Errorf("%w: %s: state of store %d partition %d is % x", ErrCorrupt, db.dir, id, partition, v)
	}
	s := state{Position: Position{Offset: int64(binary.BigEndian.Uint64(v[1:]))}}
	copy(s.TopicID[:], v[9:])
	for i, x := range []*int64{&s.At, &s.observed, &s.live, &s.dropped} {
		*x = int64(binary.BigEndian.Uint64(v[25+8*i:]))
	}
	return s, nil
}

func stateKey(prefix []byte) []byte { return append(slices.Clone(keyStates), prefix...) }

// forget removes everything below.
func (b *base) forget() error {
	if b.ck != nil {
		return fmt.Errorf("store: reset %q: a checkpoint is under way", b.name)
	}
	b.below, b.ended = unknown, unknown
	if b.env.DB == nil {
		return nil
	}
	return b.env.DB.forget(b.prefix())
}

// empty reports whether the database holds no row that begins with prefix.
func (db *DB) empty(prefix []byte) (bool, error) {
	it, err := db.iter(prefix)
	if err != nil {
		return false, err
	}
	some := it.First()
	return !some, it.Close()
}

// last returns the last key that begins with prefix, nil if there is none.
func (db *DB) last(prefix []byte) (key []byte, err error) {
	it, err := db.iter(prefix)
	if err != nil {
		return nil, err
	}
	if it.Last() {
		key = slices.Clone(it.Key())
	}
	return key, it.Close()
}
