package serde_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/serde"
)

// TestBytesAreThoseOfJava reads and writes what Kafka's own serializers wrote: testdata/java-vectors.tsv, made by
// testdata/JavaVectors.java.
func TestBytesAreThoseOfJava(t *testing.T) {
	text, err := os.ReadFile("testdata/java-vectors.tsv")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		parts := strings.Split(line, "\t")
		if len(parts) != 3 {
			t.Fatalf("line %q", line)
		}
		var b []byte
		if parts[2] != "null" {
			if b, err = hex.DecodeString(parts[2]); err != nil {
				t.Fatal(err)
			}
			b = append([]byte{}, b...) // not nil
		}
		check, ok := javas[parts[0]]
		if !ok {
			t.Fatalf("no serde for %q", parts[0])
		}
		seen[parts[0]] = true
		if err := check(parts[1], b); err != nil {
			t.Errorf("%s %s: %v", parts[0], parts[1], err)
		}
	}
	for name := range javas {
		if !seen[name] {
			t.Errorf("no vector for %s", name)
		}
	}
}

// javas compare one line, by the name of its serde.
var javas = map[string]func(text string, b []byte) error{
	"string":               vector(serde.String, func(s string) string { return s }),
	"bytes":                vector(serde.Bytes, hex.EncodeToString),
	"int16":                vector(serde.Int16, decimal[int16]),
	"int32":                vector(serde.Int32, decimal[int32]),
	"int64":                vector(serde.Int64, decimal[int64]),
	"float32":              vector(serde.Float32, func(v float32) string { return float(float64(v), 32) }),
	"float64":              vector(serde.Float64, func(v float64) string { return float(v, 64) }),
	"bool":                 vector(serde.Bool, strconv.FormatBool),
	"uuid":                 vector(serde.UUID, uuid),
	"none":                 vector(serde.None, func(serde.Void) string { return "null" }),
	"list string":          vector(serde.List(serde.String), list(func(s string) string { return s })),
	"list optional string": vector(serde.List(serde.Optional(serde.String)), list(optional(func(s string) string { return s }))),
	"list int16":           vector(serde.List(serde.Int16), list(decimal[int16])),
	"list int32":           vector(serde.List(serde.Int32), list(decimal[int32])),
	"list int64":           vector(serde.List(serde.Int64), list(decimal[int64])),
	"list optional int64":  vector(serde.List(serde.Optional(serde.Int64)), list(optional(decimal[int64]))),
	"list float32":         vector(serde.List(serde.Float32), list(func(v float32) string { return float(float64(v), 32) })),
	"list float64":         vector(serde.List(serde.Float64), list(func(v float64) string { return float(v, 64) })),
	"list uuid":            vector(serde.List(serde.UUID), list(uuid)),
	"list bool":            vector(serde.List(serde.Bool), list(strconv.FormatBool)),
	"list list string":     vector(serde.List(serde.List(serde.String)), list(list(func(s string) string { return s }))),
}

// vector decodes b, compares the value's text as Java prints it, and encodes the value again.
func vector[T any](s serde.Serde[T], text func(T) string) func(string, []byte) error {
	return func(want string, b []byte) error {
		v, err := s.Decode(b)
		if err != nil {
			return err
		}
		if got := text(v); got != want {
			return fmt.Errorf("read as %s", got)
		}
		got, err := s.Append([]byte{}, v)
		if err != nil || !bytes.Equal(got, b) || (got == nil) != (b == nil) {
			return fmt.Errorf("written as %x, %v; Java wrote %x", got, err, b)
		}
		return nil
	}
}

func decimal[T int16 | int32 | int64](v T) string { return strconv.FormatInt(int64(v), 10) }

func uuid(v [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:])
}

// float is how Java prints the floats of the vectors.
func float(v float64, bits int) string {
	switch {
	case math.IsInf(v, 0):
		return strings.TrimPrefix(strconv.FormatFloat(v, 'f', -1, bits), "+") + "inity"
	case bits == 32 && v == math.SmallestNonzeroFloat32:
		return "1.4E-45"
	case bits == 64 && v == math.SmallestNonzeroFloat64:
		return "4.9E-324"
	case math.Abs(v) >= 1e7:
		return strings.Replace(strconv.FormatFloat(v, 'E', -1, bits), "E+", "E", 1)
	case v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 1, bits)
	}
	return strconv.FormatFloat(v, 'f', -1, bits)
}

func list[T any](text func(T) string) func([]T) string {
	return func(vs []T) string {
		parts := make([]string, len(vs))
		for i, v := range vs {
			parts[i] = text(v)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
}

func optional[T any](text func(T) string) func(serde.Opt[T]) string {
	return func(v serde.Opt[T]) string {
		if !v.OK {
			return "null"
		}
		return text(v.Value)
	}
}

// TestNaNHasOneEncoding shows that all NaNs are one key.
func TestNaNHasOneEncoding(t *testing.T) {
	a, _ := serde.Float64.Append([]byte{}, math.NaN())
	b, _ := serde.Float64.Append([]byte{}, math.Float64frombits(0xfff8000000000123))
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%x and %x", a, b)
	}
}
