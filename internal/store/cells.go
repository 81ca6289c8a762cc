package store

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/thalweg/thalweg/serde"
)

// blocks are the memory of cells, by powers of two. A block that a row has left is used again once the transaction is
// over: until then its undo may need it.
type blocks[V any] struct {
	free    [24][][]Cell[V]
	retired [][]Cell[V]
}

// blocksKept is how many free blocks of a size are kept.
const blocksKept = 1 << 12

// take returns an empty block with room for n cells and some more.
func (b *blocks[V]) take(n int) []Cell[V] {
	class := bits.Len(uint(n))
	if class < len(b.free) {
		if m := len(b.free[class]); m > 0 {
			x := b.free[class][m-1]
			b.free[class] = b.free[class][:m-1]
			return x
		}
	}
	return make([]Cell[V], 0, 1<<class)
}

// retire notes that a row has left its block.
func (b *blocks[V]) retire(x []Cell[V]) {
	if cap(x) > 0 {
		b.retired = append(b.retired, x)
	}
}

// recycle frees what was retired; unseen: nobody reads it any more.
func (b *blocks[V]) recycle(unseen bool) {
	for _, x := range b.retired {
		class := bits.Len(uint(cap(x))) - 1
		if !unseen || class >= len(b.free) || len(b.free[class]) == blocksKept {
			continue
		}
		clear(x)
		b.free[class] = append(b.free[class], x[:0])
	}
	b.forget()
}

// forget leaves what was retired to those who have it.
func (b *blocks[V]) forget() {
	clear(b.retired)
	b.retired = b.retired[:0]
}

// cellsSerde writes the cells of a key as the database has them: whether the last is a tombstone (1), their number, then
// for each time(8) seq(4) length+1 (0: a tombstone) value.
type cellsSerde[V any] struct {
	of serde.Serde[V]
	s  *series[V]
}

func (x cellsSerde[V]) Append(dst []byte, v cells[V]) ([]byte, error) {
	row := v.rows()
	if x.s.transient && slices.ContainsFunc(row, func(c Cell[V]) bool { return c.Null() }) {
		row = slices.DeleteFunc(slices.Clone(row), func(c Cell[V]) bool { return c.Null() })
	}
	if len(row) > 0 && row[len(row)-1].Null() {
		dst = append(dst, 1)
	} else {
		dst = append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(row)))
	for i := range row {
		c := &row[i]
		dst = binary.BigEndian.AppendUint64(dst, uint64(c.At))
		dst = binary.BigEndian.AppendUint32(dst, c.Seq)
		value, err := x.s.encode(c)
		if err != nil {
			return nil, err
		}
		if value == nil {
			dst = append(dst, 0)
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(len(value))+1)
		dst = append(dst, value...)
	}
	return dst, nil
}

func (x cellsSerde[V]) Decode(data []byte) (v cells[V], err error) {
	if len(data) < 2 {
		return v, fmt.Errorf("%w: cells of %d bytes", ErrCorrupt, len(data))
	}
	n, w := binary.Uvarint(data[1:])
	data = data[1+max(w, 0):]
	if w <= 0 || n > uint64(len(data))/13 {
		return v, fmt.Errorf("%w: %d cells in %d bytes", ErrCorrupt, n, len(data))
	}
	v.all = make([]Cell[V], 0, n)
	for range n {
		if len(data) < 13 {
			return v, fmt.Errorf("%w: cells end early", ErrCorrupt)
		}
		c := Cell[V]{At: int64(binary.BigEndian.Uint64(data)), Seq: binary.BigEndian.Uint32(data[8:])}
		size, w := binary.Uvarint(data[12:])
		if data = data[12+max(w, 0):]; w <= 0 || size > uint64(len(data))+1 {
			return v, fmt.Errorf("%w: a cell of %d bytes in %d", ErrCorrupt, size, len(data))
		}
		c.mark = x.s.txn - txnStep
		if size == 0 {
			c.mark |= nullMark
		} else {
			if c.V, err = x.of.Decode(data[:size-1]); err != nil {
				return v, err
			}
			data = data[size-1:]
		}
		v.all = append(v.all, c)
	}
	return v, nil
}
