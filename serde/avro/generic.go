package avro

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"reflect"
	"time"
)

// naturalType is the Go type in which a scalar stands in an any.
func naturalType(n *node) reflect.Type {
	switch n.logical {
	case "decimal":
		return reflect.TypeFor[*big.Rat]()
	case "uuid":
		return reflect.TypeFor[string]()
	case "time-millis", "time-micros":
		return reflect.TypeFor[time.Duration]()
	case "":
	default:
		return typeTime
	}
	return map[kind]reflect.Type{
		kindBoolean: reflect.TypeFor[bool](), kindInt: reflect.TypeFor[int32](), kindLong: reflect.TypeFor[int64](),
		kindFloat: reflect.TypeFor[float32](), kindDouble: reflect.TypeFor[float64](), kindString: reflect.TypeFor[string](),
		kindEnum: reflect.TypeFor[string](), kindBytes: typeBytes, kindFixed: typeBytes,
	}[n.kind]
}

// goavros reports whether goavro's values of the type are this package's: there are no logical types in it.
func (n *node) goavros(seen map[*node]bool) bool {
	if seen[n] {
		return true
	}
	seen[n] = true
	if n.logical != "" || n.items != nil && !n.items.goavros(seen) {
		return false
	}
	for i := range n.fields {
		if !n.fields[i].of.goavros(seen) {
			return false
		}
	}
	for _, b := range n.branches {
		if !b.goavros(seen) {
			return false
		}
	}
	return true
}

// generic binds an any: records and maps are map[string]any, arrays []any, unions nil or a map[string]any of one entry
// under the name of the branch, as goavro has them. What is written may also be of any other type that fits, and of a
// union's branch as it is, where the first that fits is taken.
func (b *binder) generic(n *node) (binding, error) {
	switch n.kind {
	case kindRecord:
		return b.genericRecord(n)
	case kindArray:
		return b.genericOf(n, reflect.TypeFor[[]any]())
	case kindMap:
		return b.genericOf(n, reflect.TypeFor[map[string]any]())
	case kindUnion:
		return b.genericUnion(n)
	case kindNull:
		return binding{func(dst []byte, v reflect.Value) ([]byte, error) {
			if !empty(v) {
				return nil, fmt.Errorf("%v where null was expected", v)
			}
			return dst, nil
		}, func(_ *walker, v reflect.Value) error {
			v.SetZero()
			return nil
		}, func(_ any, v reflect.Value) error {
			v.SetZero()
			return nil
		}}, nil
	}
	return b.genericOf(n, naturalType(n))
}

// empty reports whether v is an interface or pointer without a value.
func empty(v reflect.Value) bool {
	return !v.IsValid() || (v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer) && v.IsNil()
}

// concrete takes v out of its interface.
func concrete(v reflect.Value) reflect.Value {
	if v.IsValid() && v.Kind() == reflect.Interface {
		return v.Elem()
	}
	return v
}

// putOther writes a value of a type that is not the natural one.
func putOther(dst []byte, n *node, v reflect.Value) ([]byte, error) {
	if empty(v) {
		return nil, fmt.Errorf("nil where a %s was expected", n.branch())
	}
	v = concrete(v)
	other, err := (&binder{map[bound]*binding{}}).bind(n, v.Type())
	if err != nil {
		return nil, err
	}
	return other.put(dst, v)
}

// genericOf binds an any that is of type t when it is read, and of any type that fits when it is written.
func (b *binder) genericOf(n *node, t reflect.Type) (binding, error) {
	of, err := b.bind(n, t)
	if err != nil {
		return binding{}, err
	}
	return binding{func(dst []byte, v reflect.Value) ([]byte, error) {
		if v := concrete(v); v.IsValid() && v.Type() == t {
			return of.put(dst, v)
		}
		return putOther(dst, n, v)
	}, func(w *walker, v reflect.Value) error {
		into := reflect.New(t).Elem()
		if err := of.read(w, into); err != nil {
			return err
		}
		v.Set(into)
		return nil
	}, func(x any, v reflect.Value) error {
		into := reflect.New(t).Elem()
		if err := of.set(x, into); err != nil {
			return err
		}
		v.Set(into)
		return nil
	}}, nil
}

func (b *binder) genericRecord(n *node) (_ binding, err error) {
	r := genericRecord{n, make([]member, len(n.fields))}
	for i := range n.fields {
		f := &n.fields[i]
		m := member{name: f.name, of: f.of}
		if f.hasDefault {
			m.preset, err = encodePreset(f)
		}
		if err == nil {
			m.bind, err = b.bind(f.of, typeAny)
		}
		if err != nil {
			return binding{}, at(f.name, err)
		}
		r.members[i] = m
	}
	return binding{r.put, r.read, r.set}, nil
}

