package serde

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// List is a list of s, as Java's ListSerializer writes it: a flag for constant size, for such the indexes of nulls, the
// length, then the elements, preceded by their size unless it is constant. Elements may be null where s takes nulls.
func List[T any](s Serde[T]) Serde[[]T] { return listSerde[T]{s} }

type listSerde[T any] struct{ of Serde[T] }

// The flag at the head of a list.
const (
	listConstant = 0
	listVariable = 1
)

const listNull = -1 // the size of a null element

// listElements is the most null elements of a list, which take next to no bytes.
const listElements = 1 << 16

var (
	errShortList = errors.New("serde: list ends early")
	errNullInMid = errors.New("serde: null element in a list whose elements take none: use List(Optional(s))")
)

// fixedSized is a serde whose encodings have one size.
type fixedSized interface{ fixedSize() int }

func (int16Serde) fixedSize() int   { return 2 }
func (int32Serde) fixedSize() int   { return 4 }
func (int64Serde) fixedSize() int   { return 8 }
func (float32Serde) fixedSize() int { return 4 }
func (float64Serde) fixedSize() int { return 8 }
func (uuidSerde) fixedSize() int    { return 36 }

// sizeOf is the constant size of what s writes, 0 if it varies, or if Java's list takes it to.
func sizeOf[T any](s Serde[T]) int {
	if f, ok := s.(fixedSized); ok {
		return f.fixedSize()
	}
	return 0
}

func (s listSerde[T]) String() string        { return "list " + Name(s.of) }
func (s listSerde[T]) Parts() []any          { return []any{s.of} }
func (s listSerde[T]) At(p Place) Serde[[]T] { return listSerde[T]{At(s.of, p)} }

func (s listSerde[T]) Append(dst []byte, v []T) ([]byte, error) {
	if sizeOf(s.of) > 0 {
		return s.appendConstant(dst, v)
	}
	dst = append(dst, listVariable)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(v)))
	for i := range v {
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		out, err := s.of.Append(dst, v[i])
		if err != nil {
			return nil, fmt.Errorf("serde: list element %d: %w", i, err)
		}
		size := listNull
		if out != nil {
			dst = out
			size = len(dst) - at - 4
		} else if !TakesNull(s.of) {
			return nil, fmt.Errorf("serde: list element %d is null", i)
		}
		binary.BigEndian.PutUint32(dst[at:], uint32(size))
	}
	return dst, nil
}

// appendConstant writes elements of one size. The indexes of nulls stand before all elements, so room is made for them
// once it is known which there are.
func (s listSerde[T]) appendConstant(dst []byte, v []T) ([]byte, error) {
	dst = append(dst, listConstant)
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0) // how many nulls
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(v)))
	var nulls []byte
	for i := range v {
		out, err := s.of.Append(dst, v[i])
		if err != nil {
			return nil, fmt.Errorf("serde: list element %d: %w", i, err)
		}
		switch {
		case out != nil:
			dst = out
		case TakesNull(s.of):
			nulls = binary.BigEndian.AppendUint32(nulls, uint32(i))
		default:
			return nil, fmt.Errorf("serde: list element %d is null", i)
		}
	}
	if len(nulls) > 0 {
		binary.BigEndian.PutUint32(dst[at:], uint32(len(nulls)/4))
		at += 4
		dst = append(dst, nulls...)
		copy(dst[at+len(nulls):], dst[at:len(dst)-len(nulls)])
		copy(dst[at:], nulls)
	}
	return dst, nil
}

func (s listSerde[T]) Decode(data []byte) ([]T, error) {
	if data == nil {
		return nil, errNull("list")
	}
	if len(data) == 0 {
		return nil, errShortList
	}
	r, size := listReader{data[1:]}, sizeOf(s.of)
	switch {
	case data[0] == listConstant && size > 0:
		return s.decodeConstant(r, size)
	case data[0] == listVariable && size == 0:
		return s.decodeVariable(r)
	}
	return nil, fmt.Errorf("serde: list flag %d does not fit elements of %s", data[0], Name(s.of))
}

// listReader is what of a list is still to be read.
type listReader struct{ rest []byte }

func (r *listReader) int32() (int, error) {
	if len(r.rest) < 4 {
		return 0, errShortList
	}
	n := int32(binary.BigEndian.Uint32(r.rest))
	r.rest = r.rest[4:]
	return int(n), nil
}

// count reads a number of things that take at least each bytes of what is left.
func (r *listReader) count(each int) (int, error) {
	n, err := r.int32()
	if err == nil && (n < 0 || n > len(r.rest)/each) {
		err = errShortList
	}
	return n, err
}

func (r *listReader) take(i, n int) ([]byte, error) {
	if n < 0 || n > len(r.rest) {
		return nil, fmt.Errorf("serde: list element %d of %d bytes, %d left", i, n, len(r.rest))
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b, nil
}

func (r *listReader) end() error {
	if len(r.rest) > 0 {
		return fmt.Errorf("serde: %d bytes after a list", len(r.rest))
	}
	return nil
}

func (s listSerde[T]) decodeVariable(r listReader) ([]T, error) {
	n, err := r.count(4)
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, n)
	for i := range n {
		size, err := r.int32()
		if err != nil {
			return nil, err
		}
		var b []byte
		if size != listNull {
			if b, err = r.take(i, size); err != nil {
				return nil, err
			}
		}
		if out, err = s.element(out, i, b); err != nil {
			return nil, err
		}
	}
	return out, r.end()
}

func (s listSerde[T]) decodeConstant(r listReader, size int) ([]T, error) {
	count, err := r.count(4)
	if err != nil {
		return nil, err
	}
	nulls := make(map[int]bool, count)
	for range count {
		i, err := r.int32()
		if err != nil {
			return nil, err
		}
		nulls[i] = true
	}
	n, err := r.int32()
	if err != nil {
		return nil, err
	}
	if n < 0 || len(nulls) > listElements || n-len(nulls) > len(r.rest)/size {
		return nil, errShortList
	}
	out := make([]T, 0, n)
	for i := range n {
		var b []byte
		if !nulls[i] {
			if b, err = r.take(i, size); err != nil {
				return nil, err
			}
		}
		if out, err = s.element(out, i, b); err != nil {
			return nil, err
		}
	}
	return out, r.end()
}

func (s listSerde[T]) element(out []T, i int, b []byte) ([]T, error) {
	if b == nil && !TakesNull(s.of) {
		return nil, errNullInMid
	}
	v, err := s.of.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("serde: list element %d: %w", i, err)
	}
	return append(out, v), nil
}
