package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Limits of what is decoded.
const (
	valueDepth = 500     // records, arrays, maps and unions within each other
	emptyMost  = 1 << 16 // elements of one value that take no bytes
)

var (
	errShort = errors.New("the bytes end early")
	errDeep  = fmt.Errorf("nested more than %d deep", valueDepth)
	errCount = errors.New("more elements than there are bytes for")
)

// walker goes over the bytes of a value: no further than they reach, no deeper than valueDepth, and making room for no more
// than they can hold.
type walker struct {
	rest  []byte
	depth int
	empty int // elements so far that took no bytes
}

// end returns err, or that there are bytes left of data.
func (w *walker) end(data []byte, err error) error {
	if err != nil {
		return fmt.Errorf("%w (at byte %d of %d)", err, len(data)-len(w.rest), len(data))
	}
	if len(w.rest) > 0 {
		return fmt.Errorf("%d bytes after the value", len(w.rest))
	}
	return nil
}

// walk skips a value.
func (w *walker) walk(n *node) (err error) {
	switch n.kind {
	case kindNull:
		return nil
	case kindBoolean:
		return w.skip(1)
	case kindInt:
		_, err = w.int()
		return err
	case kindLong:
		_, err = w.long()
		return err
	case kindFloat:
		return w.skip(4)
	case kindDouble:
		return w.skip(8)
	case kindFixed:
		return w.skip(int64(n.size))
	case kindString, kindBytes:
		_, err = w.sized()
		return err
	case kindEnum:
		_, err = w.index(len(n.symbols), "symbol")
		return err
	}
	if n.kind == kindArray {
		return w.blocks(n, func(int) {}, func() error { return w.walk(n.items) })
	}
	if n.kind == kindMap {
		return w.blocks(n, func(int) {}, func() error {
			if _, err := w.sized(); err != nil {
				return err
			}
			return w.walk(n.items)
		})
	}
	if err := w.enter(); err != nil {
		return err
	}
	if n.kind == kindUnion {
		i, err := w.index(len(n.branches), "branch")
		if err == nil {
			err = w.walk(n.branches[i])
		}
		w.leave()
		return err
	}
	for i := range n.fields {
		if err := w.walk(n.fields[i].of); err != nil {
			return at(n.fields[i].name, err)
		}
	}
	w.leave()
	return nil
}

// enter and leave are around what is within another value. After an error nobody looks at the depth any more.
func (w *walker) enter() error {
	if w.depth++; w.depth > valueDepth {
		return errDeep
	}
	return nil
}

func (w *walker) leave() { w.depth-- }

func (w *walker) int() (int32, error) {
	v, err := w.long()
	if err == nil && (v < math.MinInt32 || v > math.MaxInt32) {
		err = fmt.Errorf("int of %d", v)
	}
	return int32(v), err
}

func (w *walker) long() (int64, error) {
	v, n := binary.Varint(w.rest)
	if n <= 0 {
		return 0, errShort
	}
	w.rest = w.rest[n:]
	return v, nil
}

// bytes takes n bytes, which are the input's.
func (w *walker) bytes(n int64) ([]byte, error) {
	if n < 0 || n > int64(len(w.rest)) {
		return nil, errShort
	}
	b := w.rest[:n:n]
	w.rest = w.rest[n:]
	return b, nil
}

func (w *walker) skip(n int64) error {
	_, err := w.bytes(n)
	return err
}

// sized takes as many bytes as the number before them says.
func (w *walker) sized() ([]byte, error) {
	n, err := w.long()
	if err != nil {
		return nil, err
	}
	return w.bytes(n)
}

func (w *walker) index(of int, what string) (int, error) {
	i, err := w.long()
	if err == nil && (i < 0 || i >= int64(of)) {
		err = fmt.Errorf("%s %d of %d", what, i, of)
	}
	return int(i), err
}

// blocks goes over an array or a map: blocks of elements, the last one empty. A negative count has the block's size in
// bytes behind it. begin is called before each block, element for each element.
func (w *walker) blocks(n *node, begin func(count int), element func() error) error {
	if err := w.enter(); err != nil {
		return err
	}
	for position := 0; ; {
		count, err := w.count(n)
		if err != nil {
			return err
		}
		if count == 0 {
			w.leave()
			return nil
		}
		begin(count)
		for range count {
			if err := element(); err != nil {
				return at(fmt.Sprintf("[%d]", position), err)
			}
			position++
		}
	}
}

// count reads how many elements a block has, no more than there can be.
func (w *walker) count(n *node) (int, error) {
	count, err := w.long()
	if err != nil || count == 0 {
		return 0, err
	}
	if count < 0 {
		count = -count // the least int64 stays what it is, and is refused below
		if _, err := w.long(); err != nil {
			return 0, err
		}
	}
	least := n.items.least
	if n.kind == kindMap {
		least++ // the length of the key
	}
	switch {
	case count < 0, least > 0 && count > int64(len(w.rest)/least):
		return 0, errCount
	case least == 0:
		if count > emptyMost || w.empty+int(count) > emptyMost {
			return 0, errCount
		}
		w.empty += int(count)
	}
	return int(count), nil
}

// located is an error with the path of the field it is of.
type located struct {
	path string
	err  error
}

func (e *located) Error() string { return "field " + e.path + ": " + e.err.Error() }
func (e *located) Unwrap() error { return e.err }

// at says that err is of the field or element name.
func at(name string, err error) error {
	l, ok := err.(*located)
	switch {
	case !ok:
		return &located{name, err}
	case l.path[0] == '[':
		return &located{name + l.path, l.err}
	}
	return &located{name + "." + l.path, l.err}
}
