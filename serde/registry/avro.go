package registry

import (
	"context"
	"errors"
	"strings"

	"github.com/thalweg/thalweg/internal/registry/rest"
	"github.com/thalweg/thalweg/serde/avro"
)

// avroFormat is Avro under one schema.
type avroFormat[T any] struct {
	codec *avro.Codec[T]
	err   error
}

func newAvro[T any](text string) *avroFormat[T] {
	s, err := avro.Parse(text)
	if err != nil {
		return &avroFormat[T]{err: err}
	}
	c, err := avro.New[T](s)
	return &avroFormat[T]{c, err}
}

func (f *avroFormat[T]) kind() string   { return rest.Avro }
func (f *avroFormat[T]) fault() error   { return f.err }
func (f *avroFormat[T]) record() string { return f.codec.Schema().Name() }

func (f *avroFormat[T]) schema(context.Context, *Client) (rest.Schema, error) {
	return rest.Schema{Text: f.codec.Schema().String()}, nil
}

func (f *avroFormat[T]) append(dst []byte, v T) ([]byte, error) { return f.codec.Append(dst, v) }

func (f *avroFormat[T]) reader(s *schema) (func([]byte) (T, error), error) {
	w, err := avro.Parse(s.text, texts(s.refs)...)
	if err != nil {
		return nil, err
	}
	return f.codec.Reader(w)
}

func texts(refs []ref) (ts []string) {
	for _, r := range refs {
		ts = append(ts, r.text)
	}
	return ts
}

func (f *avroFormat[T]) readable(ctx context.Context, c *Client, _ string, old rest.Schema) error {
	var refs []ref
	if err := c.resolve(ctx, old.References, &refs, map[string]bool{}, rest.Avro); err != nil {
		return err
	}
	w, err := avro.Parse(old.Text, texts(refs)...)
	if err != nil {
		return err
	}
	if faults := avro.Mismatches(f.codec.Schema(), w); len(faults) > 0 {
		return errors.New(strings.Join(faults, "; "))
	}
	return nil
}
