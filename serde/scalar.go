package serde

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"unsafe"
)

// The scalars, byte for byte as Java's serializers write them.
var (
	String  Serde[string]   = stringSerde{}
	Bytes   Serde[[]byte]   = bytesSerde{}
	Bool    Serde[bool]     = boolSerde{}
	Int16   Serde[int16]    = int16Serde{}
	Int32   Serde[int32]    = int32Serde{}
	Int64   Serde[int64]    = int64Serde{}
	Float32 Serde[float32]  = float32Serde{}
	Float64 Serde[float64]  = float64Serde{}
	UUID    Serde[[16]byte] = uuidSerde{} // the 36 characters of its text form
	None    Serde[Void]     = noneSerde{} // reads anything as Void, writes null: topics without keys
)

type (
	stringSerde  struct{}
	bytesSerde   struct{}
	boolSerde    struct{}
	int16Serde   struct{}
	int32Serde   struct{}
	int64Serde   struct{}
	float32Serde struct{}
	float64Serde struct{}
	uuidSerde    struct{}
	noneSerde    struct{}
)

func (stringSerde) String() string  { return "string" }
func (bytesSerde) String() string   { return "bytes" }
func (boolSerde) String() string    { return "bool" }
func (int16Serde) String() string   { return "int16" }
func (int32Serde) String() string   { return "int32" }
func (int64Serde) String() string   { return "int64" }
func (float32Serde) String() string { return "float32" }
func (float64Serde) String() string { return "float64" }
func (uuidSerde) String() string    { return "uuid" }
func (noneSerde) String() string    { return "none" }

// fixed checks that data is a value of n bytes.
func fixed(data []byte, n int, what string) error {
	if data == nil {
		return errNull(what)
	}
	if len(data) != n {
		return fmt.Errorf("serde: %s of %d bytes, want %d", what, len(data), n)
	}
	return nil
}

func errNull(what string) error { return fmt.Errorf("serde: null where a %s was expected", what) }

func (stringSerde) Append(dst []byte, v string) ([]byte, error) { return append(dst, v...), nil }

func (stringSerde) Decode(data []byte) (string, error) {
	if data == nil {
		return "", errNull("string")
	}
	return string(data), nil
}

func (stringSerde) single() Serde[string] { return &stringBlocks{} }

// stringBlock is how many bytes of short strings share one allocation, stringAlone the length from which a string has
// one of its own, so that a kept string pins little else.
const (
	stringBlock = 1024
	stringAlone = 128
)

// stringBlocks decodes strings into shared blocks: one allocation for dozens of keys. Blocks are ordinary garbage.
type stringBlocks struct {
	stringSerde
	block []byte
}

func (s *stringBlocks) Decode(data []byte) (string, error) {
	switch {
	case data == nil:
		return "", errNull("string")
	case len(data) == 0:
		return "", nil
	case len(data) > stringAlone:
		return string(data), nil
	}
	if cap(s.block)-len(s.block) < len(data) {
		s.block = make([]byte, 0, stringBlock)
	}
	at := len(s.block)
	s.block = append(s.block, data...)
	// The bytes at at are written once, above, and never again: the block only grows and is then dropped.
	return unsafe.String(&s.block[at], len(data)), nil
}

func (bytesSerde) Append(dst []byte, v []byte) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	return append(dst, v...), nil
}

func (bytesSerde) Decode(data []byte) ([]byte, error) {
	if data == nil {
		return nil, errNull("byte string")
	}
	return append([]byte{}, data...), nil
}

func (boolSerde) Append(dst []byte, v bool) ([]byte, error) {
	if v {
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

func (boolSerde) Decode(data []byte) (bool, error) {
	if err := fixed(data, 1, "bool"); err != nil {
		return false, err
	}
	if data[0] > 1 {
		return false, fmt.Errorf("serde: bool %#x, want 0 or 1", data[0])
	}
	return data[0] == 1, nil
}

func (int16Serde) Append(dst []byte, v int16) ([]byte, error) {
	return binary.BigEndian.AppendUint16(dst, uint16(v)), nil
}

func (int16Serde) Decode(data []byte) (int16, error) {
	if err := fixed(data, 2, "int16"); err != nil {
		return 0, err
	}
	return int16(binary.BigEndian.Uint16(data)), nil
}

func (int32Serde) Append(dst []byte, v int32) ([]byte, error) {
	return binary.BigEndian.AppendUint32(dst, uint32(v)), nil
}

func (int32Serde) Decode(data []byte) (int32, error) {
	if err := fixed(data, 4, "int32"); err != nil {
		return 0, err
	}
	return int32(binary.BigEndian.Uint32(data)), nil
}

func (int64Serde) Append(dst []byte, v int64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, uint64(v)), nil
}

func (int64Serde) Decode(data []byte) (int64, error) {
	if err := fixed(data, 8, "int64"); err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(data)), nil
}

// What Java writes for every NaN: Go's own has other bits, and a key must not depend on who wrote it.
const (
	nan32 = 0x7fc00000
	nan64 = 0x7ff8000000000000
)

func (float32Serde) Append(dst []byte, v float32) ([]byte, error) {
	if v != v {
		return binary.BigEndian.AppendUint32(dst, nan32), nil
	}
	return binary.BigEndian.AppendUint32(dst, math.Float32bits(v)), nil
}

func (float32Serde) Decode(data []byte) (float32, error) {
	if err := fixed(data, 4, "float32"); err != nil {
		return 0, err
	}
	return math.Float32frombits(binary.BigEndian.Uint32(data)), nil
}

func (float64Serde) Append(dst []byte, v float64) ([]byte, error) {
	if v != v {
		return binary.BigEndian.AppendUint64(dst, nan64), nil
	}
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(v)), nil
}

func (float64Serde) Decode(data []byte) (float64, error) {
	if err := fixed(data, 8, "float64"); err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.BigEndian.Uint64(data)), nil
}

// uuidGroups are the ends of the groups of digits in the text form, after which a hyphen stands.
var uuidGroups = [...]int{4, 6, 8, 10, 16}

func (uuidSerde) Append(dst []byte, v [16]byte) ([]byte, error) {
	from := 0
	for _, to := range uuidGroups {
		if from > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, v[from:to])
		from = to
	}
	return dst, nil
}

func (uuidSerde) Decode(data []byte) (v [16]byte, err error) {
	if err := fixed(data, 36, "uuid"); err != nil {
		return v, err
	}
	from, at := 0, 0
	for _, to := range uuidGroups {
		if from > 0 {
			if data[at] != '-' {
				return v, fmt.Errorf("serde: uuid %q has no hyphen at %d", data, at)
			}
			at++
		}
		n := 2 * (to - from)
		if _, err := hex.Decode(v[from:to], data[at:at+n]); err != nil {
			return v, fmt.Errorf("serde: uuid %q: %w", data, err)
		}
		from, at = to, at+n
	}
	return v, nil
}

func (noneSerde) Append([]byte, Void) ([]byte, error) { return nil, nil }
func (noneSerde) Decode([]byte) (Void, error)         { return Void{}, nil }
func (noneSerde) nullable() bool                      { return true }
