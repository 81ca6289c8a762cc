package serde

import (
	"encoding"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// JSON is encoding/json for T.
func JSON[T any]() Serde[T] { return jsonSerde[T]{} }

type jsonSerde[T any] struct{}

func (jsonSerde[T]) String() string { return "json " + reflect.TypeFor[T]().String() }

func (jsonSerde[T]) Append(dst []byte, v T) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("serde: %w", err)
	}
	return append(dst, b...), nil
}

func (jsonSerde[T]) Decode(data []byte) (v T, err error) {
	if data == nil {
		return v, errNull("JSON text")
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("serde: %w", err)
	}
	return v, nil
}

// Binary is encoding.BinaryMarshaler and its counterpart on *T.
func Binary[T encoding.BinaryMarshaler]() Serde[T] { return binarySerde[T]{} }

type binarySerde[T any] struct{}

func (binarySerde[T]) String() string { return "binary " + reflect.TypeFor[T]().String() }

func (binarySerde[T]) Append(dst []byte, v T) ([]byte, error) {
	if a, ok := any(v).(encoding.BinaryAppender); ok {
		return a.AppendBinary(dst)
	}
	b, err := any(v).(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("serde: %w", err)
	}
	return append(dst, b...), nil
}

func (binarySerde[T]) Decode(data []byte) (v T, err error) {
	if data == nil {
		return v, errNull(reflect.TypeFor[T]().String())
	}
	u, ok := any(&v).(encoding.BinaryUnmarshaler)
	if !ok {
		return v, fmt.Errorf("serde: *%T has no UnmarshalBinary", v)
	}
	if err := u.UnmarshalBinary(data); err != nil {
		return v, fmt.Errorf("serde: %w", err)
	}
	return v, nil
}

// Text is encoding.TextMarshaler and its counterpart on *T.
func Text[T encoding.TextMarshaler]() Serde[T] { return textSerde[T]{} }

type textSerde[T encoding.TextMarshaler] struct{}

func (textSerde[T]) String() string { return "text " + reflect.TypeFor[T]().String() }

func (textSerde[T]) Append(dst []byte, v T) ([]byte, error) {
	b, err := v.MarshalText()
	if err != nil {
		return nil, fmt.Errorf("serde: %w", err)
	}
	return append(dst, b...), nil
}

func (textSerde[T]) Decode(data []byte) (v T, err error) {
	if data == nil {
		return v, errNull("text")
	}
	u, ok := any(&v).(encoding.TextUnmarshaler)
	if !ok {
		return v, fmt.Errorf("serde: *%T has no UnmarshalText", v)
	}
	if err := u.UnmarshalText(data); err != nil {
		return v, fmt.Errorf("serde: %w", err)
	}
	return v, nil
}

// Optional maps null to the absent value and back.
func Optional[T any](s Serde[T]) Serde[Opt[T]] { return optionalSerde[T]{s} }

type optionalSerde[T any] struct{ of Serde[T] }

func (s optionalSerde[T]) String() string { return "optional " + Name(s.of) }
func (optionalSerde[T]) nullable() bool   { return true }

func (s optionalSerde[T]) single() Serde[Opt[T]] { return optionalSerde[T]{Single(s.of)} }

func (s optionalSerde[T]) Append(dst []byte, v Opt[T]) ([]byte, error) {
	if !v.OK {
		return nil, nil
	}
	return s.of.Append(dst, v.Value)
}

func (s optionalSerde[T]) Decode(data []byte) (Opt[T], error) {
	if data == nil {
		return Opt[T]{}, nil
	}
	v, err := s.of.Decode(data)
	return Opt[T]{v, err == nil}, err
}

// Of is a serde made of two functions.
func Of[T any](app func(dst []byte, v T) ([]byte, error), dec func(data []byte) (T, error)) Serde[T] {
	return &funcSerde[T]{app, dec}
}

