package avro

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// A resolver turns what goavro read under the writer's schema into what it would read under the reader's. nil: as it is.
type resolver func(v any) (any, error)

// Mismatches returns why reader cannot read what was written under writer, by the rules of "Schema Resolution" in the
// Avro specification; nothing if it can. A union of the writer's is a mismatch already if one of its branches cannot be
// read.
func Mismatches(reader, writer *Schema) []string {
	r := resolution{made: map[pair]*made{}}
	r.resolve(reader.root, writer.root, "")
	var texts []string
	for _, f := range r.faults {
		texts = append(texts, f.text)
	}
	return texts
}

// fault is a mismatch. A partial one is met by some values alone: those of one branch of a union, or one symbol.
type fault struct {
	text    string
	partial bool
}

// pair is two types that are read one as the other.
type pair struct{ r, w *node }

// made is the resolver of a pair. While it is being made, recursion meets it and takes it to be faultless.
type made struct {
	resolver
	faults []fault
	done   bool
}

// resolution finds the resolvers of a pair of schemas, and their mismatches.
type resolution struct {
	made    map[pair]*made
	partial int // unions around that were written: what is found within is partial
	faults  []fault
}

func (x *resolution) fault(path, format string, args ...any) resolver {
	text := fmt.Sprintf(format, args...)
	if path != "" {
		text = "field " + path + ": " + text
	}
	x.faults = append(x.faults, fault{text, x.partial > 0})
	err := fmt.Errorf(format, args...)
	return func(any) (any, error) { return nil, err }
}

// probe resolves without noting faults, and says whether there were any.
func (x *resolution) probe(r, w *node) (f resolver, ok bool) {
	p := resolution{made: x.made}
	f = p.resolve(r, w, "")
	return f, len(p.faults) == 0
}

// resolve makes a resolver once for each pair: recursive types would have no end, and unions, each branch of which is tried
// with each, too many.
func (x *resolution) resolve(r, w *node, path string) resolver {
	p := pair{r, w}
	m := x.made[p]
	if m == nil {
		m = &made{}
		x.made[p] = m
		before, partial := x.faults, x.partial
		x.faults, x.partial = nil, 0
		m.resolver = x.make(r, w, path)
		m.faults, m.done = x.faults, true
		x.faults, x.partial = before, partial
	}
	for _, f := range m.faults {
		x.faults = append(x.faults, fault{f.text, f.partial || x.partial > 0})
	}
	if m.done {
		return m.resolver
	}
	return func(v any) (any, error) {
		if m.resolver == nil {
			return v, nil
		}
		return m.resolver(v)
	}
}

func (x *resolution) make(r, w *node, path string) resolver {
	if w.kind == kindUnion {
		return x.fromUnion(r, w, path)
	}
	if r.kind == kindUnion {
		return x.toUnion(r, w, path)
	}
	if r.kind != w.kind {
		return x.promote(r, w, path)
	}
	if (r.logical == "decimal" || w.logical == "decimal") && (r.logical != w.logical || r.scale != w.scale || r.precision != w.precision) {
		return x.fault(path, "%s was written, %s is read", w.describe(), r.describe())
	}
	switch r.kind {
	case kindRecord, kindEnum, kindFixed:
		return x.named(r, w, path)
	case kindArray:
		return each(x.resolve(r.items, w.items, path+"[]"))
	case kindMap:
		return eachValue(x.resolve(r.items, w.items, path+"{}"))
	}
	return nil
}

func (n *node) describe() string {
	if n.logical == "decimal" {
		return fmt.Sprintf("%s as a decimal (%d, %d)", n.branch(), n.precision, n.scale)
	}
	return n.branch()
}

// promote resolves what is of two kinds: numbers to wider ones, strings to bytes and back.
func (x *resolution) promote(r, w *node, path string) resolver {
	switch {
	case w.kind == kindInt && r.kind == kindLong:
		return func(v any) (any, error) { return int64(v.(int32)), nil }
	case w.kind == kindInt && r.kind == kindFloat:
		return func(v any) (any, error) { return float32(v.(int32)), nil }
	case w.kind == kindInt && r.kind == kindDouble:
		return func(v any) (any, error) { return float64(v.(int32)), nil }
	case w.kind == kindLong && r.kind == kindFloat:
		return func(v any) (any, error) { return float32(v.(int64)), nil }
	case w.kind == kindLong && r.kind == kindDouble:
		return func(v any) (any, error) { return float64(v.(int64)), nil }
	case w.kind == kindFloat && r.kind == kindDouble:
		return func(v any) (any, error) { return float64(v.(float32)), nil }
	case w.kind == kindString && r.kind == kindBytes && r.logical == "":
		return func(v any) (any, error) { return []byte(v.(string)), nil }
	case w.kind == kindBytes && r.kind == kindString && w.logical == "":
		return func(v any) (any, error) { return string(v.([]byte)), nil }
	}
	return x.fault(path, "%s was written, %s is read", w.branch(), r.branch())
}

// sameName compares as the specification does: by the name without its namespace, or by an alias of the reader's.
func sameName(r, w *node) bool {
	return short(r.name) == short(w.name) || slices.Contains(r.aliases, w.name) ||
		slices.ContainsFunc(r.aliases, func(a string) bool { return short(a) == short(w.name) })
}

