package serde_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/serde"
)

// TestStrictJSON shows what is refused that JSON would drop.
func TestStrictJSON(t *testing.T) {
	type order struct {
		ID string `json:"id"`
	}
	strict, lax := serde.StrictJSON[order](), serde.JSON[order]()
	roundTrip(t, strict, order{"a"}, []byte(`{"id":"a"}`))
	for _, text := range []string{`{"id":"a","price":1}`, `{"id":"a"} {}`, `{"id":"a"`, ``} {
		refuse(t, strict, []byte(text))
	}
	if v, err := lax.Decode([]byte(`{"id":"a","price":1}`)); err != nil || v.ID != "a" {
		t.Errorf("JSON reads %v, %v", v, err)
	}
}

// TestVersioned lets version 3 of a program read what versions 1 and 2 wrote, and refuse what version 4 wrote.
func TestVersioned(t *testing.T) {
	type name struct{ First, Last string }
	v1 := serde.Versioned(serde.String)
	v2 := serde.Versioned(serde.List(serde.String), nil)
	fromString := func(b []byte) (name, error) {
		s, err := serde.String.Decode(b)
		first, last, _ := strings.Cut(s, " ")
		return name{first, last}, err
	}
	fromList := func(b []byte) (name, error) {
		l, err := serde.List(serde.String).Decode(b)
		if err == nil && len(l) != 2 {
			err = fmt.Errorf("%d names", len(l))
		}
		if err != nil {
			return name{}, err
		}
		return name{l[0], l[1]}, nil
	}
	v3 := serde.Versioned(serde.JSON[name](), fromString, fromList)
	want := name{"Ada", "Lovelace"}
	a, _ := v1.Append([]byte{}, "Ada Lovelace")
	b, _ := v2.Append([]byte{}, []string{"Ada", "Lovelace"})
	c, _ := v3.Append([]byte{}, want)
	for i, data := range [][]byte{a, b, c} {
		if v, err := v3.Decode(data); err != nil || v != want {
			t.Errorf("version %d is read as %v, %v", i+1, v, err)
		}
	}
	for _, bad := range [][]byte{nil, {}, {0}, {4, '{', '}'}, {255, 255}, {2, 9}} {
		refuse(t, v3, bad)
	}
	if serde.Name(v1) != serde.Name(v3) {
		t.Error("a store would not be the same store over its versions")
	}
}

// TestCompressed shows that large values shrink, small ones grow by a byte, and that a bomb is refused.
func TestCompressed(t *testing.T) {
	s := serde.Compressed(serde.Bytes)
	large := bytes.Repeat([]byte("lorem ipsum "), 10_000)
	b, err := s.Append([]byte("x"), large)
	if err != nil || b[0] != 'x' || len(b) > len(large)/50 {
		t.Fatalf("%d bytes are written as %d, %v", len(large), len(b), err)
	}
	back, err := s.Decode(b[1:])
	if err != nil || !bytes.Equal(back, large) {
		t.Errorf("read back %d bytes, %v", len(back), err)
	}
	roundTrip(t, s, []byte("abc"), []byte("\x00abc"))
	bomb, err := s.Append([]byte{}, make([]byte, 9<<20))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{{}, {2}, {1}, {1, 0xff}, append(bytes.Clone(b[1:]), 0), bomb} {
		refuse(t, s, bad)
	}
	opt := serde.Compressed(serde.Optional(serde.String))
	if b, err := opt.Append([]byte{}, serde.Opt[string]{}); b != nil || err != nil || !serde.TakesNull(opt) {
		t.Errorf("absent is written as %x, %v", b, err)
	}
}

// keyring is two keys, one of which is current.
type keyring struct {
	current string
	asked   int
}

func (k *keyring) keys() serde.Keys {
	return serde.Keys{
		Current: func() (string, error) { return k.current, nil },
		Key: func(id string) ([]byte, error) {
			k.asked++
			if id != "2025" && id != "2026" {
				return nil, errors.New("no such key")
			}
			return bytes.Repeat([]byte(id), 8), nil
		},
	}
}

// TestEncrypted rotates keys, and changes every byte of a sealed value in turn.
func TestEncrypted(t *testing.T) {
	ring := &keyring{current: "2025"}
	s := serde.Encrypted(serde.String, ring.keys())
	first, err := s.Append([]byte{}, "secret")
	if err != nil || bytes.Contains(first, []byte("secret")) {
		t.Fatalf("%q, %v", first, err)
	}
	again, _ := s.Append([]byte{}, "secret")
	if bytes.Equal(first, again) {
		t.Error("the same value is sealed the same way twice")
	}
	ring.current = "2026"
	second, _ := s.Append([]byte{}, "secret")
	for _, b := range [][]byte{first, again, second} {
		if v, err := s.Decode(b); err != nil || v != "secret" {
			t.Errorf("read %q, %v", v, err)
		}
	}
	if ring.asked != 2 {
		t.Errorf("keys were asked for %d times, want 2", ring.asked)
	}
	for i := range first {
		bad := bytes.Clone(first)
		bad[i] ^= 1
		refuse(t, s, bad)
		refuse(t, s, first[:i])
	}
	if err := serde.Fault(serde.Encrypted(serde.String, serde.Keys{})); err == nil {
		t.Error("no fault without keys")
	}
}

// placed notes where it stands and how often it was prepared.
type placed struct {
	serde.Serde[string]
	at       serde.Place
	prepared *int
}

func (s placed) At(p serde.Place) serde.Serde[string] { s.at = p; return s }
func (s placed) Fault() error                         { return errors.New("unfit") }
func (s placed) Prepare(context.Context) error        { *s.prepared++; return nil }

// TestCompositionsHandOn shows that a serde within others is asked what it alone knows.
func TestCompositionsHandOn(t *testing.T) {
	n := 0
	var of serde.Serde[string] = placed{serde.String, serde.Place{}, &n}
	ring := &keyring{current: "2025"}
	at := serde.Place{Topic: "orders", Key: true}
	for _, s := range []any{
		serde.At(serde.Optional(of), at), serde.At(serde.List(of), at), serde.At(serde.Versioned(of), at),
		serde.At(serde.Compressed(of), at), serde.At(serde.Encrypted(of, ring.keys()), at),
	} {
		parts := s.(interface{ Parts() []any }).Parts()
		if got := parts[0].(placed).at; got != at {
			t.Errorf("%T stands at %v", s, got)
		}
		if serde.Fault(s) == nil {
			t.Errorf("%T has no fault", s)
		}
		if err := serde.Prepare(t.Context(), s); err != nil {
			t.Error(err)
		}
	}
	if n != 5 {
		t.Errorf("prepared %d times, want 5", n)
	}
	if got := at.String(); got != `key of topic "orders"` {
		t.Error(got)
	}
}
