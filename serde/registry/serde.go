package registry

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/thalweg/thalweg/internal/registry/rest"
	"github.com/thalweg/thalweg/serde"
)

// format is what the three kinds of schemas differ in.
type format[T any] interface {
	kind() string
	record() string // the full name of the record, for subjects
	fault() error
	// schema is what is registered; it may have to register what that refers to.
	schema(ctx context.Context, c *Client) (rest.Schema, error)
	append(dst []byte, v T) ([]byte, error)
	// reader returns what decodes payloads under a schema.
	reader(s *schema) (func(payload []byte) (T, error), error)
	// readable says why a schema that a changelog was written with cannot be read; nil where it can.
	readable(ctx context.Context, c *Client, subject string, s rest.Schema) error
}

// core is a serde wherever it stands.
type core[T any] struct {
	client *Client
	format format[T]
	fault  error // why the schema does not fit T

	readers cache[int, func([]byte) (T, error)] // by schema id
	last    atomic.Pointer[reading[T]]          // the reader that was used last, nearly always the next too
	known   atomic.Int64                        // an id of the own schema; it is the same under every subject

	mu     sync.Mutex // protects places
	places map[serde.Place]*standing
}

// reading is a reader and its schema's id.
type reading[T any] struct {
	id   int
	read func([]byte) (T, error)
}

// standing is a place and the id of the schema there; 0: not known yet.
type standing struct {
	place serde.Place
	id    atomic.Int64
}

// placed is a serde in its place. It is compared by its pointers.
type placed[T any] struct {
	of *core[T]
	at *standing
}

func newSerde[T any](c *Client, f format[T]) serde.Serde[T] {
	s := &core[T]{client: c, format: f, fault: f.fault(), places: map[serde.Place]*standing{}}
	s.readers.most, s.readers.now = c.opts.Cache, c.clock
	return s.at(serde.Place{})
}

func (s *core[T]) at(p serde.Place) placed[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.places[p]
	if x == nil {
		x = &standing{place: p}
		s.places[p] = x
	}
	return placed[T]{s, x}
}

// At implements serde.Placed.
func (s placed[T]) At(p serde.Place) serde.Serde[T] { return s.of.at(p) }

// Fault says why the schema does not fit T.
func (s placed[T]) Fault() error { return s.of.fault }

// String names the kind and the record, not the schema: a store is the same store under every version of it.
func (s placed[T]) String() string {
	if s.Fault() != nil {
		return "registry " + s.of.format.kind()
	}
	return fmt.Sprintf("registry %s %s", s.of.format.kind(), s.of.format.record())
}

// errorf says where bytes stand that something is wrong with.
func (s placed[T]) errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if s.at.place.Topic == "" {
		return fmt.Errorf("registry: %w", err)
	}
	return fmt.Errorf("registry: %v: %w", s.at.place, err)
}

// Prepare gets the id of the serde's schema in its place, and looks at what a changelog has in it.
func (s placed[T]) Prepare(ctx context.Context) error {
	c := s.of.client
	if subject, ok := c.subject(s.at.place, s.of.format.record()); ok && s.at.place.Changelog && c.opts.RefuseIncompatible {
		all, err := c.versions(ctx, subject)
		if err != nil {
			return s.errorf("%w", err)
		}
		for _, old := range all {
			if err := s.of.format.readable(ctx, c, subject, old); err != nil {
				return s.errorf("the store holds rows of version %d (schema %d), which this program cannot read: %w", old.Version, old.ID, err)
			}
		}
	}
	_, err := s.id(ctx)
	return err
}

// id returns the id to write.
func (s placed[T]) id(ctx context.Context) (int, error) {
	if id := s.at.id.Load(); id != 0 {
		return int(id), nil
	}
	f, c := s.of.format, s.of.client
	subject, ok := c.subject(s.at.place, f.record())
	if !ok {
		if id := s.of.known.Load(); id != 0 {
			return int(id), nil
		}
		return 0, s.errorf("a serde of %s that stands on no topic has no subject: use it on a topic first", typeName[T]())
	}
	schema, err := f.schema(ctx, c)
	if err != nil {
		return 0, s.errorf("%w", err)
	}
	id, err := c.register(ctx, subject, schema)
	if err != nil {
		return 0, s.errorf("%w", err)
	}
	s.at.id.Store(int64(id))
	s.of.known.Store(int64(id))
	return id, nil
}

// Append implements serde.Serde.
func (s placed[T]) Append(dst []byte, v T) ([]byte, error) {
	if s.of.fault != nil {
		return nil, s.of.fault
	}
	id, err := s.id(context.Background())
	if err != nil {
		return nil, err
	}
	out, err := s.of.format.append(appendHeader(dst, id), v)
	if err != nil {
		return nil, s.errorf("schema %d: %w", id, err)
	}
	return out, nil
}

// Decode implements serde.Serde.
func (s placed[T]) Decode(data []byte) (v T, err error) {
	if s.of.fault != nil {
		return v, s.of.fault
	}
	if data == nil {
		return v, s.errorf("null where a %s was expected", s.of.format.record())
	}
	id, payload, err := header(data)
	if err != nil {
		return v, s.errorf("%w", err)
	}
	r := s.of.last.Load()
	if r == nil || r.id != id {
		if r, err = s.of.reading(id); err != nil {
			return v, s.errorf("schema %d: %w", id, err)
		}
	}
	if v, err = r.read(payload); err != nil {
		return v, s.errorf("schema %d: %w", id, err)
	}
	return v, nil
}

func (s *core[T]) reading(id int) (*reading[T], error) {
	read, err := s.readers.get(id, func() (func([]byte) (T, error), error) {
		schema, err := s.client.lookUp(context.Background(), id, s.format.kind())
		if err != nil {
			return nil, err
		}
		if schema.kind != s.format.kind() {
			return nil, fmt.Errorf("it is %s, want %s", schema.kind, s.format.kind())
		}
		return s.format.reader(schema)
	})
	if err != nil {
		return nil, err
	}
	r := &reading[T]{id, read}
	s.last.Store(r)
	return r, nil
}
