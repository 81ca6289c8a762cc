package store

import (
	"io"
	"iter"
)

// engine keeps the bytes of a [DB]: Pebble, or a tier of the caller's own. It is safe for concurrent use, and its errors say
// where they come from. A table asks it where its own rows do not tell, never on a hit.
type engine interface {
	// get returns the value of a key, nil if there is none, and what to close when it has been used.
	get(key []byte) (value []byte, c io.Closer, err error)
	reader
	snapshot() (snapshot, error)
	write(w writes) error
	// check fails if what it holds is not what stands for that offset of the changelog.
	check(offset int64) error
	close() error
}

// reader gives cursors over lower ≤ key < upper; upper nil: to the end. A cursor sees the keys as they were when it was made.
type reader interface {
	cursor(lower, upper []byte) (cursor, error)
}

// snapshot is what an engine held at a time.
type snapshot interface {
	reader
	Close() error
}

// cursor is at a key, or at none. Keys and values live until it moves.
type cursor interface {
	First() bool
	Last() bool
	SeekGE(key []byte) bool
	Next() bool
	Prev() bool
	Valid() bool
	Key() []byte
	ValueAndErr() ([]byte, error)
	Error() error
	Close() error
}

// writes become durable together: all or nothing, but that gone may follow later, or be lost in a crash.
type writes struct {
	rows   iter.Seq2[[]byte, []byte] // in the order of keys; nil value: deleted
	files  int                       // rows are many: files of so many bytes serve better; 0: they are few
	gone   [][2][]byte               // ranges that are emptied; a row written there may stay or go
	offset *int64                    // of the changelog, if what is held stands for another now
}
