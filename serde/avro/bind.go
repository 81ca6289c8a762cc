package avro

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/thalweg/thalweg/serde"
)

// binding is how the values of one Go type stand for those of one schema. put writes v; read reads into v from bytes of
// the same schema; set puts into v a generic value that was read under another schema and resolved to this one.
// v can be set.
type binding struct {
	put  func(dst []byte, v reflect.Value) ([]byte, error)
	read func(w *walker, v reflect.Value) error
	set  func(x any, v reflect.Value) error
}

// binder makes bindings. Those of records may be recursive.
type binder struct {
	made map[bound]*binding
}

type bound struct {
	n *node
	t reflect.Type
}

var (
	typeAny      = reflect.TypeFor[any]()
	typeTime     = reflect.TypeFor[time.Time]()
	typeDuration = reflect.TypeFor[time.Duration]()
	typeUUID     = reflect.TypeFor[[16]byte]()
	typeBytes    = reflect.TypeFor[[]byte]()
)

func (b *binder) bind(n *node, t reflect.Type) (*binding, error) {
	key := bound{n, t}
	if x := b.made[key]; x != nil {
		return x, nil
	}
	x := &binding{}
	b.made[key] = x
	made, err := b.make(n, t)
	if err != nil {
		return nil, err
	}
	*x = made
	return x, nil
}

func (b *binder) make(n *node, t reflect.Type) (binding, error) {
	switch {
	case t == typeAny:
		return b.generic(n)
	case n.kind == kindUnion:
		return b.union(n, t)
	case t.Kind() == reflect.Pointer:
		return b.pointer(n, t)
	}
	switch n.kind {
	case kindRecord:
		if t.Kind() == reflect.Struct {
			return b.record(n, t)
		}
		if t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && t.Elem() == typeAny {
			return b.through(n, t)
		}
	case kindArray:
		if t.Kind() == reflect.Slice {
			return b.array(n, t)
		}
	case kindMap:
		if t.Kind() == reflect.Map && t.Key().Kind() == reflect.String {
			return b.mapping(n, t)
		}
	default:
		return scalar(n, t)
	}
	return binding{}, unfit(n, t)
}

func unfit(n *node, t reflect.Type) error {
	what := n.branch()
	if n.logical != "" {
		what += " as " + n.logical
	}
	return fmt.Errorf("%s does not fit %s", t, what)
}

// through binds by way of the generic value: map[string]any is any within.
func (b *binder) through(n *node, t reflect.Type) (binding, error) {
	g, err := b.bind(n, typeAny)
	if err != nil {
		return binding{}, err
	}
	take := func(v reflect.Value, f func(into reflect.Value) error) error {
		into := reflect.New(typeAny).Elem()
		if err := f(into); err != nil {
			return err
		}
		v.Set(into.Elem().Convert(t))
		return nil
	}
	return binding{
		put: func(dst []byte, v reflect.Value) ([]byte, error) { return g.put(dst, v) },
		read: func(w *walker, v reflect.Value) error {
			return take(v, func(into reflect.Value) error { return g.read(w, into) })
		},
		set: func(x any, v reflect.Value) error {
			return take(v, func(into reflect.Value) error { return g.set(x, into) })
		},
	}, nil
}

func (b *binder) pointer(n *node, t reflect.Type) (binding, error) {
	of, err := b.bind(n, t.Elem())
	if err != nil {
		return binding{}, err
	}
	return binding{
		put: func(dst []byte, v reflect.Value) ([]byte, error) {
			if v.IsNil() {
				return nil, fmt.Errorf("nil where a %s was expected", n.branch())
			}
			return of.put(dst, v.Elem())
		},
		read: func(w *walker, v reflect.Value) error {
			v.Set(reflect.New(t.Elem()))
			return of.read(w, v.Elem())
		},
		set: func(x any, v reflect.Value) error {
			v.Set(reflect.New(t.Elem()))
			return of.set(x, v.Elem())
		},
	}, nil
}

// isOpt reports whether t is a serde.Opt.
func isOpt(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[serde.Void]().PkgPath() && strings.HasPrefix(t.Name(), "Opt[")
}

// union binds a union of null and one more to a serde.Opt or a pointer, one of a single type to what fits that.
func (b *binder) union(n *node, t reflect.Type) (binding, error) {
	if len(n.branches) == 1 {
		of, err := b.bind(n.branches[0], t)
		if err != nil {
			return binding{}, err
		}
		return inBranch(n, 0, of), nil
	}
	of := n.optional()
	opt := isOpt(t)
	if of == nil || !opt && t.Kind() != reflect.Pointer {
		return binding{}, fmt.Errorf("%s does not fit the union of %s: serde.Opt or a pointer fits null and one more, any fits every union", t, n.names())
	}
	return b.optional(n, t, opt)
}

