package serde

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Versioned writes now, and reads what older versions wrote: old[i] decodes what version i+1 wrote. Before the encoding
// stands the version, len(old)+1, as an unsigned varint. So state survives a change of its type without a registry:
//
//	v1: serde.Versioned(serde.JSON[Order]())
//	v2: serde.Versioned(serde.JSON[OrderV2](), func(data []byte) (OrderV2, error) { … })
//
// A version it does not know, written by a newer program, is an error. Start with Versioned: bytes without a version
// cannot be told from it.
func Versioned[T any](now Serde[T], old ...func(data []byte) (T, error)) Serde[T] {
	return &versioned[T]{now, old}
}

type versioned[T any] struct {
	now Serde[T]
	old []func([]byte) (T, error)
}

// String leaves the version out, and the encoding with it: a store stays the same store over all of them.
func (s *versioned[T]) String() string      { return "versioned" }
func (s *versioned[T]) Parts() []any        { return []any{s.now} }
func (s *versioned[T]) At(p Place) Serde[T] { return s.with(At(s.now, p)) }

func (s *versioned[T]) with(now Serde[T]) Serde[T] {
	if Same(now, s.now) {
		return s
	}
	return &versioned[T]{now, s.old}
}

func (s *versioned[T]) Append(dst []byte, v T) ([]byte, error) {
	out, err := s.now.Append(binary.AppendUvarint(dst, uint64(len(s.old)+1)), v)
	if err == nil && out == nil {
		err = errors.New("serde: a versioned value cannot be null: use Optional(Versioned(s))")
	}
	return out, err
}

func (s *versioned[T]) Decode(data []byte) (v T, err error) {
	if data == nil {
		return v, errNull("versioned value")
	}
	version, n := binary.Uvarint(data)
	if n <= 0 {
		return v, fmt.Errorf("serde: no version in %d bytes", len(data))
	}
	data = data[n:len(data):len(data)]
	switch known := uint64(len(s.old) + 1); {
	case version == known:
		return s.now.Decode(data)
	case version == 0 || version > known:
		return v, fmt.Errorf("serde: version %d, this program knows up to %d", version, known)
	}
	if v, err = s.old[version-1](data); err != nil {
		err = fmt.Errorf("serde: version %d: %w", version, err)
	}
	return v, err
}
