package avro

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// schemaDepth is how deep a schema may be nested.
const schemaDepth = 200

// parser turns the JSON of schemas into nodes.
type parser struct {
	named    map[string]*node
	depth    int
	defaults []func() error // to be run once all types are known
	presets  int            // values of defaults read
}

func (p *parser) parseText(text string) (*node, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var x any
	if err := d.Decode(&x); err != nil {
		// Some registries write a primitive without its quotes.
		if t := kind(strings.TrimSpace(text)); primitive(t) {
			return &node{kind: t}, nil
		}
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return p.parse(x, "")
}

func primitive(k kind) bool {
	switch k {
	case kindNull, kindBoolean, kindInt, kindLong, kindFloat, kindDouble, kindBytes, kindString:
		return true
	}
	return false
}

// parse reads a type that stands in namespace ns.
func (p *parser) parse(x any, ns string) (*node, error) {
	if p.depth++; p.depth > schemaDepth {
		return nil, fmt.Errorf("nested more than %d deep", schemaDepth)
	}
	defer func() { p.depth-- }()
	switch x := x.(type) {
	case string:
		return p.lookUp(x, ns)
	case []any:
		return p.union(x, ns)
	case map[string]any:
		return p.object(x, ns)
	}
	return nil, fmt.Errorf("%v is no type", x)
}

func (p *parser) lookUp(name, ns string) (*node, error) {
	if primitive(kind(name)) {
		return &node{kind: kind(name)}, nil
	}
	if !strings.Contains(name, ".") && ns != "" {
		if n := p.named[ns+"."+name]; n != nil {
			return n, nil
		}
	}
	if n := p.named[name]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("unknown type %q", name)
}

func (p *parser) union(xs []any, ns string) (*node, error) {
	if len(xs) == 0 {
		return nil, errors.New("union of no types")
	}
	n, seen := &node{kind: kindUnion}, map[string]bool{}
	for _, x := range xs {
		b, err := p.parse(x, ns)
		if err != nil {
			return nil, err
		}
		if b.kind == kindUnion {
			return nil, errors.New("union within a union")
		}
		if seen[b.branch()] {
			return nil, fmt.Errorf("union with %s twice", b.branch())
		}
		seen[b.branch()] = true
		n.branches = append(n.branches, b)
	}
	return n, nil
}

func (p *parser) object(x map[string]any, ns string) (*node, error) {
	switch t := x["type"].(type) {
	case string:
		return p.typed(kind(t), x, ns)
	case map[string]any, []any:
		return p.parse(t, ns)
	case nil:
		return nil, errors.New("type without a \"type\"")
	}
	return nil, fmt.Errorf("\"type\" is %v", x["type"])
}

func (p *parser) typed(k kind, x map[string]any, ns string) (n *node, err error) {
	switch k {
	case kindRecord, "error", kindEnum, kindFixed:
		n, ns, err = p.declare(k, x, ns)
	case kindArray, kindMap:
		n = &node{kind: k}
	default:
		n, err = p.lookUp(string(k), ns)
	}
	if err != nil {
		return nil, err
	}
	switch n.kind {
	case kindRecord:
		if k == kindRecord || k == "error" {
			err = p.fields(n, x, ns)
		}
	case kindEnum:
		if k == kindEnum {
			err = n.enum(x)
		}
	case kindArray, kindMap:
		part := map[kind]string{kindArray: "items", kindMap: "values"}[n.kind]
		if x[part] == nil {
			return nil, fmt.Errorf("%s without %q", n.kind, part)
		}
		n.items, err = p.parse(x[part], ns)
	case kindFixed:
		if k == kindFixed {
			if n.size, err = wholeOf(x, "size", -1); err == nil && n.size < 0 {
				err = fmt.Errorf("fixed %s without a size", n.name)
			}
		}
	}
	if err == nil && k == n.kind { // a name that refers to a type takes no logical type of its own
		err = n.setLogical(x)
	}
	return n, err
}

// declare enters a named type and returns the namespace within it.
func (p *parser) declare(k kind, x map[string]any, ns string) (*node, string, error) {
	if k == "error" {
		k = kindRecord
	}
	short, _ := x["name"].(string)
	if own, ok := x["namespace"].(string); ok {
		ns = own
	}
	full := qualify(short, ns)
	for part := range strings.SplitSeq(full, ".") {
		if !legal(part) {
			return nil, "", fmt.Errorf("%s is named %q", k, full)
		}
	}
	if p.named[full] != nil || primitive(kind(full)) {
		return nil, "", fmt.Errorf("%s %q is declared already", k, full)
	}
	ns = ""
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		ns = full[:i]
	}
	n := &node{kind: k, name: full}
	for _, a := range names(x["aliases"]) {
		n.aliases = append(n.aliases, qualify(a, ns))
	}
	p.named[full] = n
	return n, ns, nil
}

