package avro

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"time"

	"github.com/thalweg/thalweg/serde"
)

// scalar binds a type that has no parts.
func scalar(n *node, t reflect.Type) (binding, error) {
	if n.logical != "" {
		if x, ok := logical(n, t); ok {
			return x, nil
		}
		if n.logical == "decimal" && t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
			return binding{}, fmt.Errorf("%s does not fit a decimal: *big.Rat does, with math/big", t)
		}
	} else if t == typeTime || t == typeDuration {
		return binding{}, unfit(n, t)
	}
	switch n.kind {
	case kindNull:
		return binding{
			func(dst []byte, _ reflect.Value) ([]byte, error) { return dst, nil },
			func(*walker, reflect.Value) error { return nil },
			func(any, reflect.Value) error { return nil },
		}, nil
	case kindBoolean:
		if t.Kind() == reflect.Bool {
			return boolean(n), nil
		}
	case kindInt, kindLong:
		return integer(n, t)
	case kindFloat, kindDouble:
		return floating(n, t)
	case kindString:
		if t.Kind() == reflect.String {
			return text(n, func(v reflect.Value) (string, error) { return v.String(), nil }, func(s string, v reflect.Value) error {
				v.SetString(s)
				return nil
			}), nil
		}
	case kindEnum:
		if t.Kind() == reflect.String {
			return enum(n), nil
		}
	case kindBytes, kindFixed:
		return raw(n, t)
	}
	return binding{}, unfit(n, t)
}

func wrong(n *node, x any) error { return fmt.Errorf("%T where a %s was expected", x, n.branch()) }

func boolean(n *node) binding {
	return binding{
		put: func(dst []byte, v reflect.Value) ([]byte, error) {
			if v.Bool() {
				return append(dst, 1), nil
			}
			return append(dst, 0), nil
		},
		read: func(w *walker, v reflect.Value) error {
			b, err := w.bytes(1)
			if err == nil {
				err = readBool(b[0], v)
			}
			return err
		},
		set: func(x any, v reflect.Value) error {
			b, ok := x.(bool)
			if !ok {
				return wrong(n, x)
			}
			v.SetBool(b)
			return nil
		},
	}
}

func readBool(b byte, v reflect.Value) error {
	if b > 1 {
		return fmt.Errorf("boolean of %d", b)
	}
	v.SetBool(b == 1)
	return nil
}

// whole binds what is written as an int or a long.
func whole(n *node, to func(reflect.Value) (int64, error), from func(int64, reflect.Value) error) binding {
	fits := func(i int64) error {
		if n.kind == kindInt && (i < math.MinInt32 || i > math.MaxInt32) {
			return fmt.Errorf("%d does not fit an int", i)
		}
		return nil
	}
	return binding{
		put: func(dst []byte, v reflect.Value) ([]byte, error) {
			i, err := to(v)
			if err == nil {
				err = fits(i)
			}
			if err != nil {
				return nil, err
			}
			return binary.AppendVarint(dst, i), nil
		},
		read: func(w *walker, v reflect.Value) error {
			i, err := w.long()
			if err == nil {
				err = fits(i)
			}
			if err != nil {
				return err
			}
			return from(i, v)
		},
		set: func(x any, v reflect.Value) error {
			switch x := x.(type) {
			case int32:
				return from(int64(x), v)
			case int64:
				return from(x, v)
			}
			return wrong(n, x)
		},
	}
}

func integer(n *node, t reflect.Type) (binding, error) {
	switch {
	case reflect.Zero(t).CanInt():
		return whole(n, func(v reflect.Value) (int64, error) { return v.Int(), nil }, func(i int64, v reflect.Value) error {
			if v.OverflowInt(i) {
				return fmt.Errorf("%d does not fit %s", i, t)
			}
			v.SetInt(i)
			return nil
		}), nil
	case reflect.Zero(t).CanUint():
		return whole(n, func(v reflect.Value) (int64, error) {
			if v.Uint() > math.MaxInt64 {
				return 0, fmt.Errorf("%d does not fit a long", v.Uint())
			}
			return int64(v.Uint()), nil
		}, func(i int64, v reflect.Value) error {
			if i < 0 || v.OverflowUint(uint64(i)) {
				return fmt.Errorf("%d does not fit %s", i, t)
			}
			v.SetUint(uint64(i))
			return nil
		}), nil
	}
	return binding{}, unfit(n, t)
}

// floating binds floats; a float32 would lose digits of a double.
func floating(n *node, t reflect.Type) (binding, error) {
	single := n.kind == kindFloat
	if !reflect.Zero(t).CanFloat() || !single && t.Kind() == reflect.Float32 {
		return binding{}, unfit(n, t)
	}
	return binding{
		put: func(dst []byte, v reflect.Value) ([]byte, error) {
			if single {
				return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.Float()))), nil
			}
			return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float())), nil
		},
		read: func(w *walker, v reflect.Value) error {
			if single {
				b, err := w.bytes(4)
				if err == nil {
					v.SetFloat(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
				}
				return err
			}
			b, err := w.bytes(8)
			if err == nil {
				v.SetFloat(math.Float64frombits(binary.LittleEndian.Uint64(b)))
			}
			return err
		},
		set: func(x any, v reflect.Value) error {
			switch x := x.(type) {
			case float32:
				v.SetFloat(float64(x))
				return nil
			case float64:
				v.SetFloat(x)
				return nil
			}
			return wrong(n, x)
		},
	}, nil
}

