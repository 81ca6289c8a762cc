package serde_test

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/thalweg/thalweg/serde"
)

// The second version of a program reads what the first one wrote.
func ExampleVersioned() {
	type name struct{ First, Last string }
	v1 := serde.Versioned(serde.String)
	v2 := serde.Versioned(serde.JSON[name](), func(data []byte) (name, error) {
		first, last, _ := strings.Cut(string(data), " ")
		return name{first, last}, nil
	})
	b, _ := v1.Append([]byte{}, "Ada Lovelace")
	fmt.Println(v2.Decode(b))
	b, _ = v2.Append([]byte{}, name{"Grace", "Hopper"})
	fmt.Printf("%q\n", b)
	// Output:
	// {Ada Lovelace} <nil>
	// "\x02{\"First\":\"Grace\",\"Last\":\"Hopper\"}"
}

// Wrappers are compositions: JSON, compressed, then encrypted.
func ExampleEncrypted() {
	keys := serde.Keys{
		Current: func() (string, error) { return "2026", nil },
		Key:     func(id string) ([]byte, error) { return bytes.Repeat([]byte(id), 8), nil }, // from a vault, in earnest
	}
	s := serde.Encrypted(serde.Compressed(serde.JSON[map[string]int]()), keys)
	b, err := s.Append([]byte{}, map[string]int{"answer": 42})
	fmt.Printf("%q %v\n", b[:6], err)
	fmt.Println(s.Decode(b))
	// Output:
	// "\x01\x042026" <nil>
	// map[answer:42] <nil>
}