func short(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

func (x *resolution) named(r, w *node, path string) resolver {
	if !sameName(r, w) {
		return x.fault(path, "%s %s was written, %s is read", w.kind, w.name, r.name)
	}
	switch r.kind {
	case kindFixed:
		if r.size != w.size {
			return x.fault(path, "fixed %s of %d bytes was written, one of %d is read", r.name, w.size, r.size)
		}
		return nil
	case kindEnum:
		return x.enum(r, w, path)
	}
	return x.record(r, w, path)
}

func (x *resolution) enum(r, w *node, path string) resolver {
	var missing []string
	for _, s := range w.symbols {
		if !r.symbol(s) {
			missing = append(missing, s)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if r.fallback == "" {
		x.partial++
		defer func() { x.partial-- }()
		x.fault(path, "enum %s: symbols %s were written, they are not read and there is no default", r.name, strings.Join(missing, ", "))
	}
	return func(v any) (any, error) {
		s, _ := v.(string)
		switch {
		case r.symbol(s):
			return s, nil
		case r.fallback == "":
			return nil, fmt.Errorf("enum %s has no symbol %s and no default", r.name, s)
		}
		return r.fallback, nil
	}
}

// source is where the field of a record comes from: the writer's field of that name, or a default.
type source struct {
	name, from string
	convert    resolver
	preset     any
}

func (x *resolution) record(r, w *node, path string) resolver {
	var from []source
	same := len(r.fields) == len(w.fields)
	for i := range r.fields {
		f := &r.fields[i]
		in := w.field(f.name)
		for _, a := range f.aliases {
			if in == nil {
				in = w.field(a)
			}
		}
		inner := strings.TrimPrefix(path+"."+f.name, ".")
		switch {
		case in != nil:
			s := source{name: f.name, from: in.name, convert: x.resolve(f.of, in.of, inner)}
			same = same && s.convert == nil && s.from == s.name
			from = append(from, s)
		case f.hasDefault:
			same = false
			from = append(from, source{name: f.name, preset: f.preset})
		default:
			return x.fault(inner, "it was not written and has no default")
		}
	}
	if same {
		return nil
	}
	return func(v any) (any, error) {
		in, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%T where a record was expected", v)
		}
		out := make(map[string]any, len(from))
		for i := range from {
			s := &from[i]
			v := in[s.from]
			if s.from == "" {
				v = cloned(s.preset)
			}
			if s.convert != nil {
				var err error
				if v, err = s.convert(v); err != nil {
					return nil, at(s.name, err)
				}
			}
			out[s.name] = v
		}
		return out, nil
	}
}

// cloned copies a default, so that whoever gets it may change it.
func cloned(v any) any {
	switch v := v.(type) {
	case []byte:
		return bytes.Clone(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = cloned(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = cloned(v[k])
		}
		return out
	}
	return v
}

// toUnion reads what was not written as a union as one: as the branch of the same type, else the first that can.
func (x *resolution) toUnion(r, w *node, path string) resolver {
	for _, exact := range []bool{true, false} {
		for _, b := range r.branches {
			if exact && (b.kind != w.kind || b.name != "" && b.name != w.name) {
				continue
			}
			f, ok := x.probe(b, w)
			if !ok {
				continue
			}
			return func(v any) (_ any, err error) {
				if f != nil {
					if v, err = f(v); err != nil {
						return nil, err
					}
				}
				return inUnion(b, v), nil
			}
		}
	}
	return x.fault(path, "%s was written, none of %s is read from it", w.branch(), r.names())
}

func (n *node) names() string {
	var ns []string
	for _, b := range n.branches {
		ns = append(ns, b.branch())
	}
	return strings.Join(ns, ", ")
}

// fromUnion reads each branch that may have been written.
func (x *resolution) fromUnion(r, w *node, path string) resolver {
	by := make(map[string]resolver, len(w.branches))
	same := r.kind == kindUnion && len(r.branches) >= len(w.branches)
	x.partial++
	defer func() { x.partial-- }()
	for _, b := range w.branches {
		f := x.resolve(r, b, path)
		by[b.branch()] = f
		same = same && slices.ContainsFunc(r.branches, func(rb *node) bool {
			if rb.branch() != b.branch() {
				return false
			}
			as, ok := x.probe(rb, b)
			return ok && as == nil
		})
	}
	if same {
		return nil
	}
	return func(v any) (any, error) {
		name := string(kindNull)
		if m, ok := v.(map[string]any); ok {
			for name, v = range m { // one
			}
		}
		if f := by[name]; f != nil {
			return f(v)
		}
		return v, nil
	}
}

func each(f resolver) resolver {
	if f == nil {
		return nil
	}
	return func(v any) (any, error) {
		in, ok := v.([]any)
		if !ok {
			return nil, fmt.Errorf("%T where an array was expected", v)
		}
		for i := range in {
			out, err := f(in[i])
			if err != nil {
				return nil, at(fmt.Sprintf("[%d]", i), err)
			}
			in[i] = out
		}
		return in, nil
	}
}

func eachValue(f resolver) resolver {
	if f == nil {
		return nil
	}
	return func(v any) (any, error) {
		in, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%T where a map was expected", v)
		}
		for k := range in {
			out, err := f(in[k])
			if err != nil {
				return nil, at(fmt.Sprintf("[%q]", k), err)
			}
			in[k] = out
		}
		return in, nil
	}
}
