// Package avro encodes Go values as Avro binary (Apache Avro 1.12), without a registry; package serde/registry puts one
// before it. Schemas are checked, and generic values written, by linkedin/goavro. Decoding within limits, Go types,
// logical types and the resolution of a writer's schema to a reader's are this package's.
//
// There are few types: a [Schema] is a parsed schema, a [Codec] encodes and decodes one Go type under one schema. [Of] is
// a codec as a serde.
//
// # Types
//
//	boolean            bool
//	int, long          every integer type; what does not fit is an error
//	float, double      float32, float64; a double fits no float32
//	string, enum       string
//	bytes, fixed       []byte; a fixed also [n]byte
//	array, map         slices; maps with string keys
//	record             a struct, by tag `avro:"name"` or name in any case; map[string]any
//	null and one more  serde.Opt, or a pointer
//	any union          any: nil, or a map of one entry under the branch's name, as goavro has it
//	any type           any
//
//	decimal                            *big.Rat; what it cannot hold exactly is an error
//	uuid                               [16]byte, string
//	date, (local-)timestamp-*          time.Time, in UTC when read
//	time-millis, time-micros           time.Duration since midnight
//
// The types below a logical type may be used for it too.
package avro

import (
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/thalweg/thalweg/serde"
)

// Codec encodes and decodes T under one schema. It may be used by many goroutines at once.
type Codec[T any] struct {
	schema *Schema
	bind   *binding
	native bool // values of T are goavro's own
	pool   sync.Pool
}

// holder is where a value is while it is encoded or decoded: reflection needs a place for it.
type holder[T any] struct {
	v    T
	at   reflect.Value
	walk walker
}

// New returns the codec of T under a schema. A type that does not fit it is an error which names every field that does
// not.
func New[T any](s *Schema) (*Codec[T], error) {
	b, t := binder{map[bound]*binding{}}, reflect.TypeFor[T]()
	x, err := b.bind(s.root, t)
	if err != nil {
		return nil, fmt.Errorf("avro: %s: %w", s.Name(), err)
	}
	c := &Codec[T]{schema: s, bind: x}
	generic := t == typeAny || t == reflect.TypeFor[map[string]any]() && s.root.kind == kindRecord
	c.native = generic && s.root.goavros(map[*node]bool{})
	c.pool.New = func() any {
		h := &holder[T]{}
		h.at = reflect.ValueOf(&h.v).Elem()
		return h
	}
	return c, nil
}

func (c *Codec[T]) hold() *holder[T] { return c.pool.Get().(*holder[T]) }

func (c *Codec[T]) release(h *holder[T]) {
	h.v, h.walk = *new(T), walker{}
	c.pool.Put(h)
}

// Schema returns the schema.
func (c *Codec[T]) Schema() *Schema { return c.schema }

// Append appends the encoding of v to dst.
func (c *Codec[T]) Append(dst []byte, v T) ([]byte, error) {
	if c.native {
		// goavro wants defaults and unions spelled out, this package does not: what it refuses gets a second try.
		if out, err := c.schema.plain.BinaryFromNative(dst, v); err == nil {
			return out, nil
		}
	}
	h := c.hold()
	defer c.release(h)
	h.v = v
	out, err := c.bind.put(dst, h.at)
	if err != nil {
		return nil, fmt.Errorf("avro: %s: %w", c.schema.Name(), err)
	}
	return out, nil
}

// Decode reads what was written under the codec's own schema.
func (c *Codec[T]) Decode(data []byte) (v T, err error) {
	if c.native {
		return c.decode(c.schema, nil, data)
	}
	h := c.hold()
	defer c.release(h)
	h.walk.rest = data
	if err := h.walk.end(data, c.bind.read(&h.walk, h.at)); err != nil {
		return v, fmt.Errorf("avro: %s: %w", c.schema.Name(), err)
	}
	return h.v, nil
}

// Reader returns what reads T from what was written under another schema, by the rules of "Schema Resolution" in the
// Avro specification. Schemas of which no value can be read are an error at once; where only some branch of a union or
// some symbol of an enum cannot be, reading such a value is.
func (c *Codec[T]) Reader(writer *Schema) (func(data []byte) (T, error), error) {
	r := resolution{made: map[pair]*made{}}
	convert := r.resolve(c.schema.root, writer.root, "")
	if i := slices.IndexFunc(r.faults, func(f fault) bool { return !f.partial }); i >= 0 {
		return nil, fmt.Errorf("avro: %s cannot be read: %s", writer.Name(), r.faults[i].text)
	}
	if plainText(writer.root) == plainText(c.schema.root) {
		return c.Decode, nil // the same bytes: they differ in what is not written, if at all
	}
	return func(data []byte) (T, error) { return c.decode(writer, convert, data) }, nil
}

// decode reads a generic value, resolves it, and puts it into a T.
func (c *Codec[T]) decode(writer *Schema, convert resolver, data []byte) (v T, err error) {
	w := walker{rest: data}
	x, err := w.value(writer.root)
	err = w.end(data, err)
	if err == nil && convert != nil {
		x, err = convert(x)
	}
	if err == nil && c.native {
		v, _ = x.(T) // nil stays nil
		return v, nil
	}
	h := c.hold()
	defer c.release(h)
	if err == nil {
		err = c.bind.set(x, h.at)
	}
	if err != nil {
		return v, fmt.Errorf("avro: %s: %w", writer.Name(), err)
	}
	return h.v, nil
}

// Of is Avro for T under the given schema; an unfit schema is a fault that Build reports. The bytes carry no schema: those
// written under another one cannot be read. The serde's name has the schema's fingerprint, so that a store is refused
// under another schema; wrap it in serde.Versioned, or use package serde/registry, where a schema is to change.
func Of[T any](schema string) serde.Serde[T] {
	s, err := Parse(schema)
	if err != nil {
		return &avroSerde[T]{fault: err}
	}
	c, err := New[T](s)
	return &avroSerde[T]{c, err}
}

type avroSerde[T any] struct {
	*Codec[T]
	fault error
}

func (s *avroSerde[T]) Fault() error { return s.fault }

func (s *avroSerde[T]) String() string {
	if s.fault != nil {
		return "avro"
	}
	return fmt.Sprintf("avro %s %016x", s.schema.Name(), s.schema.Fingerprint())
}

func (s *avroSerde[T]) Append(dst []byte, v T) ([]byte, error) {
	if s.fault != nil {
		return nil, s.fault
	}
	return s.Codec.Append(dst, v)
}

func (s *avroSerde[T]) Decode(data []byte) (v T, err error) {
	switch {
	case s.fault != nil:
		return v, s.fault
	case data == nil:
		return v, fmt.Errorf("avro: null where a %s was expected", s.schema.Name())
	}
	return s.Codec.Decode(data)
}
