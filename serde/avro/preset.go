package avro

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// presetsMost is how many values of defaults a schema may have, counting each branch of a union that is tried.
const presetsMost = 100_000

// presetOf turns the JSON of a default into what goavro would read. A default of a union is one of its first branch, by
// the specification; newer implementations take any that fits, and so does this one.
func (p *parser) presetOf(n *node, x any, depth int) (any, error) {
	if p.presets++; depth > schemaDepth || p.presets > presetsMost {
		return nil, errors.New("the defaults are too deep or too many")
	}
	switch n.kind {
	case kindNull:
		if x == nil {
			return nil, nil
		}
	case kindBoolean:
		if v, ok := x.(bool); ok {
			return v, nil
		}
	case kindInt, kindLong, kindFloat, kindDouble:
		if v, ok := x.(json.Number); ok {
			return presetNumber(n.kind, v)
		}
	case kindString:
		if v, ok := x.(string); ok {
			return v, nil
		}
	case kindEnum:
		if v, ok := x.(string); ok && n.symbol(v) {
			return v, nil
		}
	case kindBytes, kindFixed:
		if v, ok := x.(string); ok {
			return presetBytes(n, v)
		}
	case kindArray, kindMap, kindRecord:
		return p.presetMany(n, x, depth)
	case kindUnion:
		for _, b := range n.branches {
			v, err := p.presetOf(b, x, depth+1)
			if err == nil {
				return inUnion(b, v), nil
			}
		}
	}
	return nil, fmt.Errorf("%v is no %s", x, n.branch())
}

// inUnion is how goavro has a value of a branch.
func inUnion(b *node, v any) any {
	if b.kind == kindNull {
		return nil
	}
	return map[string]any{b.branch(): v}
}

func (n *node) symbol(s string) bool {
	for _, x := range n.symbols {
		if x == s {
			return true
		}
	}
	return false
}

func presetNumber(k kind, x json.Number) (any, error) {
	if k == kindFloat || k == kindDouble {
		v, err := x.Float64()
		if err != nil {
			return nil, err
		}
		if k == kindFloat {
			return float32(v), nil
		}
		return v, nil
	}
	v, err := x.Int64()
	if err != nil {
		return nil, err
	}
	if k == kindInt {
		if v < math.MinInt32 || v > math.MaxInt32 {
			return nil, fmt.Errorf("%d is no int", v)
		}
		return int32(v), nil
	}
	return v, nil
}

// presetBytes reads bytes as JSON has them: each a character of the same code.
func presetBytes(n *node, text string) (any, error) {
	b := []byte{}
	for _, r := range text {
		if r > 0xff {
			return nil, fmt.Errorf("%q is no byte", r)
		}
		b = append(b, byte(r))
	}
	if n.kind == kindFixed && len(b) != n.size {
		return nil, fmt.Errorf("%d bytes for a fixed of %d", len(b), n.size)
	}
	return b, nil
}

func (p *parser) presetMany(n *node, x any, depth int) (any, error) {
	if n.kind == kindArray {
		list, ok := x.([]any)
		if !ok {
			return nil, fmt.Errorf("%v is no array", x)
		}
		out := make([]any, len(list))
		for i := range list {
			var err error
			if out[i], err = p.presetOf(n.items, list[i], depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	m, ok := x.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%v is no %s", x, n.branch())
	}
	out := map[string]any{}
	if n.kind == kindMap {
		for k := range m {
			var err error
			if out[k], err = p.presetOf(n.items, m[k], depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	for i := range n.fields {
		f := &n.fields[i]
		v, has := m[f.name]
		if !has && f.hasDefault {
			out[f.name] = f.preset // settled before: records within a default are declared before it
			continue
		}
		if !has {
			return nil, fmt.Errorf("no field %s", f.name)
		}
		var err error
		if out[f.name], err = p.presetOf(f.of, v, depth+1); err != nil {
			return nil, fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	return out, nil
}