type funcSerde[T any] struct {
	app func([]byte, T) ([]byte, error)
	dec func([]byte) (T, error)
}

func (s *funcSerde[T]) String() string                         { return "func " + reflect.TypeFor[T]().String() }
func (s *funcSerde[T]) Append(dst []byte, v T) ([]byte, error) { return s.app(dst, v) }

func (s *funcSerde[T]) Decode(data []byte) (v T, err error) {
	if data == nil {
		return v, errNull(reflect.TypeFor[T]().String())
	}
	return s.dec(data)
}

// List is a list of s, as Java's ListSerializer writes it: a flag for constant size, for such the indexes of nulls, the
// length, then the elements, preceded by their size unless it is constant. Null elements are refused.
func List[T any](s Serde[T]) Serde[[]T] { return listSerde[T]{s} }

type listSerde[T any] struct{ of Serde[T] }

// The flag at the head of a list.
const (
	listConstant = 0
	listVariable = 1
)

func (s listSerde[T]) String() string { return "list " + Name(s.of) }

// size is the constant size of an element, 0 if it varies.
func (s listSerde[T]) size() int {
	switch any(s.of).(type) {
	case int16Serde:
		return 2
	case int32Serde, float32Serde:
		return 4
	case int64Serde, float64Serde:
		return 8
	case uuidSerde:
		return 36
	}
	return 0
}

func (s listSerde[T]) Append(dst []byte, v []T) ([]byte, error) {
	constant := s.size() > 0
	if constant {
		dst = append(dst, listConstant, 0, 0, 0, 0) // no nulls
	} else {
		dst = append(dst, listVariable)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(v)))
	for i := range v {
		at := len(dst)
		if !constant {
			dst = append(dst, 0, 0, 0, 0)
		}
		out, err := s.of.Append(dst, v[i])
		if err != nil {
			return nil, fmt.Errorf("serde: list element %d: %w", i, err)
		}
		if out == nil {
			return nil, fmt.Errorf("serde: list element %d is null", i)
		}
		dst = out
		if !constant {
			binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
		}
	}
	return dst, nil
}

var errShortList = errors.New("serde: list ends early")

func (s listSerde[T]) Decode(data []byte) ([]T, error) {
	if data == nil {
		return nil, errNull("list")
	}
	if len(data) == 0 {
		return nil, errShortList
	}
	flag, data, size := data[0], data[1:], s.size()
	switch {
	case flag == listConstant && size > 0:
		if len(data) < 4 {
			return nil, errShortList
		}
		if n := binary.BigEndian.Uint32(data); n != 0 {
			return nil, fmt.Errorf("serde: list with %d null elements", n)
		}
		data = data[4:]
	case flag == listVariable && size == 0:
	default:
		return nil, fmt.Errorf("serde: list flag %d does not fit elements of %s", flag, Name(s.of))
	}
	if len(data) < 4 {
		return nil, errShortList
	}
	n := binary.BigEndian.Uint32(data)
	data = data[4:]
	least := size
	if least == 0 {
		least = 4 // the size before each
	}
	if uint64(n)*uint64(least) > uint64(len(data)) {
		return nil, errShortList
	}
	return s.elements(data, int(n), size)
}

func (s listSerde[T]) elements(data []byte, n, size int) ([]T, error) {
	out := make([]T, 0, n)
	for i := range n {
		take := size
		if size == 0 {
			if len(data) < 4 {
				return nil, errShortList
			}
			take = int(int32(binary.BigEndian.Uint32(data)))
			data = data[4:]
		}
		if take < 0 || take > len(data) {
			return nil, fmt.Errorf("serde: list element %d of %d bytes, %d left", i, take, len(data))
		}
		v, err := s.of.Decode(data[:take:take])
		if err != nil {
			return nil, fmt.Errorf("serde: list element %d: %w", i, err)
		}
		out, data = append(out, v), data[take:]
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("serde: %d bytes after a list", len(data))
	}
	return out, nil
}
