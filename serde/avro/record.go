package avro

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// member is a field of a record with its Go field.
type member struct {
	name   string
	of     *node
	index  []int // nil: the struct has none, the default is written
	bind   *binding
	preset []byte // the default, encoded
}

// field is the Go field of m in v. An embedded pointer that is nil is an error.
func (m *member) field(v reflect.Value) (reflect.Value, error) {
	if len(m.index) == 1 {
		return v.Field(m.index[0]), nil
	}
	return v.FieldByIndexErr(m.index)
}

// record binds a struct: a field by its tag `avro:"name"`, else by its name, in any case. Every Go field must be in the
// schema, unless its tag is "-"; a field of the schema may be missing from the struct if it has a default, which then is
// written. What is read into no field is dropped.
func (b *binder) record(n *node, t reflect.Type) (binding, error) {
	byName, errs := fieldsOf(n, t)
	members := make([]member, len(n.fields))
	for i := range n.fields {
		f := &n.fields[i]
		m := member{name: f.name, of: f.of}
		var err error
		if g, ok := byName[f.name]; ok {
			m.index = g.Index
			m.bind, err = b.bind(f.of, g.Type)
		} else if !f.hasDefault {
			err = fmt.Errorf("it is not in %s and has no default", t)
		} else {
			m.preset, err = encodePreset(f)
		}
		if err != nil {
			errs = append(errs, at(f.name, err))
		}
		members[i] = m
	}
	return structBinding(members), errors.Join(errs...)
}

// encodePreset encodes a default.
func encodePreset(f *field) ([]byte, error) {
	s, err := schemaOf(f.of)
	if err != nil {
		return nil, err
	}
	return s.plain.BinaryFromNative([]byte{}, f.preset)
}

// fieldsOf pairs the fields of a record with those of a struct.
func fieldsOf(n *node, t reflect.Type) (byName map[string]reflect.StructField, errs []error) {
	byName = map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		name, tagged := f.Tag.Lookup("avro")
		if !f.IsExported() || name == "-" || f.Anonymous && !tagged {
			continue
		}
		target := n.field(name)
		for i := range n.fields {
			if !tagged && target == nil && strings.EqualFold(n.fields[i].name, f.Name) {
				target = &n.fields[i]
			}
		}
		if target == nil {
			errs = append(errs, fmt.Errorf("field %s of %s is not in record %s: tag it `avro:\"name\"` or `avro:\"-\"`", f.Name, t, n.name))
			continue
		}
		byName[target.name] = f
	}
	return byName, errs
}

func structBinding(members []member) binding {
	return binding{
		put: func(dst []byte, v reflect.Value) ([]byte, error) {
			for i := range members {
				m := &members[i]
				if m.index == nil {
					dst = append(dst, m.preset...)
					continue
				}
				f, err := m.field(v)
				if err == nil {
					dst, err = m.bind.put(dst, f)
				}
				if err != nil {
					return nil, at(m.name, err)
				}
			}
			return dst, nil
		},
		read: func(w *walker, v reflect.Value) error {
			if err := w.enter(); err != nil {
				return err
			}
			for i := range members {
				m := &members[i]
				if err := m.read(w, v); err != nil {
					return at(m.name, err)
				}
			}
			w.leave()
			return nil
		},
		set: func(x any, v reflect.Value) error {
			in, ok := x.(map[string]any)
			if !ok {
				return fmt.Errorf("%T where a record was expected", x)
			}
			for i := range members {
				m := &members[i]
				if m.index == nil {
					continue
				}
				f, err := m.field(v)
				if err == nil {
					err = m.bind.set(in[m.name], f)
				}
				if err != nil {
					return at(m.name, err)
				}
			}
			return nil
		},
	}
}

func (m *member) read(w *walker, v reflect.Value) error {
	if m.index == nil {
		return w.walk(m.of)
	}
	f, err := m.field(v)
	if err != nil {
		return err
	}
	return m.bind.read(w, f)
}
