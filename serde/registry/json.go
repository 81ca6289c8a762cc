package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/thalweg/thalweg/internal/registry/rest"
	"github.com/thalweg/thalweg/serde"
)

// jsonFormat is JSON, under a schema or under one inferred from T.
type jsonFormat[T any] struct {
	of    serde.Serde[T]
	text  string
	title string
	check *jsonschema.Resolved // nil: T is all there is to check
	err   error
}

func newJSON[T any](text string) *jsonFormat[T] {
	f := &jsonFormat[T]{of: serde.JSON[T](), text: text}
	if text == "" {
		f.infer()
		return f
	}
	var s jsonschema.Schema
	err := json.Unmarshal([]byte(text), &s)
	if err == nil && !checkable(s.Schema) {
		err = fmt.Errorf("values cannot be checked by %s: draft-07 and draft 2020-12 are known", s.Schema)
	}
	if err == nil {
		f.title = s.Title
		f.check, err = s.Resolve(&jsonschema.ResolveOptions{Loader: noLoading})
	}
	if err != nil {
		f.err = fmt.Errorf("registry: JSON schema: %w", err)
	}
	return f
}

// checkable reports whether the library knows a version of JSON Schema; without one it takes 2020-12.
func checkable(version string) bool {
	switch strings.TrimSuffix(version, "#") {
	case "", "http://json-schema.org/draft-07/schema", "https://json-schema.org/draft-07/schema", "https://json-schema.org/draft/2020-12/schema":
		return true
	}
	return false
}

// noLoading refuses to fetch what a schema refers to from anywhere.
func noLoading(uri *url.URL) (*jsonschema.Schema, error) {
	return nil, fmt.Errorf("it refers to %s, which is not fetched", uri)
}

func (f *jsonFormat[T]) infer() {
	s, err := jsonschema.For[T](nil)
	if err != nil {
		f.err = fmt.Errorf("registry: no JSON schema can be inferred from %s: give one: %w", typeName[T](), err)
		return
	}
	s.Title = typeName[T]()
	f.title = s.Title
	text, err := json.Marshal(s)
	f.text, f.err = string(text), err
}

func (f *jsonFormat[T]) kind() string { return rest.JSON }
func (f *jsonFormat[T]) fault() error { return f.err }

func (f *jsonFormat[T]) record() string {
	if f.title != "" {
		return f.title
	}
	return typeName[T]()
}

func (f *jsonFormat[T]) schema(context.Context, *Client) (rest.Schema, error) {
	return rest.Schema{Type: rest.JSON, Text: f.text}, nil
}

func (f *jsonFormat[T]) append(dst []byte, v T) ([]byte, error) {
	out, err := f.of.Append(dst, v)
	if err == nil {
		err = f.valid(out[len(dst):])
	}
	return out, err
}

func (f *jsonFormat[T]) valid(text []byte) error {
	if f.check == nil {
		return nil
	}
	var x any
	if err := json.Unmarshal(text, &x); err != nil {
		return err
	}
	if err := f.check.Validate(x); err != nil {
		return fmt.Errorf("JSON schema: %w", err)
	}
	return nil
}

// reader checks by the serde's own schema: what a writer's allows besides has no place in T.
func (f *jsonFormat[T]) reader(*schema) (func([]byte) (T, error), error) {
	return func(payload []byte) (v T, err error) {
		if err := f.valid(payload); err != nil {
			return v, err
		}
		return f.of.Decode(payload)
	}, nil
}

func (f *jsonFormat[T]) readable(ctx context.Context, c *Client, subject string, old rest.Schema) error {
	if old.Kind() != rest.JSON {
		return errors.New("it is " + strings.ToLower(old.Kind()))
	}
	return c.compatible(ctx, subject, rest.Schema{Type: rest.JSON, Text: f.text}, old.Version)
}
