package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// jsonDiff finds out whether every value that one schema allows is allowed by another. It does not reason about what it
// does not know: a keyword that is not compared must be the same on both sides, so a change may be refused that could have
// been allowed. In one thing it allows too much, as the Confluent Schema Registry does: oneOf is compared as anyOf, though
// a value that two of its branches allow is none of its values. format is taken for a remark, as the specification has it.
type jsonDiff struct {
	r, w jsonSchema
	seen map[[2]string]bool // pairs of references under comparison: recursion takes them to be compatible
	work int                // pairs of schemas compared
}

// Limits of a comparison: anyOf within anyOf multiplies.
const (
	jsonDepth = 100
	jsonWork  = 100_000
)

// compared are the keywords that are looked at, or that allow everything.
var compared = regexp.MustCompile(`^(type|enum|const|minimum|maximum|exclusiveMinimum|exclusiveMaximum|multipleOf|minLength|maxLength|pattern|` +
	`items|prefixItems|additionalItems|minItems|maxItems|uniqueItems|properties|patternProperties|additionalProperties|required|minProperties|maxProperties|` +
	`allOf|anyOf|oneOf|\$ref|\$id|id|\$schema|\$defs|definitions|\$comment|\$anchor|title|description|default|examples|deprecated|readOnly|writeOnly|format|` +
	`contentEncoding|contentMediaType|contentSchema|javaType|connect\..*|confluent:.*)$`)

type object = map[string]any

// anything reports whether a schema allows every value.
func anything(x any) bool {
	switch x := x.(type) {
	case nil:
		return true
	case bool:
		return x
	case object:
		for k := range x {
			switch k {
			case "title", "description", "default", "examples", "$comment", "$schema", "$id", "$defs", "definitions":
			default:
				return false
			}
		}
		return true
	}
	return false
}

// faults says what w allows that r does not.
func (d *jsonDiff) faults(r, w any, path string, depth int) []string {
	if d.work++; depth > jsonDepth || d.work > jsonWork {
		return []string{at(path, "the schemas are too deep or too large to be compared")}
	}
	r, rRef := d.r.follow(r)
	w, wRef := d.w.follow(w)
	if pair := [2]string{rRef, wRef}; rRef != "" && wRef != "" {
		if d.seen[pair] {
			return nil
		}
		d.seen[pair] = true
		defer delete(d.seen, pair)
	}
	if anything(r) || w == false {
		return nil
	}
	if r == false {
		return []string{at(path, "nothing is allowed any more")}
	}
	ro, ok := r.(object)
	if !ok {
		return []string{at(path, "it is no schema")}
	}
	wo, ok := w.(object)
	if !ok { // everything
		wo = object{}
	}
	if reflect.DeepEqual(ro, wo) && sameRefs(d.r, d.w) {
		return nil
	}
	return d.objects(ro, wo, path, depth+1)
}

// sameRefs reports whether equal references of both mean the same: those within the schemas may not.
func sameRefs(a, b jsonSchema) bool {
	return reflect.DeepEqual(a.refs, b.refs) && reflect.DeepEqual(defs(a.root), defs(b.root))
}

func defs(x any) any {
	o, _ := x.(object)
	return [2]any{o["$defs"], o["definitions"]}
}

func at(path, format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	if path == "" {
		return text
	}
	return path + ": " + text
}

// follow returns what a schema with a $ref refers to, and the reference.
func (s jsonSchema) follow(x any) (any, string) {
	ref := ""
	for range jsonDepth {
		o, _ := x.(object)
		to, ok := o["$ref"].(string)
		if !ok {
			return x, ref
		}
		ref = to
		name, fragment, _ := strings.Cut(to, "#")
		x = s.root
		if name != "" {
			if x, ok = s.refs[name]; !ok {
				x = s.refs[strings.TrimPrefix(name, "./")]
			}
		}
		for part := range strings.SplitSeq(strings.TrimPrefix(fragment, "/"), "/") {
			if part == "" {
				continue
			}
			part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
			o, _ := x.(object)
			x = o[part]
		}
		if x == nil {
			return object{"not": object{}}, ref // refers to nothing: allows nothing
		}
	}
	return x, ref
}

