package protobuf_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/protobuf"
)

func sample(t testing.TB) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(map[string]any{"a": 1.5, "b": []any{"x", nil, true}, "c": map[string]any{"d": "e"}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestMessagesComeBack writes and reads a message in both formats, and compares with the bare library.
func TestMessagesComeBack(t *testing.T) {
	want := sample(t)
	bare, err := proto.MarshalOptions{Deterministic: true}.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []serde.Serde[*structpb.Struct]{protobuf.Of[*structpb.Struct](), protobuf.JSON[*structpb.Struct](), must(serde.For[*structpb.Struct]())(t)} {
		b, err := s.Append([]byte("x"), want)
		if err != nil || b[0] != 'x' {
			t.Fatalf("%s: %x, %v", serde.Name(s), b, err)
		}
		got, err := s.Decode(b[1:])
		if err != nil || !proto.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", serde.Name(s), got, err, want)
		}
		if !strings.HasPrefix(serde.Name(s), "protojson") && !bytes.Equal(b[1:], bare) {
			t.Errorf("%s: written as %x, want %x", serde.Name(s), b[1:], bare)
		}
		for _, bad := range [][]byte{nil, {0xff}, []byte(`{"a":`)} {
			if v, err := s.Decode(bad); err == nil {
				t.Errorf("%s: %q is read as %v", serde.Name(s), bad, v)
			}
		}
	}
}

// TestUnknownFieldsStay reads a message as one that knows less, writes it, and reads it as what it was.
func TestUnknownFieldsStay(t *testing.T) {
	at := timestamppb.Timestamp{Seconds: 7, Nanos: 9}
	b, err := protobuf.Of[*timestamppb.Timestamp]().Append([]byte{}, &at)
	if err != nil {
		t.Fatal(err)
	}
	less, err := protobuf.Of[*wrapperspb.Int64Value]().Decode(b) // has the first field alone
	if err != nil || less.Value != 7 {
		t.Fatal(less, err)
	}
	if b, err = protobuf.Of[*wrapperspb.Int64Value]().Append([]byte{}, less); err != nil {
		t.Fatal(err)
	}
	if got, err := protobuf.Of[*timestamppb.Timestamp]().Decode(b); err != nil || !proto.Equal(got, &at) {
		t.Errorf("%v, %v; want %v", got, err, &at)
	}
}

// TestDeepMessagesAreRefused nests lists deeper than any program means.
func TestDeepMessagesAreRefused(t *testing.T) {
	v := structpb.NewNullValue()
	for range 3000 {
		v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
	}
	b, err := proto.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := protobuf.Of[*structpb.Value]().Decode(b); err == nil {
		t.Error("read")
	}
}

// TestFaults shows what Build reports.
func TestFaults(t *testing.T) {
	if serde.Fault(protobuf.Of[proto.Message]()) == nil || serde.Fault(protobuf.JSON[proto.Message]()) == nil {
		t.Error("an interface is taken for a message")
	}
	if err := serde.Fault(protobuf.Of[*structpb.Struct]()); err != nil {
		t.Error(err)
	}
}

// TestAppendAllocatesNothing holds for messages without maps, whose keys would have to be sorted.
func TestAppendAllocatesNothing(t *testing.T) {
	s, m, buf := protobuf.Of[*timestamppb.Timestamp](), &timestamppb.Timestamp{Seconds: 1 << 40, Nanos: 5}, make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.Append(buf, m); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzDecode hands any bytes to both decoders.
func FuzzDecode(f *testing.F) {
	b, err := proto.Marshal(sample(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"a":[1,"x",null,{"b":true}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range []serde.Serde[*structpb.Struct]{protobuf.Of[*structpb.Struct](), protobuf.JSON[*structpb.Struct]()} {
			v, err := s.Decode(data)
			if err != nil {
				continue
			}
			once, err := s.Append([]byte{}, v)
			if err != nil {
				continue // a Value without a kind, or with a NaN, has no JSON
			}
			again, err := s.Decode(once)
			if err != nil {
				t.Fatalf("%s: %v is written as %q, which cannot be read: %v", serde.Name(s), v, once, err)
			}
			if twice, err := s.Append([]byte{}, again); err != nil || !bytes.Equal(once, twice) {
				t.Errorf("%s: %v is written as %q, then as %q, %v", serde.Name(s), v, once, twice, err)
			}
		}
	})
}

// BenchmarkMessage compares with the bare library.
func BenchmarkMessage(b *testing.B) {
	m := &timestamppb.Timestamp{Seconds: 1 << 40, Nanos: 5}
	s, buf := protobuf.Of[*timestamppb.Timestamp](), make([]byte, 0, 64)
	data, err := proto.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	for name, f := range map[string]func() error{
		"append/bare":  func() error { _, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(buf, m); return err },
		"append/serde": func() error { _, err := s.Append(buf, m); return err },
		"decode/bare":  func() error { return proto.Unmarshal(data, new(timestamppb.Timestamp)) },
		"decode/serde": func() error { _, err := s.Decode(data); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func must[T any](s serde.Serde[T], err error) func(testing.TB) serde.Serde[T] {
	return func(t testing.TB) serde.Serde[T] {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func ExampleOf() {
	s := protobuf.Of[*wrapperspb.StringValue]()
	b, err := s.Append([]byte{}, wrapperspb.String("hi"))
	fmt.Printf("%x %v\n", b, err)
	v, err := s.Decode(b)
	fmt.Println(v.GetValue(), err)
	// Output:
	// 0a026869 <nil>
	// hi <nil>
}
