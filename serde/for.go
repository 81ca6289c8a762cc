package serde

import (
	"encoding"
	"fmt"
	"reflect"
	"sync/atomic"
)

// scalars are the types For knows by heart.
var scalars = map[reflect.Type]any{
	reflect.TypeFor[string]():   String,
	reflect.TypeFor[[]byte]():   Bytes,
	reflect.TypeFor[bool]():     Bool,
	reflect.TypeFor[int16]():    Int16,
	reflect.TypeFor[int32]():    Int32,
	reflect.TypeFor[int64]():    Int64,
	reflect.TypeFor[float32]():  Float32,
	reflect.TypeFor[float64]():  Float64,
	reflect.TypeFor[[16]byte](): UUID,
	reflect.TypeFor[Void]():     None,
	reflect.TypeFor[int]():      intSerde{},
}

// intSerde is int as an int64, so that a program reads the same bytes on every machine.
type intSerde struct{}

func (intSerde) String() string { return "int" }

func (intSerde) Append(dst []byte, v int) ([]byte, error) { return Int64.Append(dst, int64(v)) }

func (intSerde) Decode(data []byte) (int, error) {
	v, err := Int64.Decode(data)
	return int(v), err
}

// Messages encodes values of every protobuf type there is: Append appends the encoding of v, Decode returns a new value
// of that type.
type Messages interface {
	Append(dst []byte, v any) ([]byte, error)
	Decode(t reflect.Type, data []byte) (any, error)
}

// messages is what RegisterMessages was given; nil in a program without protobuf.
var messages atomic.Pointer[Messages]

// RegisterMessages puts protobuf messages into the table of [For]. Package serde/protobuf does so when it is imported;
// this package knows the standard library alone.
func RegisterMessages(m Messages) { messages.Store(&m) }

type messageSerde[T any] struct{ of Messages }

func (messageSerde[T]) String() string { return "protobuf " + reflect.TypeFor[T]().String() }

func (s messageSerde[T]) Append(dst []byte, v T) ([]byte, error) { return s.of.Append(dst, v) }

func (s messageSerde[T]) Decode(data []byte) (v T, err error) {
	if data == nil {
		return v, errNull(reflect.TypeFor[T]().String())
	}
	x, err := s.of.Decode(reflect.TypeFor[T](), data)
	if err != nil {
		return v, err
	}
	return x.(T), nil
}

// For is the default for T, by the first of these rules that fits:
//
//   - an [Opt] is what it holds, absent as null;
//   - a scalar of this package, [Void], or int, which is written as an int64;
//   - a protobuf message, once package serde/protobuf is imported. Without it a message is an error: JSON would lose
//     fields of it;
//   - encoding.BinaryMarshaler on T with encoding.BinaryUnmarshaler on *T, as time.Time has them: [Binary];
//   - what JSON cannot write (functions, channels, complex numbers) is an error;
//   - [JSON].
func For[T any]() (Serde[T], error) { return ForUsing[T](func(reflect.Type) any { return nil }) }

// ForUsing is For with a serde of the caller's for some types: given returns it, nil for others.
func ForUsing[T any](given func(reflect.Type) any) (Serde[T], error) {
	t := reflect.TypeFor[T]()
	if s, ok := given(t).(Serde[T]); ok {
		return s, nil
	}
	if o, ok := any(*new(T)).(interface {
		optional(func(reflect.Type) any) (any, error)
	}); ok {
		s, err := o.optional(given)
		if err != nil {
			return nil, err
		}
		return s.(Serde[T]), nil
	}
	if s, ok := scalars[t]; ok {
		return s.(Serde[T]), nil
	}
	if _, ok := t.MethodByName("ProtoReflect"); ok {
		m := messages.Load()
		if m == nil {
			return nil, fmt.Errorf("serde: %s is a protobuf message: import package serde/protobuf, or give a serde with Builder.Use", t)
		}
		return messageSerde[T]{*m}, nil
	}
	_, marshals := any(*new(T)).(encoding.BinaryMarshaler)
	_, unmarshals := any(new(T)).(encoding.BinaryUnmarshaler)
	if marshals && unmarshals {
		return binarySerde[T]{}, nil
	}
	switch t.Kind() {
	case reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return nil, fmt.Errorf("serde: no default for %s: give a serde with Builder.Use", t)
	}
	return JSON[T](), nil
}

// optional returns the serde of Opt[T] for ForUsing, which cannot name the T within.
func (Opt[T]) optional(given func(reflect.Type) any) (any, error) {
	s, err := ForUsing[T](given)
	if err != nil {
		return nil, err
	}
	return Optional(s), nil
}

// Name is what s calls itself in descriptions, lock files and stores: its String method's answer, else its type.
func Name[T any](s Serde[T]) string {
	if n, ok := s.(fmt.Stringer); ok {
		return n.String()
	}
	return fmt.Sprintf("%T", s)
}