// text binds what is written as a string.
func text(n *node, to func(reflect.Value) (string, error), from func(string, reflect.Value) error) binding {
	return binding{
		put: func(dst []byte, v reflect.Value) ([]byte, error) {
			s, err := to(v)
			if err != nil {
				return nil, err
			}
			return append(binary.AppendVarint(dst, int64(len(s))), s...), nil
		},
		read: func(w *walker, v reflect.Value) error {
			b, err := w.sized()
			if err != nil {
				return err
			}
			return from(string(b), v)
		},
		set: func(x any, v reflect.Value) error {
			s, ok := x.(string)
			if !ok {
				return wrong(n, x)
			}
			return from(s, v)
		},
	}
}

func enum(n *node) binding {
	index := make(map[string]int64, len(n.symbols))
	for i, s := range n.symbols {
		index[s] = int64(i)
	}
	return binding{
		put: func(dst []byte, v reflect.Value) ([]byte, error) {
			i, ok := index[v.String()]
			if !ok {
				return nil, fmt.Errorf("%q is no symbol of %s", v.String(), n.name)
			}
			return binary.AppendVarint(dst, i), nil
		},
		read: func(w *walker, v reflect.Value) error {
			i, err := w.index(len(n.symbols), "symbol")
			if err == nil {
				v.SetString(n.symbols[i])
			}
			return err
		},
		set: func(x any, v reflect.Value) error {
			s, ok := x.(string)
			if !ok {
				return wrong(n, x)
			}
			v.SetString(s)
			return nil
		},
	}
}

// octets binds what is written as bytes or a fixed. from must not keep the bytes.
func octets(n *node, to func(reflect.Value) ([]byte, error), from func([]byte, reflect.Value) error) binding {
	return binding{
		put: func(dst []byte, v reflect.Value) ([]byte, error) {
			b, err := to(v)
			if err != nil {
				return nil, err
			}
			if n.kind == kindBytes {
				dst = binary.AppendVarint(dst, int64(len(b)))
			} else if len(b) != n.size {
				return nil, fmt.Errorf("%d bytes for a fixed of %d", len(b), n.size)
			}
			return append(dst, b...), nil
		},
		read: func(w *walker, v reflect.Value) (err error) {
			var b []byte
			if n.kind == kindBytes {
				b, err = w.sized()
			} else {
				b, err = w.bytes(int64(n.size))
			}
			if err != nil {
				return err
			}
			return from(b, v)
		},
		set: func(x any, v reflect.Value) error {
			b, ok := x.([]byte)
			if !ok {
				return wrong(n, x)
			}
			return from(b, v)
		},
	}
}

func raw(n *node, t reflect.Type) (binding, error) {
	octet := (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t.Elem().Kind() == reflect.Uint8
	switch {
	case octet && t.Kind() == reflect.Slice:
		return octets(n, func(v reflect.Value) ([]byte, error) { return v.Bytes(), nil }, func(b []byte, v reflect.Value) error {
			v.Set(reflect.MakeSlice(t, len(b), len(b)))
			reflect.Copy(v, reflect.ValueOf(b))
			return nil
		}), nil
	case octet && n.kind == kindFixed && t.Len() == n.size:
		return octets(n, func(v reflect.Value) ([]byte, error) {
			b := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(b), v)
			return b, nil
		}, func(b []byte, v reflect.Value) error {
			if reflect.Copy(v, reflect.ValueOf(b)) != n.size {
				return fmt.Errorf("%d bytes for a fixed of %d", len(b), n.size)
			}
			return nil
		}), nil
	}
	return binding{}, unfit(n, t)
}

// logical binds the Go type that a logical type has of its own. ok is false for any other.
func logical(n *node, t reflect.Type) (_ binding, ok bool) {
	switch {
	case n.logical == "decimal" && t == reflect.TypeFor[big.Rat]():
		return octets(n, func(v reflect.Value) ([]byte, error) {
			r := v.Interface().(big.Rat)
			return n.bytesOf(&r)
		}, func(b []byte, v reflect.Value) error {
			r, err := n.decimalOf(b)
			if err == nil {
				v.Set(reflect.ValueOf(r).Elem())
			}
			return err
		}), true
	case n.logical == "uuid" && t.Kind() == reflect.Array && t.ConvertibleTo(typeUUID):
		return text(n, func(v reflect.Value) (string, error) {
			b, err := serde.UUID.Append(make([]byte, 0, 36), v.Convert(typeUUID).Interface().([16]byte))
			return string(b), err
		}, func(s string, v reflect.Value) error {
			u, err := serde.UUID.Decode([]byte(s))
			v.Set(reflect.ValueOf(u).Convert(t))
			return err
		}), true
	case t == typeDuration && (n.logical == "time-millis" || n.logical == "time-micros"):
		u := int64(unit(n.logical))
		return whole(n, func(v reflect.Value) (int64, error) { return v.Int() / u, nil }, func(i int64, v reflect.Value) error {
			if i > math.MaxInt64/u || i < math.MinInt64/u {
				return fmt.Errorf("%d is beyond a time.Duration", i)
			}
			v.SetInt(i * u)
			return nil
		}), true
	case t == typeTime && n.logical != "decimal" && n.logical != "uuid" && n.logical != "time-millis" && n.logical != "time-micros":
		return whole(n, func(v reflect.Value) (int64, error) { return numberOf(n.logical, v.Interface().(time.Time)) }, func(i int64, v reflect.Value) error {
			v.Set(reflect.ValueOf(timeOf(n.logical, i)))
			return nil
		}), true
	}
	return binding{}, false
}
