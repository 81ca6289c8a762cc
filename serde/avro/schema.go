package avro

import (
	"fmt"

	"github.com/linkedin/goavro/v2"
)

// Schema is an Avro schema, parsed and checked. It is immutable.
type Schema struct {
	text  string
	root  *node
	plain *goavro.Codec // of the schema without logical types, defaults and aliases, which this package sees to
}

// Parse reads a schema, JSON text as the Avro specification has it. refs are the texts of schemas whose named types it
// uses, each after those it uses itself.
func Parse(text string, refs ...string) (*Schema, error) {
	p := parser{named: map[string]*node{}}
	for _, ref := range refs {
		if _, err := p.parseText(ref); err != nil {
			return nil, fmt.Errorf("avro: referenced schema: %w", err)
		}
	}
	root, err := p.parseText(text)
	if err != nil {
		return nil, fmt.Errorf("avro: schema: %w", err)
	}
	if err := p.settleDefaults(); err != nil {
		return nil, fmt.Errorf("avro: schema: %w", err)
	}
	measure(root)
	s, err := schemaOf(root)
	if err != nil {
		return nil, fmt.Errorf("avro: schema: %w", err)
	}
	s.text = text
	return s, nil
}

// schemaOf is the schema of one type.
func schemaOf(root *node) (*Schema, error) {
	plain, err := goavro.NewCodec(plainText(root))
	if err != nil {
		return nil, err
	}
	return &Schema{root: root, plain: plain}, nil
}

// String returns the text that was parsed.
func (s *Schema) String() string { return s.text }

// Name returns the full name of a record, enum or fixed, the type's name of anything else.
func (s *Schema) Name() string { return s.root.branch() }

// Fingerprint is the CRC-64-AVRO of the schema's Parsing Canonical Form, after the Avro specification: schemas with
// equal ones write the same bytes.
func (s *Schema) Fingerprint() uint64 { return s.plain.Rabin }

// kind is what a schema is, by its name in the specification.
type kind string

const (
	kindNull    kind = "null"
	kindBoolean kind = "boolean"
	kindInt     kind = "int"
	kindLong    kind = "long"
	kindFloat   kind = "float"
	kindDouble  kind = "double"
	kindBytes   kind = "bytes"
	kindString  kind = "string"
	kindRecord  kind = "record"
	kindEnum    kind = "enum"
	kindArray   kind = "array"
	kindMap     kind = "map"
	kindFixed   kind = "fixed"
	kindUnion   kind = "union"
)

// node is one type within a schema. Recursive types make the tree a graph.
type node struct {
	kind     kind
	name     string   // full; of records, enums and fixed
	aliases  []string // full
	fields   []field  // of a record
	items    *node    // of an array; the values of a map
	branches []*node  // of a union
	symbols  []string // of an enum
	fallback string   // of an enum: its default; "" if it has none
	size     int      // of a fixed, in bytes
	least    int      // bytes that a value takes at least; more than most is written as most

	logical          string // logical type that this package knows; "" else
	precision, scale int    // of a decimal
}

// field is a field of a record.
type field struct {
	name       string
	aliases    []string
	of         *node
	hasDefault bool
	preset     any // the default as goavro would read it
}

// branch is the name of the type within a union.
func (n *node) branch() string {
	if n.name != "" {
		return n.name
	}
	return string(n.kind)
}

func (n *node) field(name string) *field {
	for i := range n.fields {
		if n.fields[i].name == name {
			return &n.fields[i]
		}
	}
	return nil
}

// optional returns the other branch of a union of null and one more, nil for any other type.
func (n *node) optional() *node {
	if n.kind != kindUnion || len(n.branches) != 2 {
		return nil
	}
	a, b := n.branches[0], n.branches[1]
	switch {
	case a.kind == kindNull:
		return b
	case b.kind == kindNull:
		return a
	}
	return nil
}

// leastMost caps least: beyond, it makes no difference.
const leastMost = 1 << 10

// measure computes the least size of every type. A type within itself counts as nothing until it is known, which can
// only make the result too small.
func measure(root *node) {
	for range 3 { // once more than forward references are deep in practice; fewer only makes limits wider
		seen := map[*node]bool{}
		measureOnce(root, seen)
	}
}

func measureOnce(n *node, seen map[*node]bool) int {
	if seen[n] {
		return n.least
	}
	seen[n] = true
	least := 0
	switch n.kind {
	case kindNull:
	case kindFloat:
		least = 4
	case kindDouble:
		least = 8
	case kindFixed:
		least = n.size
	case kindRecord:
		for _, f := range n.fields {
			least += measureOnce(f.of, seen)
		}
	case kindArray, kindMap:
		measureOnce(n.items, seen)
		least = 1
	case kindUnion:
		inner := leastMost
		for _, b := range n.branches {
			inner = min(inner, measureOnce(b, seen))
		}
		least = 1 + inner
	default:
		least = 1
	}
	n.least = min(least, leastMost)
	return n.least
}