// optional binds a union of null and one more, to a serde.Opt or else a pointer.
func (b *binder) optional(n *node, t reflect.Type, opt bool) (binding, error) {
	some := slices.IndexFunc(n.branches, func(x *node) bool { return x.kind != kindNull })
	inner := t
	if opt {
		inner = t.Field(0).Type
	} else {
		inner = t.Elem()
	}
	of, err := b.bind(n.branches[some], inner)
	if err != nil {
		return binding{}, err
	}
	branch := inBranch(n, some, of)
	absent := func(v reflect.Value) bool { return v.IsNil() }
	present := func(v reflect.Value) reflect.Value {
		if v.IsNil() {
			v.Set(reflect.New(inner))
		}
		return v.Elem()
	}
	if opt {
		absent = func(v reflect.Value) bool { return !v.Field(1).Bool() }
		present = func(v reflect.Value) reflect.Value {
			v.Field(1).SetBool(true)
			return v.Field(0)
		}
	}
	return binding{
		put: func(dst []byte, v reflect.Value) ([]byte, error) {
			if absent(v) {
				return binary.AppendVarint(dst, int64(1-some)), nil
			}
			return branch.put(dst, present(v))
		},
		read: func(w *walker, v reflect.Value) error {
			i, err := w.index(2, "branch")
			if err != nil || i != some {
				v.SetZero()
				return err
			}
			return within(w, of, present(v))
		},
		set: func(x any, v reflect.Value) error {
			if x == nil {
				v.SetZero()
				return nil
			}
			return branch.set(x, present(v))
		},
	}, nil
}

// within reads what lies within another value.
func within(w *walker, of *binding, v reflect.Value) error {
	if err := w.enter(); err != nil {
		return err
	}
	err := of.read(w, v)
	w.leave()
	return err
}

// inBranch is the binding of a union of which only one branch is bound.
func inBranch(n *node, branch int, of *binding) binding {
	name := n.branches[branch].branch()
	return binding{
		put: func(dst []byte, v reflect.Value) ([]byte, error) {
			return of.put(binary.AppendVarint(dst, int64(branch)), v)
		},
		read: func(w *walker, v reflect.Value) error {
			i, err := w.index(len(n.branches), "branch")
			if err == nil && i != branch {
				err = fmt.Errorf("branch %d where a %s was expected", i, name)
			}
			if err != nil {
				return err
			}
			return within(w, of, v)
		},
		set: func(x any, v reflect.Value) error {
			m, ok := x.(map[string]any)
			if !ok && name != string(kindNull) {
				return fmt.Errorf("%T where a %s was expected", x, name)
			}
			return of.set(m[name], v)
		},
	}
}

func (b *binder) array(n *node, t reflect.Type) (binding, error) {
	of, err := b.bind(n.items, t.Elem())
	if err != nil {
		return binding{}, at("[]", err)
	}
	return binding{
		put: func(dst []byte, v reflect.Value) (_ []byte, err error) {
			count := v.Len()
			if count > 0 {
				dst = binary.AppendVarint(dst, int64(count))
			}
			for i := range count {
				if dst, err = of.put(dst, v.Index(i)); err != nil {
					return nil, at(fmt.Sprintf("[%d]", i), err)
				}
			}
			return append(dst, 0), nil
		},
		read: func(w *walker, v reflect.Value) error {
			v.Set(reflect.MakeSlice(t, 0, 0))
			return w.blocks(n, func(count int) {
				if v.Cap() == 0 {
					v.Set(reflect.MakeSlice(t, 0, min(count, sliceFirst)))
				}
			}, func() error {
				i := v.Len()
				if i == v.Cap() {
					v.Grow(1)
				}
				v.SetLen(i + 1)
				return of.read(w, v.Index(i))
			})
		},
		set: func(x any, v reflect.Value) error {
			in, ok := x.([]any)
			if !ok {
				return fmt.Errorf("%T where an array was expected", x)
			}
			v.Set(reflect.MakeSlice(t, len(in), len(in)))
			for i := range in {
				if err := of.set(in[i], v.Index(i)); err != nil {
					return at(fmt.Sprintf("[%d]", i), err)
				}
			}
			return nil
		},
	}, nil
}

// sliceFirst is the most elements for which room is made before the first is read: elements may be large in Go.
const sliceFirst = 1 << 10

func (b *binder) mapping(n *node, t reflect.Type) (binding, error) {
	of, err := b.bind(n.items, t.Elem())
	if err != nil {
		return binding{}, at("[]", err)
	}
	enter := func(out reflect.Value, k string, f func(reflect.Value) error) error {
		e := reflect.New(t.Elem()).Elem()
		if err := f(e); err != nil {
			return at(fmt.Sprintf("[%q]", k), err)
		}
		out.SetMapIndex(reflect.ValueOf(k).Convert(t.Key()), e)
		return nil
	}
	return binding{
		put: func(dst []byte, v reflect.Value) (_ []byte, err error) {
			if v.Len() > 0 {
				dst = binary.AppendVarint(dst, int64(v.Len()))
			}
			for it := v.MapRange(); it.Next(); {
				k := it.Key().String()
				dst = append(binary.AppendVarint(dst, int64(len(k))), k...)
				if dst, err = of.put(dst, it.Value()); err != nil {
					return nil, at(fmt.Sprintf("[%q]", k), err)
				}
			}
			return append(dst, 0), nil
		},
		read: func(w *walker, v reflect.Value) error {
			out := reflect.MakeMap(t)
			v.Set(out)
			return w.blocks(n, func(int) {}, func() error {
				k, err := w.sized()
				if err != nil {
					return err
				}
				return enter(out, string(k), func(e reflect.Value) error { return of.read(w, e) })
			})
		},
		set: func(x any, v reflect.Value) error {
			in, ok := x.(map[string]any)
			if !ok {
				return fmt.Errorf("%T where a map was expected", x)
			}
			out := reflect.MakeMapWithSize(t, len(in))
			v.Set(out)
			for k := range in {
				if err := enter(out, k, func(e reflect.Value) error { return of.set(in[k], e) }); err != nil {
					return err
				}
			}
			return nil
		},
	}, nil
}