func (d *jsonDiff) objects(r, w object, path string, depth int) (faults []string) {
	if done, fs := d.combined(r, w, path, depth); done {
		return fs
	}
	for _, k := range slices.Sorted(maps.Keys(r)) {
		if !compared.MatchString(k) && !reflect.DeepEqual(r[k], w[k]) {
			faults = append(faults, at(path, "%s is new or has changed", k))
		}
	}
	for _, f := range []func(r, w object, path string, depth int) []string{d.types, d.values, d.bounds, d.arrays, d.properties} {
		faults = append(faults, f(r, w, path, depth)...)
	}
	return faults
}

// combined compares by anyOf, oneOf and allOf. done says that nothing remains to be compared.
func (d *jsonDiff) combined(r, w object, path string, depth int) (done bool, faults []string) {
	for _, k := range []string{"anyOf", "oneOf"} {
		if list, ok := w[k].([]any); ok {
			rest := without(w, k)
			for i, branch := range list {
				faults = append(faults, d.faults(r, merge(rest, branch), at(path, "%s %d", k, i), depth)...)
			}
			return true, faults
		}
	}
	if list, ok := r["allOf"].([]any); ok {
		for _, part := range list {
			faults = append(faults, d.faults(part, w, path, depth)...)
		}
		return true, append(faults, d.faults(without(r, "allOf"), w, path, depth)...)
	}
	if list, ok := w["allOf"].([]any); ok {
		rest := without(w, "allOf")
		for _, part := range append(slices.Clone(list), rest) {
			if !anything(part) && len(d.faults(r, part, path, depth)) == 0 {
				return true, nil
			}
		}
		all := any(rest)
		for _, part := range list {
			all = merge(all, part)
		}
		return true, d.faults(r, all, path, depth)
	}
	for _, k := range []string{"anyOf", "oneOf"} {
		list, ok := r[k].([]any)
		if !ok {
			continue
		}
		faults = d.faults(without(r, k), w, path, depth)
		for _, branch := range list {
			if len(d.faults(branch, w, path, depth)) == 0 {
				return true, faults
			}
		}
		return true, append(faults, at(path, "no branch of %s allows it", k))
	}
	return false, nil
}

func without(o object, key string) object {
	o = maps.Clone(o)
	delete(o, key)
	return o
}

// merge is a schema that asks for both. Where both have a keyword, the second's counts, except that properties and
// required are united; so it may allow more than both do, which refuses too much rather than too little.
func merge(a, b any) any {
	x, ok := a.(object)
	if !ok {
		return b
	}
	y, ok := b.(object)
	if !ok {
		if b == false {
			return false
		}
		return a
	}
	out := maps.Clone(x)
	for k, v := range y {
		switch k {
		case "properties":
			if px, ok := out[k].(object); ok {
				if py, ok := v.(object); ok {
					px = maps.Clone(px)
					maps.Copy(px, py)
					out[k] = px
					continue
				}
			}
		case "required":
			if rx, ok := out[k].([]any); ok {
				if ry, ok := v.([]any); ok {
					out[k] = append(slices.Clone(rx), ry...)
					continue
				}
			}
		}
		out[k] = v
	}
	return out
}

// typesOf returns the types of a schema, nil for all.
func typesOf(o object) (ts []string) {
	switch t := o["type"].(type) {
	case string:
		return []string{t}
	case []any:
		for _, x := range t {
			if s, ok := x.(string); ok {
				ts = append(ts, s)
			}
		}
	}
	return ts
}

func (d *jsonDiff) types(r, w object, path string, _ int) []string {
	rt, wt := typesOf(r), typesOf(w)
	if rt == nil {
		return nil
	}
	if wt == nil {
		if given(w) { // the values are compared one by one
			return nil
		}
		return []string{at(path, "type %s is new", strings.Join(rt, ", "))}
	}
	for _, t := range wt {
		if !slices.Contains(rt, t) && !(t == "integer" && slices.Contains(rt, "number")) {
			return []string{at(path, "type %s was allowed, now it is %s", t, strings.Join(rt, ", "))}
		}
	}
	return nil
}

