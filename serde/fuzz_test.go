package serde_test

import (
	"bytes"
	"testing"

	"github.com/thalweg/thalweg/serde"
)

// FuzzDecode hands any bytes to every decoder of the package: none may panic, and what is read must be written and read
// as the same bytes again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "\x00", "\x01", "123e4567-e89b-12d3-a456-426614174000", `{"A":1,"B":["x"]}`,
		"\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x07", "\x01\x00\x00\x00\x02\x00\x00\x00\x01a\xff\xff\xff\xff"} {
		f.Add([]byte(seed))
	}
	ring := &keyring{current: "2025"}
	sealed, _ := serde.Encrypted(serde.String, ring.keys()).Append([]byte{}, "x")
	packed, _ := serde.Compressed(serde.String).Append([]byte{}, string(bytes.Repeat([]byte("ab"), 100)))
	f.Add(sealed)
	f.Add(packed)
	type doc struct {
		A int
		B []string
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		stable(t, serde.Bool, data)
		stable(t, serde.Int16, data)
		stable(t, serde.Int32, data)
		stable(t, serde.Int64, data)
		stable(t, serde.Float32, data)
		stable(t, serde.Float64, data)
		stable(t, serde.UUID, data)
		stable(t, serde.List(serde.Int32), data)
		stable(t, serde.List(serde.Optional(serde.Int32)), data)
		stable(t, serde.List(serde.Optional(serde.List(serde.String))), data)
		stable(t, serde.JSON[doc](), data)
		stable(t, serde.StrictJSON[doc](), data)
		stable(t, serde.Versioned(serde.String, serde.String.Decode), data)
		stable(t, serde.Compressed(serde.Bytes), data)
		if v, err := serde.Encrypted(serde.String, ring.keys()).Decode(data); err == nil && v != "x" {
			t.Errorf("%x is read as %q", data, v)
		}
	})
}

func stable[T any](t *testing.T, s serde.Serde[T], data []byte) {
	v, err := s.Decode(data)
	if err != nil {
		return
	}
	once, err := s.Append([]byte{}, v)
	if err != nil {
		t.Fatalf("%s: %x is read as %v, which cannot be written: %v", serde.Name(s), data, v, err)
	}
	v, err = s.Decode(once)
	if err != nil {
		t.Fatalf("%s: %x is written as %x, which cannot be read: %v", serde.Name(s), data, once, err)
	}
	if twice, err := s.Append([]byte{}, v); err != nil || !bytes.Equal(once, twice) {
		t.Fatalf("%s: %x is written as %x, then as %x, %v", serde.Name(s), data, once, twice, err)
	}
}
