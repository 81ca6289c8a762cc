package serde

import (
	"encoding"
	"fmt"
	"reflect"
)

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

func (s optionalSerde[T]) String() string           { return "optional " + Name(s.of) }
func (optionalSerde[T]) nullable() bool             { return true }
func (s optionalSerde[T]) fixedSize() int           { return sizeOf(s.of) }
func (s optionalSerde[T]) Parts() []any             { return []any{s.of} }
func (s optionalSerde[T]) At(p Place) Serde[Opt[T]] { return optionalSerde[T]{At(s.of, p)} }

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
