// Package protobuf encodes protobuf messages: [Of] in the wire format, [JSON] as protojson. Importing it teaches
// serde.For about messages. Package serde/registry puts a schema registry before them.
//
// Fields that a message does not know are kept and written again, so a program that is a version behind loses nothing
// (JSON drops them). The wire format is written with maps in the order of their keys, so that one program writes equal
// messages as equal bytes; between versions and languages protobuf promises no such thing, so a message makes a poor
// key of a record.
package protobuf

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/thalweg/thalweg/serde"
)

// depth is how deep messages may lie within each other.
const depth = 1000

var (
	writes = proto.MarshalOptions{Deterministic: true}
	reads  = proto.UnmarshalOptions{RecursionLimit: depth, Merge: true} // the message is new: nothing in it to reset
)

// Of is the wire format of T, a pointer to a generated message. A nil T is written as an empty message.
func Of[T proto.Message]() serde.Serde[T] {
	if faultOf[T]() != nil {
		return wire[T]{}
	}
	return wire[T]{reflect.TypeFor[T]().Elem()}
}

// wire is compared by its type. It makes messages by reflect, which is quicker than by their own description.
type wire[T proto.Message] struct{ of reflect.Type }

func (wire[T]) String() string { return "protobuf " + nameOf[T]() }

// Fault says whether messages of T can be made.
func (wire[T]) Fault() error { return faultOf[T]() }

func (wire[T]) Append(dst []byte, v T) ([]byte, error) { return appendTo(dst, v) }

func (s wire[T]) Decode(data []byte) (v T, err error) {
	if data == nil {
		return v, errNull(v)
	}
	v = reflect.New(s.of).Interface().(T)
	return v, read(data, v)
}

// JSON is T as protojson has it. Members that T does not have are an error.
func JSON[T proto.Message]() serde.Serde[T] { return text[T]{typeOf[T]()} }

type text[T proto.Message] struct{ of protoreflect.MessageType }

func (text[T]) String() string { return "protojson " + nameOf[T]() }

// Fault says whether messages of T can be made.
func (text[T]) Fault() error { return faultOf[T]() }

func (text[T]) Append(dst []byte, v T) ([]byte, error) {
	out, err := protojson.MarshalOptions{}.MarshalAppend(dst, v)
	if err != nil {
		return nil, fmt.Errorf("protobuf: %s: %w", nameOf[T](), err)
	}
	return out, nil
}

func (s text[T]) Decode(data []byte) (v T, err error) {
	if data == nil {
		return v, errNull(v)
	}
	v = s.of.New().Interface().(T)
	if err := (protojson.UnmarshalOptions{RecursionLimit: depth}).Unmarshal(data, v); err != nil {
		return v, fmt.Errorf("protobuf: %s: %w", nameOf[T](), err)
	}
	return v, nil
}

// typeOf is what makes messages of type T, nil for a T that is faulty.
func typeOf[T proto.Message]() protoreflect.MessageType {
	if faultOf[T]() != nil {
		return nil
	}
	var v T
	return v.ProtoReflect().Type()
}

// faultOf says whether messages of T can be made: of an interface they cannot.
func faultOf[T proto.Message]() error {
	if t := reflect.TypeFor[T](); t.Kind() != reflect.Pointer {
		return fmt.Errorf("protobuf: %s is no generated message: want a pointer to one", t)
	}
	return nil
}

func nameOf[T proto.Message]() string {
	if faultOf[T]() != nil {
		return reflect.TypeFor[T]().String()
	}
	var v T
	return string(v.ProtoReflect().Descriptor().FullName())
}

func errNull(m proto.Message) error {
	return fmt.Errorf("protobuf: null where a %s was expected", m.ProtoReflect().Descriptor().FullName())
}

func appendTo(dst []byte, m proto.Message) ([]byte, error) {
	out, err := writes.MarshalAppend(dst, m)
	if err != nil {
		return nil, fmt.Errorf("protobuf: %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return out, nil
}

// read decodes data into m, which is new.
func read(data []byte, m proto.Message) error {
	if err := reads.Unmarshal(data, m); err != nil {
		return fmt.Errorf("protobuf: %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return nil
}

func init() { serde.RegisterMessages(messages{}) }

// messages is every type at once, for serde.For.
type messages struct{}

func (messages) Append(dst []byte, v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("protobuf: %T is no message", v)
	}
	return appendTo(dst, m)
}

func (messages) Decode(t reflect.Type, data []byte) (any, error) {
	zero, ok := reflect.Zero(t).Interface().(proto.Message)
	if !ok {
		return nil, fmt.Errorf("protobuf: %s is no message", t)
	}
	m := zero.ProtoReflect().New().Interface()
	return m, read(data, m)
}
