package state

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"

	"github.com/thalweg/thalweg/internal/store"
)

// Backend opens storage tiers of the caller's own, one for each store and partition: what lies below the hot tables in
// place of Pebble. Options.Backend gives it to one store, stream.Config.Backend to all that have none. It is safe for
// concurrent use. [statetest.Tier] checks one.
//
// [statetest.Tier]: https://pkg.go.dev/github.com/thalweg/thalweg/state/statetest#Tier
type Backend interface {
	// Open opens the tier of a partition of a store, with what was last applied to it, or makes an empty one. dir is a
	// directory of its own on this instance, which is there; it need not be used, but where copies of a partition may be
	// on several instances that share a Backend, dir tells them apart. It is not open twice at a time. When an instance starts,
	// each tier that it has had in its directory is opened for a moment, to know how far behind its state is.
	Open(dir, store string, partition int32) (Tier, error)
}

// Tier is a map of byte strings in the order of their bytes, that also keeps the changelog offset its content stands
// for. Hot tables stay in front of it: it is read for rows that are not in memory, and written by checkpoints.
//
// It is safe for concurrent use: the task reads while a checkpoint is applied, from another goroutine. No method waits
// for a Snapshot to be closed. Keys and values are never empty. What is passed to it lives until the call returns, what
// Get returns must not change any more. An error or a panic stops the task; a checkpoint that failed is made again. Of a tier that has lost
// something, or of which a part is older, a task is not opened: remove all of it, and the store is restored from its
// changelog.
//
// Beside the rows there are a few of the library's own, all keys of which begin with two zero bytes.
type Tier interface {
	// Get returns the value of key, nil if there is none.
	Get(key []byte) (value []byte, err error)
	// Snapshot returns what the tier holds, for reads in order. What follows does not change it. It may stay open for as
	// long as somebody reads the store, and is closed before the tier.
	Snapshot() (Snapshot, error)
	// Apply sets each key to its value, and the offset; a nil value deletes the key. All of it is durable once Apply
	// returns, and becomes visible at once; after an error or a crash there is all or nothing. Keys come in order, each once.
	Apply(puts iter.Seq2[[]byte, []byte], offset int64) error
	// DeleteRange deletes the keys from ≤ key < to, nil: to the end. A crash may undo it, until the next Apply.
	DeleteRange(from, to []byte) error
	// Offset returns what was given to the last Apply, 0 if there has been none.
	Offset() (int64, error)
	Close() error
}

// Snapshot is what a Tier held when it was taken. It is for one goroutine.
type Snapshot interface {
	// Scan calls each with the rows from ≤ key < to, nil: open, in the order of keys or, descending, in the opposite one,
	// until it returns false. Both slices live until each returns.
	Scan(from, to []byte, descending bool, each func(key, value []byte) bool) error
	Close() error
}

// Below opens the databases of stores in tiers of b; nil for none. It is for the library's own use.
func Below(b Backend) func(name string, env store.Env) (*store.DB, error) {
	if b == nil {
		return nil
	}
	return func(name string, env store.Env) (*store.DB, error) {
		dir, err := dirOf(env, "tiers", name)
		if err != nil {
			return nil, err
		}
		return store.OpenTier(env, name, func() (store.Tier, error) {
			t, err := b.Open(dir, name, env.Partition)
			if t == nil || err != nil {
				return nil, err
			}
			return tier{t}, nil
		})
	}
}

// below returns what opens the database of a store of its own, nil if there is none.
func below(p store.Plan, env store.Env) func(name string, env store.Env) (*store.DB, error) {
	switch {
	case p.InMemory:
		return nil
	case p.Below != nil:
		return p.Below
	}
	return env.Below
}

// FindTier has env.Left know what the tier of a store stands for that is not open, if it has been here before. It is for the
// library's own use.
func FindTier(s AnySpec, env store.Env) error {
	open := below(s.plan(), env)
	if open == nil {
		return nil
	}
	if _, err := os.Stat(pathOf(env, "tiers", s.Name())); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := open(s.Name(), env)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return errors.Join(db.Check(s.Name(), env.Partition), db.Close())
}

// OffsetOf returns the offset of its changelog that a store which is not open stands for, 0 if nothing is here. It is for the
// library's own use.
func OffsetOf(s AnySpec, env store.Env) (int64, error) {
	switch {
	case s.plan().InMemory:
		return 0, nil
	case below(s.plan(), env) != nil:
		return env.Left.Offset(s.Name(), env.Partition), nil
	}
	p, err := env.DB.PositionOf(s.Name(), env.Partition)
	return p.Offset, err
}

// tier is a Tier in the terms of package store.
type tier struct{ Tier }

func (t tier) Snapshot() (store.TierSnapshot, error) {
	s, err := t.Tier.Snapshot()
	if s == nil || err != nil {
		return nil, err
	}
	return s, nil
}
