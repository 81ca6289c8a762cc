package avro

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// value reads a value as goavro has it. goavro's own decoder trusts the counts it reads, recurses as deep as the bytes
// say, and keeps hold of them, so that its values could not be used without a first look at the bytes and a copy.
func (w *walker) value(n *node) (any, error) {
	switch n.kind {
	case kindNull:
		return nil, nil
	case kindInt:
		v, err := w.int()
		return v, err
	case kindLong:
		v, err := w.long()
		return v, err
	case kindString:
		b, err := w.sized()
		return string(b), err
	case kindEnum:
		i, err := w.index(len(n.symbols), "symbol")
		if err != nil {
			return nil, err
		}
		return n.symbols[i], nil
	case kindBytes:
		b, err := w.sized()
		return bytes.Clone(b), err
	case kindFixed:
		b, err := w.bytes(int64(n.size))
		return bytes.Clone(b), err
	case kindBoolean:
		b, err := w.bytes(1)
		if err == nil && b[0] > 1 {
			err = fmt.Errorf("boolean of %d", b[0])
		}
		return err == nil && b[0] == 1, err
	case kindFloat:
		b, err := w.bytes(4)
		if err != nil {
			return nil, err
		}
		return math.Float32frombits(binary.LittleEndian.Uint32(b)), nil
	case kindDouble:
		b, err := w.bytes(8)
		if err != nil {
			return nil, err
		}
		return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
	}
	if err := w.enter(); err != nil {
		return nil, err
	}
	v, err := w.many(n)
	w.leave()
	return v, err
}

// many is value for types that have others within.
func (w *walker) many(n *node) (any, error) {
	switch n.kind {
	case kindRecord:
		m := make(map[string]any, len(n.fields))
		for i := range n.fields {
			v, err := w.value(n.fields[i].of)
			if err != nil {
				return nil, at(n.fields[i].name, err)
			}
			m[n.fields[i].name] = v
		}
		return m, nil
	case kindUnion:
		i, err := w.index(len(n.branches), "branch")
		if err != nil {
			return nil, err
		}
		v, err := w.value(n.branches[i])
		return inUnion(n.branches[i], v), err
	case kindArray:
		list := []any{}
		for {
			count, err := w.count(n)
			if err != nil || count == 0 {
				return list, err
			}
			if cap(list) == 0 {
				list = make([]any, 0, count)
			}
			for range count {
				v, err := w.value(n.items)
				if err != nil {
					return nil, at(fmt.Sprintf("[%d]", len(list)), err)
				}
				list = append(list, v)
			}
		}
	}
	m := map[string]any{}
	for {
		count, err := w.count(n)
		if err != nil || count == 0 {
			return m, err
		}
		for range count {
			k, err := w.sized()
			if err != nil {
				return nil, err
			}
			key := string(k)
			if m[key], err = w.value(n.items); err != nil {
				return nil, at(fmt.Sprintf("[%q]", key), err)
			}
		}
	}
}
