package serde

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

// JSON is encoding/json for T. Members that T does not have are ignored: who writes may be a version ahead.
func JSON[T any]() Serde[T] { return jsonSerde[T]{} }

// StrictJSON is [JSON] that refuses members T does not have: what would be lost on the way is an error instead.
func StrictJSON[T any]() Serde[T] { return strictJSON[T]{} }

type (
	jsonSerde[T any]  struct{}
	strictJSON[T any] struct{ jsonSerde[T] }
)

func (jsonSerde[T]) String() string { return "json " + reflect.TypeFor[T]().String() }

func (jsonSerde[T]) Append(dst []byte, v T) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("serde: %w", err)
	}
	return append(dst, b...), nil
}

func (jsonSerde[T]) Decode(data []byte) (v T, err error) {
	if data == nil {
		return v, errNull("JSON text")
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("serde: %w", err)
	}
	return v, nil
}

func (strictJSON[T]) Decode(data []byte) (v T, err error) {
	if data == nil {
		return v, errNull("JSON text")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, fmt.Errorf("serde: %w", err)
	}
	if rest := bytes.TrimLeft(data[d.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return v, fmt.Errorf("serde: more than one JSON value in %d bytes", len(data))
	}
	return v, nil
}