// given reports whether a schema names its values.
func given(o object) bool { return valuesOf(o) != nil }

func valuesOf(o object) []any {
	if c, ok := o["const"]; ok {
		return []any{c}
	}
	list, _ := o["enum"].([]any)
	return list
}

func (d *jsonDiff) values(r, w object, path string, _ int) (faults []string) {
	rv, wv := valuesOf(r), valuesOf(w)
	if rv == nil {
		return nil
	}
	if wv == nil {
		return []string{at(path, "only some values are allowed now")}
	}
	for _, v := range wv {
		if !slices.ContainsFunc(rv, func(x any) bool { return reflect.DeepEqual(x, v) }) {
			text, _ := json.Marshal(v)
			faults = append(faults, at(path, "the value %s is not allowed any more", text))
		}
	}
	return faults
}

func rational(x any) *big.Rat {
	n, ok := x.(json.Number)
	if !ok || len(n) > 100 || exponent.MatchString(string(n)) {
		return nil
	}
	r, ok := new(big.Rat).SetString(string(n))
	if !ok {
		return nil
	}
	return r
}

// exponent is one that would make a number too long to be worked with.
var exponent = regexp.MustCompile(`[eE][+-]?\d{4,}`)

// bounds compares limits: lower ones may only fall, upper ones only rise.
func (d *jsonDiff) bounds(r, w object, path string, _ int) (faults []string) {
	for k, upper := range map[string]bool{
		"minimum": false, "exclusiveMinimum": false, "minLength": false, "minItems": false, "minProperties": false,
		"maximum": true, "exclusiveMaximum": true, "maxLength": true, "maxItems": true, "maxProperties": true,
	} {
		if r[k] == nil || reflect.DeepEqual(r[k], w[k]) {
			continue
		}
		a, b := rational(r[k]), rational(w[k])
		if a == nil || b == nil {
			faults = append(faults, at(path, "%s is new", k))
		} else if c := a.Cmp(b); upper && c < 0 || !upper && c > 0 {
			faults = append(faults, at(path, "%s was %v, is %v", k, w[k], r[k]))
		}
	}
	if r["multipleOf"] != nil {
		a, b := rational(r["multipleOf"]), rational(w["multipleOf"])
		if a == nil || b == nil || a.Sign() == 0 || !new(big.Rat).Quo(b, a).IsInt() {
			faults = append(faults, at(path, "multipleOf is new or has changed"))
		}
	}
	if r["pattern"] != nil && r["pattern"] != w["pattern"] {
		faults = append(faults, at(path, "pattern is new or has changed"))
	}
	if r["uniqueItems"] == true && w["uniqueItems"] != true {
		faults = append(faults, at(path, "uniqueItems is new"))
	}
	slices.Sort(faults)
	return faults
}

// itemsOf returns the schemas of the first elements, and that of the others.
func itemsOf(o object) (first []any, others any) {
	if list, ok := o["items"].([]any); ok { // before draft 2020-12
		return list, o["additionalItems"]
	}
	first, _ = o["prefixItems"].([]any)
	return first, o["items"]
}

func (d *jsonDiff) arrays(r, w object, path string, depth int) (faults []string) {
	rf, ro := itemsOf(r)
	wf, wo := itemsOf(w)
	if rf == nil && ro == nil || !may(w, "array") {
		return nil
	}
	pick := func(first []any, others any, i int) any {
		if i < len(first) {
			return first[i]
		}
		return others
	}
	for i := range max(len(rf), len(wf)) {
		faults = append(faults, d.faults(pick(rf, ro, i), orTrue(pick(wf, wo, i)), fmt.Sprintf("%s[%d]", path, i), depth)...)
	}
	return append(faults, d.faults(ro, orTrue(wo), path+"[]", depth)...)
}

// may reports whether values of a type are allowed.
func may(o object, t string) bool {
	ts := typesOf(o)
	return ts == nil || slices.Contains(ts, t)
}

// orTrue is a schema that may be left out.
func orTrue(x any) any {
	if x == nil {
		return true
	}
	return x
}
