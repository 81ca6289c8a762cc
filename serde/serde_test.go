package serde_test

import (
	"bytes"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
)

// roundTrip checks the bytes of v and that they decode to v again.
func roundTrip[T any](t *testing.T, s serde.Serde[T], v T, want []byte) {
	t.Helper()
	got, err := s.Append([]byte("x"), v)
	if err != nil || !bytes.Equal(got, append([]byte("x"), want...)) {
		t.Errorf("%s: %v is written as %x, %v; want %x behind the prefix", serde.Name(s), v, got, err, want)
		return
	}
	for _, s := range []serde.Serde[T]{s, serde.Single(s)} {
		back, err := s.Decode(want)
		if err != nil || !reflect.DeepEqual(back, v) {
			t.Errorf("%s: %x is read as %v, %v; want %v", serde.Name(s), want, back, err, v)
		}
	}
}

// TestScalarsAreJavas compares with the bytes that Java's serializers write.
func TestScalarsAreJavas(t *testing.T) {
	roundTrip(t, serde.String, "größe", []byte("gr\xc3\xb6\xc3\x9fe"))
	roundTrip(t, serde.String, "", []byte{})
	roundTrip(t, serde.Bytes, []byte{1, 2}, []byte{1, 2})
	roundTrip(t, serde.Bool, true, []byte{1})
	roundTrip(t, serde.Int16, -2, []byte{0xff, 0xfe})
	roundTrip(t, serde.Int32, 1<<24+5, []byte{1, 0, 0, 5})
	roundTrip(t, serde.Int64, -1, []byte{255, 255, 255, 255, 255, 255, 255, 255})
	roundTrip(t, serde.Float32, 1.5, []byte{0x3f, 0xc0, 0, 0})
	roundTrip(t, serde.Float64, math.Inf(1), []byte{0x7f, 0xf0, 0, 0, 0, 0, 0, 0})
	roundTrip(t, serde.UUID, [16]byte{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0},
		[]byte("123e4567-e89b-12d3-a456-426614174000"))
	roundTrip(t, serde.List(serde.Int16), []int16{1, 2}, []byte{0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 2})
	roundTrip(t, serde.List(serde.String), []string{"a", ""}, []byte{1, 0, 0, 0, 2, 0, 0, 0, 1, 'a', 0, 0, 0, 0})
}

// TestNulls shows who takes nulls and how they are written.
func TestNulls(t *testing.T) {
	opt := serde.Optional(serde.Int64)
	if b, err := opt.Append([]byte{}, serde.Opt[int64]{}); b != nil || err != nil {
		t.Errorf("absent is written as %x, %v; want null", b, err)
	}
	if v, err := opt.Decode(nil); v.OK || err != nil {
		t.Errorf("null is read as %v, %v", v, err)
	}
	if v, err := opt.Decode([]byte{0, 0, 0, 0, 0, 0, 0, 9}); v != serde.Some(int64(9)) || err != nil {
		t.Errorf("read %v, %v", v, err)
	}
	if _, err := serde.Int64.Decode(nil); err == nil {
		t.Error("int64 takes null")
	}
	if _, err := serde.String.Decode(nil); err == nil {
		t.Error("string takes null")
	}
	if !serde.TakesNull(opt) || !serde.TakesNull(serde.None) || serde.TakesNull(serde.String) || serde.TakesNull(serde.JSON[int]()) {
		t.Error("TakesNull")
	}
	if absent := serde.Absent[serde.Opt[string]](); absent == nil || !absent(serde.Opt[string]{}) || absent(serde.Some("")) {
		t.Error("Absent of an Opt")
	}
	if serde.Absent[string]() != nil {
		t.Error("a string can be absent")
	}
}

// TestMalformedBytesAreRefused decodes what no serializer wrote.
func TestMalformedBytesAreRefused(t *testing.T) {
	refuse(t, serde.Bool, []byte{2})
	refuse(t, serde.Int64, []byte{1, 2, 3})
	refuse(t, serde.UUID, []byte("123e4567-e89b-12d3-a456_426614174000"))
	refuse(t, serde.UUID, []byte("123e4567-e89b-12d3-a456-42661417400g"))
	refuse(t, serde.JSON[int](), []byte("{"))
	for _, b := range [][]byte{{}, {0}, {1, 0, 0, 0, 9}, {0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 0, 1, 0, 0, 0, 0}} {
		refuse(t, serde.List(serde.Int64), b)
	}
	refuse(t, serde.List(serde.String), []byte{1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff})
	refuse(t, serde.List(serde.String), []byte{1, 0, 0, 0, 1, 0, 0, 0, 1, 'a', 'b'})
}

func refuse[T any](t *testing.T, s serde.Serde[T], b []byte) {
	t.Helper()
	if v, err := s.Decode(b); err == nil {
		t.Errorf("%s: %x is read as %v", serde.Name(s), b, v)
	}
}

// TestFor shows which serde a type gets.
func TestFor(t *testing.T) {
	type order struct{ ID string }
	for _, c := range []struct{ got, want string }{
		{nameOf[string](t), "string"}, {nameOf[int64](t), "int64"}, {nameOf[int](t), "int"}, {nameOf[[]byte](t), "bytes"},
		{nameOf[serde.Void](t), "none"}, {nameOf[order](t), "json serde_test.order"}, {nameOf[time.Time](t), "binary time.Time"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	for _, err := range []error{errOf[func()](), errOf[chan int](), errOf[message]()} {
		if err == nil {
			t.Error("no error where there is no default")
		}
	}
	roundTrip(t, must(serde.For[time.Time]())(t), time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), must2(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC).MarshalBinary()))
}

// message looks like a protobuf message.
type message struct{}

func (message) ProtoReflect() {}

func nameOf[T any](t *testing.T) string {
	t.Helper()
	return serde.Name(must(serde.For[T]())(t))
}

func errOf[T any]() error { _, err := serde.For[T](); return err }

func must[T any](s serde.Serde[T], err error) func(*testing.T) serde.Serde[T] {
	return func(t *testing.T) serde.Serde[T] {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func must2(b []byte, _ error) []byte { return b }

// TestSingleStringsShareNothingWithTheirInput changes the bytes after they are decoded.
func TestSingleStringsShareNothingWithTheirInput(t *testing.T) {
	s := serde.Single(serde.String)
	var got []string
	b := []byte("abcdefgh")
	for i := range 1000 {
		b[0] = byte('a' + i%26)
		v, err := s.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, v)
	}
	for i, v := range got {
		if want := string(rune('a'+i%26)) + "bcdefgh"; v != want {
			t.Fatalf("string %d is %q, want %q", i, v, want)
		}
	}
}
