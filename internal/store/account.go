package store

import (
	"unsafe"

	"github.com/thalweg/thalweg/internal/hashed"
)

// dirty returns the rows changed since the commit, and the bytes that hangs on them: their undo, and what they will be
// in the changelog.
func (t *table[V]) dirty() (rows int, bytes int64) {
	n := len(t.undo)
	return n, int64(float64(n) * (float64(unsafe.Sizeof(undoRow[V]{})) + t.meanRow()))
}

// unwritten returns the rows of the current generation and about what they will be in a checkpoint.
func (t *table[V]) unwritten() (rows int, bytes int64) {
	return t.pending, int64(float64(t.pending) * (32 + t.meanRow()))
}

// meanRow is about the encoded size of a row: values as seen lately, keys as they fit into slots or the arena.
func (t *table[V]) meanRow() float64 {
	return hashed.Inline + float64(t.arena.bytes)/float64(max(t.rows, 1)) + t.meanValue
}

const (
	entryBytes   = 32
	segmentBytes = segmentSlots/groupSlots*32 + 64
)

// settle brings the account up to date with what the table holds. It is called where that may have changed much.
func (t *table[V]) settle() {
	held := int64(len(t.dir))*entryBytes + int64(t.segs)*segmentBytes + t.arena.bytes + t.filter.bytes() + t.order.bytes() +
		int64(cap(t.undo))*int64(unsafe.Sizeof(undoRow[V]{}))
	if t.part != nil {
		held += t.part.bytes + int64(cap(t.part.rows))*16
	}
	if t.pointers {
		held += int64(float64(t.rows) * t.meanValue * 1.5)
	}
	t.pool.tables += held - t.held
	t.held = held
	t.pool.settle()
}