// genericRecord is a record as a map.
type genericRecord struct {
	n       *node
	members []member
}

func (r *genericRecord) put(dst []byte, v reflect.Value) ([]byte, error) {
	in := concrete(v)
	if !in.IsValid() || in.Kind() != reflect.Map || in.Type().Key().Kind() != reflect.String {
		return putOther(dst, r.n, v)
	}
	for i := range r.members {
		m := &r.members[i]
		x := in.MapIndex(reflect.ValueOf(m.name).Convert(in.Type().Key()))
		if !x.IsValid() && m.preset != nil {
			dst = append(dst, m.preset...)
			continue
		}
		var err error
		if dst, err = m.bind.put(dst, x); err != nil {
			return nil, at(m.name, err)
		}
	}
	return dst, nil
}

func (r *genericRecord) each(v reflect.Value, f func(m *member, into reflect.Value) error) error {
	out := make(map[string]any, len(r.members))
	for i := range r.members {
		m := &r.members[i]
		into := reflect.New(typeAny).Elem()
		if err := f(m, into); err != nil {
			return at(m.name, err)
		}
		out[m.name] = into.Interface()
	}
	v.Set(reflect.ValueOf(out))
	return nil
}

func (r *genericRecord) read(w *walker, v reflect.Value) error {
	if err := w.enter(); err != nil {
		return err
	}
	err := r.each(v, func(m *member, into reflect.Value) error { return m.bind.read(w, into) })
	w.leave()
	return err
}

func (r *genericRecord) set(x any, v reflect.Value) error {
	in, ok := x.(map[string]any)
	if !ok {
		return wrong(r.n, x)
	}
	return r.each(v, func(m *member, into reflect.Value) error { return m.bind.set(in[m.name], into) })
}

func (b *binder) genericUnion(n *node) (binding, error) {
	u := genericUnion{n, make([]*binding, len(n.branches))}
	for i := range n.branches {
		of, err := b.bind(n.branches[i], typeAny)
		if err != nil {
			return binding{}, err
		}
		u.branches[i] = of
	}
	return binding{u.put, u.read, u.set}, nil
}

// genericUnion is a union as nil or a map of one entry.
type genericUnion struct {
	n        *node
	branches []*binding
}

// chosen returns the branch that a map of one entry names, and its value.
func (n *node) chosen(v reflect.Value) (branch int, _ reflect.Value, ok bool) {
	if empty(v) {
		return 0, v, false
	}
	m, ok := concrete(v).Interface().(map[string]any)
	if !ok || len(m) != 1 {
		return 0, v, false
	}
	for i, b := range n.branches {
		if x, ok := m[b.branch()]; ok {
			return i, reflect.ValueOf(&x).Elem(), true
		}
	}
	return 0, v, false
}

func (u *genericUnion) put(dst []byte, v reflect.Value) ([]byte, error) {
	if i, x, ok := u.n.chosen(v); ok {
		return u.branches[i].put(binary.AppendVarint(dst, int64(i)), x)
	}
	for i := range u.branches {
		if out, err := u.branches[i].put(binary.AppendVarint(dst, int64(i)), v); err == nil {
			return out, nil
		}
	}
	return nil, fmt.Errorf("%v is none of %s", v, u.n.names())
}

func (u *genericUnion) read(w *walker, v reflect.Value) error {
	i, err := w.index(len(u.branches), "branch")
	if err != nil {
		return err
	}
	into := reflect.New(typeAny).Elem()
	if err := within(w, u.branches[i], into); err != nil {
		return err
	}
	u.wrap(i, into, v)
	return nil
}

// wrap puts a value of a branch into v.
func (u *genericUnion) wrap(i int, x, v reflect.Value) {
	if b := u.n.branches[i]; b.kind == kindNull {
		v.SetZero()
	} else {
		v.Set(reflect.ValueOf(map[string]any{b.branch(): x.Interface()}))
	}
}

func (u *genericUnion) set(x any, v reflect.Value) error {
	v.SetZero()
	m, ok := x.(map[string]any)
	if !ok {
		return nil // null
	}
	for i, b := range u.n.branches {
		if y, ok := m[b.branch()]; ok {
			into := reflect.New(typeAny).Elem()
			if err := u.branches[i].set(y, into); err != nil {
				return err
			}
			u.wrap(i, into, v)
		}
	}
	return nil
}
