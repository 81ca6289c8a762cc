package registry

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/thalweg/thalweg/internal/protofile"
)

// protobufSchema is a .proto file.
type protobufSchema struct{ file protoreflect.FileDescriptor }

func importsOf(refs []referred) map[string]string {
	m := map[string]string{}
	for _, r := range refs {
		m[r.name] = r.text
	}
	return m
}

func parseProtobuf(text string, refs []referred) (parsed, error) {
	fd, err := protofile.Parse(text, importsOf(refs))
	if err != nil {
		return nil, err
	}
	if fd.Messages().Len() == 0 && fd.Enums().Len() == 0 {
		return nil, fmt.Errorf("it declares nothing")
	}
	return protobufSchema{fd}, nil
}

// form is the descriptor without what does not belong to the schema: the file's name, comments, names in JSON that are
// the default ones.
func (s protobufSchema) form() (string, error) {
	fd := protodesc.ToFileDescriptorProto(s.file)
	fd.Name, fd.SourceCodeInfo = nil, nil
	if fd.GetSyntax() == "proto2" {
		fd.Syntax = nil
	}
	for _, m := range fd.MessageType {
		dropJSONNames(m)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(fd)
	return string(b), err
}

func dropJSONNames(m *descriptorpb.DescriptorProto) {
	for _, f := range m.Field {
		if f.GetJsonName() == protofile.JSONName(f.GetName()) {
			f.JsonName = nil
		}
	}
	for _, in := range m.NestedType {
		dropJSONNames(in)
	}
}

// mismatches goes by the rules of the Confluent Schema Registry: what would be read wrongly from the wire, or lost.
func (s protobufSchema) mismatches(writer parsed) []string {
	w := writer.(protobufSchema).file
	if s.file.Package() != w.Package() {
		return []string{fmt.Sprintf("package %q was written, %q is read", w.Package(), s.file.Package())}
	}
	d := protobufDiff{}
	d.messages(s.file.Messages(), w.Messages())
	return d.faults
}

// protobufDiff compares what is read with what was written.
type protobufDiff struct{ faults []string }

func (d *protobufDiff) fault(format string, args ...any) {
	d.faults = append(d.faults, fmt.Sprintf(format, args...))
}

func (d *protobufDiff) messages(r, w protoreflect.MessageDescriptors) {
	for i := range w.Len() {
		wm := w.Get(i)
		if wm.IsMapEntry() {
			continue // by way of its field
		}
		if rm := r.ByName(wm.Name()); rm == nil {
			d.fault("message %s is gone", wm.FullName())
		} else {
			d.message(rm, wm)
		}
	}
}

func (d *protobufDiff) message(r, w protoreflect.MessageDescriptor) {
	d.messages(r.Messages(), w.Messages())
	moved := map[protoreflect.Name]int{} // fields that have come into a oneof
	for i := range w.Fields().Len() {
		wf := w.Fields().Get(i)
		rf := r.Fields().ByNumber(wf.Number())
		switch {
		case rf != nil:
			d.field(rf, wf)
			if o := rf.ContainingOneof(); o != nil && !o.IsSynthetic() && (wf.ContainingOneof() == nil || wf.ContainingOneof().IsSynthetic()) {
				moved[o.Name()]++
			}
		case wf.ContainingOneof() != nil && !wf.ContainingOneof().IsSynthetic():
			d.fault("field %s of oneof %s is gone", wf.FullName(), wf.ContainingOneof().Name())
		case wf.Cardinality() == protoreflect.Required:
			d.fault("required field %s is gone", wf.FullName())
		}
	}
	for i := range r.Fields().Len() {
		rf := r.Fields().Get(i)
		if rf.Cardinality() == protoreflect.Required && w.Fields().ByNumber(rf.Number()) == nil {
			d.fault("required field %s is new", rf.FullName())
		}
	}
	for name, n := range moved {
		if n > 1 {
			d.fault("%d fields of %s have come into oneof %s, which keeps one of them", n, r.FullName(), name)
		}
	}
}

// wireGroup is how a scalar is on the wire: kinds of one group read each other's values.
func wireGroup(k protoreflect.Kind) string {
	switch k {
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.BoolKind, protoreflect.EnumKind:
		return "varint"
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return "zigzag"
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return "fixed32"
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return "fixed64"
	case protoreflect.StringKind, protoreflect.BytesKind:
		return "bytes"
	}
	return k.String()
}

func (d *protobufDiff) field(r, w protoreflect.FieldDescriptor) {
	if wireGroup(r.Kind()) != wireGroup(w.Kind()) {
		d.fault("field %s (%d): %s was written, %s is read", w.FullName(), w.Number(), w.Kind(), r.Kind())
		return
	}
	length := r.Kind() == protoreflect.MessageKind || wireGroup(r.Kind()) == "bytes"
	if r.IsList() != w.IsList() && !length && !r.IsMap() && !w.IsMap() {
		d.fault("field %s (%d): repeated on one side alone", w.FullName(), w.Number())
	}
	if r.IsMap() != w.IsMap() {
		d.fault("field %s (%d): a map on one side alone", w.FullName(), w.Number())
		return
	}
	if r.IsMap() {
		d.field(r.MapKey(), w.MapKey())
		d.field(r.MapValue(), w.MapValue())
		return
	}
	if m := r.Message(); m != nil && m.FullName() != w.Message().FullName() {
		d.fault("field %s (%d): message %s was written, %s is read", w.FullName(), w.Number(), w.Message().FullName(), m.FullName())
	}
}