func qualify(name, ns string) string {
	if strings.Contains(name, ".") || ns == "" {
		return name
	}
	return ns + "." + name
}

// legal reports whether s is a name as the specification has it.
func legal(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

func names(x any) (ns []string) {
	list, _ := x.([]any)
	for _, e := range list {
		if s, ok := e.(string); ok {
			ns = append(ns, s)
		}
	}
	return ns
}

// wholeOf reads a number that must be whole; missing is what it is where there is none.
func wholeOf(x map[string]any, name string, missing int) (int, error) {
	if x[name] == nil {
		return missing, nil
	}
	number, ok := x[name].(json.Number)
	if !ok {
		return 0, fmt.Errorf("%q is %v", name, x[name])
	}
	v, err := number.Int64()
	if err != nil || v < 0 || v > 1<<30 {
		return 0, fmt.Errorf("%q is %v", name, number)
	}
	return int(v), nil
}

func (p *parser) fields(n *node, x map[string]any, ns string) error {
	list, ok := x["fields"].([]any)
	if !ok {
		return fmt.Errorf("record %s without fields", n.name)
	}
	for i, e := range list {
		m, ok := e.(map[string]any)
		name, _ := m["name"].(string)
		if !ok || !legal(name) || m["type"] == nil {
			return fmt.Errorf("record %s: field %d has no name or no type", n.name, i)
		}
		if n.field(name) != nil {
			return fmt.Errorf("record %s: field %s twice", n.name, name)
		}
		of, err := p.fieldType(m, ns)
		if err != nil {
			return fmt.Errorf("record %s: field %s: %w", n.name, name, err)
		}
		f := field{name: name, aliases: names(m["aliases"]), of: of}
		preset, has := m["default"]
		f.hasDefault = has
		n.fields = append(n.fields, f)
		if has {
			p.defaults = append(p.defaults, func() (err error) {
				if n.fields[i].preset, err = p.presetOf(of, preset, 0); err != nil {
					err = fmt.Errorf("record %s: default of field %s: %w", n.name, name, err)
				}
				return err
			})
		}
	}
	return nil
}

// fieldType reads the type of a field. Some write the attributes of a type beside it, into the field itself; the
// specification has a logical type only within the type, and so have we.
func (p *parser) fieldType(m map[string]any, ns string) (*node, error) { return p.parse(m["type"], ns) }

func (p *parser) settleDefaults() error {
	for _, f := range p.defaults {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) enum(x map[string]any) error {
	n.symbols = names(x["symbols"])
	if len(n.symbols) == 0 {
		return fmt.Errorf("enum %s without symbols", n.name)
	}
	seen := map[string]bool{}
	for _, s := range n.symbols {
		if !legal(s) || seen[s] {
			return fmt.Errorf("enum %s: symbol %q", n.name, s)
		}
		seen[s] = true
	}
	n.fallback, _ = x["default"].(string)
	if n.fallback != "" && !seen[n.fallback] {
		return fmt.Errorf("enum %s: default %q is no symbol", n.name, n.fallback)
	}
	return nil
}

// plainText writes the schema as goavro is to see it: without logical types, defaults and aliases.
func plainText(n *node) string {
	var b bytes.Buffer
	writePlain(&b, n, map[*node]bool{})
	return b.String()
}

func writePlain(b *bytes.Buffer, n *node, seen map[*node]bool) {
	if n.name != "" && seen[n] {
		fmt.Fprintf(b, "%q", n.name)
		return
	}
	seen[n] = true
	switch n.kind {
	case kindRecord:
		fmt.Fprintf(b, `{"type":"record","name":%q,"fields":[`, n.name)
		for i, f := range n.fields {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(b, `{"name":%q,"type":`, f.name)
			writePlain(b, f.of, seen)
			b.WriteByte('}')
		}
		b.WriteString("]}")
	case kindEnum:
		symbols, _ := json.Marshal(n.symbols) // strings always marshal
		fmt.Fprintf(b, `{"type":"enum","name":%q,"symbols":%s}`, n.name, symbols)
	case kindFixed:
		fmt.Fprintf(b, `{"type":"fixed","name":%q,"size":%d}`, n.name, n.size)
	case kindArray, kindMap:
		fmt.Fprintf(b, `{"type":%q,%q:`, n.kind, map[kind]string{kindArray: "items", kindMap: "values"}[n.kind])
		writePlain(b, n.items, seen)
		b.WriteByte('}')
	case kindUnion:
		b.WriteByte('[')
		for i, x := range n.branches {
			if i > 0 {
				b.WriteByte(',')
			}
			writePlain(b, x, seen)
		}
		b.WriteByte(']')
	default:
		fmt.Fprintf(b, "%q", n.kind)
	}
}
