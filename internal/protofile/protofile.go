// Package protofile turns protobuf schemas as registries keep them, the text of a .proto file or a serialized descriptor
// in base64, into descriptors and back.
package protofile

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Own is the name of a file whose text does not say one.
const Own = "schema.proto"

// Parse reads a schema: text, or a descriptor in base64. imports are the schemas it imports by their paths, in the same
// two forms; what stands under google/protobuf/ is known.
func Parse(schema string, imports map[string]string) (protoreflect.FileDescriptor, error) {
	name := Own
	files := map[string]protocompile.SearchResult{}
	for path, text := range imports {
		files[path] = searchResult(path, text)
	}
	if fd := Serialized(schema); fd.GetName() != "" {
		name = fd.GetName()
	}
	files[name] = searchResult(name, schema)
	c := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
			if r, ok := files[path]; ok {
				return r, nil
			}
			return protocompile.SearchResult{}, fmt.Errorf("it imports %q, which no reference names", path)
		})),
		MaxParallelism: 1,
	}
	fds, err := c.Compile(context.Background(), name)
	if err != nil {
		return nil, fmt.Errorf("protobuf schema: %w", err)
	}
	return fds[0], nil
}

// searchResult is a schema as the compiler takes it, under the path by which it is imported.
func searchResult(path, schema string) protocompile.SearchResult {
	fd := Serialized(schema)
	if fd == nil {
		return protocompile.SearchResult{Source: strings.NewReader(schema)}
	}
	fd.Name = proto.String(path)
	for _, m := range fd.MessageType {
		nameJSON(m)
	}
	for _, f := range fd.Extension {
		f.JsonName = proto.String(cmp.Or(f.GetJsonName(), JSONName(f.GetName())))
	}
	return protocompile.SearchResult{Proto: fd}
}

// nameJSON gives fields their names in JSON, which generated code leaves out and the compiler asks for.
func nameJSON(m *descriptorpb.DescriptorProto) {
	for _, f := range slices.Concat(m.Field, m.Extension) {
		f.JsonName = proto.String(cmp.Or(f.GetJsonName(), JSONName(f.GetName())))
	}
	for _, in := range m.NestedType {
		nameJSON(in)
	}
}

// JSONName is the name of a field in JSON by default: lowerCamelCase.
func JSONName(name string) string {
	b, upper := []byte{}, false
	for i := range len(name) {
		c := name[i]
		if c != '_' {
			if upper && 'a' <= c && c <= 'z' {
				c -= 'a' - 'A'
			}
			b = append(b, c)
		}
		upper = c == '_'
	}
	return string(b)
}

// Serialized returns the descriptor that schema has in base64, nil if it is something else, such as text.
func Serialized(schema string) *descriptorpb.FileDescriptorProto {
	b, err := base64.StdEncoding.DecodeString(schema)
	if err != nil || len(b) == 0 {
		return nil
	}
	var fd descriptorpb.FileDescriptorProto
	if proto.Unmarshal(b, &fd) != nil {
		return nil
	}
	return &fd
}

// Serialize returns the descriptor of a file in base64.
func Serialize(fd protoreflect.FileDescriptor) (string, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(protodesc.ToFileDescriptorProto(fd))
	if err != nil {
		return "", fmt.Errorf("protobuf schema: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

// WellKnown reports whether a path is of a file that everybody has.
func WellKnown(path string) bool { return strings.HasPrefix(path, "google/protobuf/") }

// Indexes returns the way from the file to a message: the index of the outermost, then of each within.
func Indexes(m protoreflect.MessageDescriptor) []int {
	if outer, ok := m.Parent().(protoreflect.MessageDescriptor); ok {
		return append(Indexes(outer), m.Index())
	}
	return []int{m.Index()}
}

// Message returns the message at the end of that way, nil if there is none.
func Message(fd protoreflect.FileDescriptor, indexes []int) protoreflect.MessageDescriptor {
	var m protoreflect.MessageDescriptor
	in := fd.Messages()
	for _, i := range indexes {
		if i < 0 || i >= in.Len() {
			return nil
		}
		m = in.Get(i)
		in = m.Messages()
	}
	return m
}
