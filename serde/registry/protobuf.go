package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/thalweg/thalweg/internal/protofile"
	"github.com/thalweg/thalweg/internal/registry/rest"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/protobuf"
)

// protobufFormat is one message type.
type protobufFormat[T proto.Message] struct {
	of      serde.Serde[T]
	message protoreflect.MessageDescriptor
	indexes []byte // as they are written
}

func newProtobuf[T proto.Message]() *protobufFormat[T] {
	f := &protobufFormat[T]{of: protobuf.Of[T]()}
	if f.fault() == nil {
		f.message = (*new(T)).ProtoReflect().Descriptor()
		f.indexes = appendIndexes(nil, protofile.Indexes(f.message))
	}
	return f
}

func (f *protobufFormat[T]) kind() string   { return rest.Protobuf }
func (f *protobufFormat[T]) fault() error   { return serde.Fault(f.of) }
func (f *protobufFormat[T]) record() string { return string(f.message.FullName()) }

func (f *protobufFormat[T]) schema(ctx context.Context, c *Client) (rest.Schema, error) {
	return fileSchema(ctx, c, f.message.ParentFile())
}

// fileSchema is the schema of a file. What it imports is registered under its path, beforehand.
func fileSchema(ctx context.Context, c *Client, fd protoreflect.FileDescriptor) (s rest.Schema, err error) {
	s.Type = rest.Protobuf
	for i := range fd.Imports().Len() {
		in := fd.Imports().Get(i)
		if protofile.WellKnown(in.Path()) {
			continue
		}
		dep, err := fileSchema(ctx, c, in.FileDescriptor)
		if err != nil {
			return s, err
		}
		if _, err := c.register(ctx, in.Path(), dep); err != nil {
			return s, err
		}
		version, err := c.version(ctx, in.Path(), dep)
		if err != nil {
			return s, fmt.Errorf("subject %q: %w", in.Path(), err)
		}
		s.References = append(s.References, rest.Reference{Name: in.Path(), Subject: in.Path(), Version: version})
	}
	s.Text, err = protofile.Serialize(fd)
	return s, err
}

func (f *protobufFormat[T]) append(dst []byte, v T) ([]byte, error) {
	return f.of.Append(append(dst, f.indexes...), v)
}

func (f *protobufFormat[T]) reader(s *schema) (func([]byte) (T, error), error) {
	imports := map[string]string{}
	for _, r := range s.refs {
		imports[r.name] = r.text
	}
	fd, err := protofile.Parse(s.text, imports)
	if err != nil {
		return nil, err
	}
	// Nearly always it is the message at its own place, which one comparison tells: no list of indexes begins with another.
	own := f.indexes
	if m := protofile.Message(fd, protofile.Indexes(f.message)); m == nil || m.FullName() != f.message.FullName() {
		own = nil // it stands elsewhere in the writer's file
	}
	return func(payload []byte) (v T, err error) {
		if own != nil && bytes.HasPrefix(payload, own) {
			return f.of.Decode(payload[len(own):])
		}
		indexes, data, err := readIndexes(payload)
		if err != nil {
			return v, err
		}
		m := protofile.Message(fd, indexes)
		if m == nil {
			return v, fmt.Errorf("it has no message at %v", indexes)
		}
		if m.FullName() != f.message.FullName() {
			return v, fmt.Errorf("it is of message %s, want %s", m.FullName(), f.message.FullName())
		}
		return f.of.Decode(data)
	}, nil
}

// readable asks the registry, which compares by its level of compatibility.
func (f *protobufFormat[T]) readable(ctx context.Context, c *Client, subject string, old rest.Schema) error {
	s, err := f.schema(ctx, c)
	if err != nil {
		return err
	}
	return c.compatible(ctx, subject, s, old.Version)
}

// compatible asks the registry whether a schema may follow a version.
func (c *Client) compatible(ctx context.Context, subject string, s rest.Schema, version int) error {
	var got rest.Compatibility
	path := fmt.Sprintf("/compatibility/subjects/%s/versions/%d?verbose=true", escape(subject), version)
	if err := c.ask(ctx, "POST", path, s, &got); err != nil {
		return err
	}
	if !got.Compatible {
		return errors.New(strings.Join(append(got.Messages, "the registry says that it is incompatible"), "; "))
	}
	return nil
}
