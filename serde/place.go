package serde

import (
	"context"
	"fmt"
)

// Place is where bytes go: the key or the value of one topic.
type Place struct {
	Topic     string
	Key       bool
	Changelog bool // the topic is the changelog of a store: what older versions of the program wrote is read again
}

// String names the place as errors do.
func (p Place) String() string {
	part := "value"
	if p.Key {
		part = "key"
	}
	return fmt.Sprintf("%s of topic %q", part, p.Topic)
}

// Placed is a serde whose bytes depend on where they go, as those of package serde/registry do, whose subject is named
// after the topic. At returns the form for p. Forms for different places are never equal, so that bytes of one topic are
// not taken for those of another; those for the same place should be. A serde made of others hands At on to them.
type Placed[T any] interface {
	Serde[T]
	At(p Place) Serde[T]
}

// At returns the form of s for p: s itself unless it is [Placed]. A topology asks for it wherever it gives a serde a
// topic: sources, sinks, changelogs, repartition topics.
func At[T any](s Serde[T], p Place) Serde[T] {
	if x, ok := s.(Placed[T]); ok {
		return x.At(p)
	}
	return s
}

// What a serde may have besides: Parts returns the serdes it is made of, Fault what is wrong with its definition,
// Prepare does what must have succeeded before a first value is written.
type (
	composed   interface{ Parts() []any }
	faulty     interface{ Fault() error }
	preparable interface{ Prepare(context.Context) error }
)

// Fault returns what makes a serde unusable, nil if nothing does: a schema that does not parse, or that does not fit
// its type. It asks the serde's method Fault() error, and those of what its method Parts() []any names. Building a
// topology reports it, with the place in the program.
func Fault(s any) error {
	return each(s, func(s any) error {
		if f, ok := s.(faulty); ok {
			return f.Fault()
		}
		return nil
	})
}

// Prepare does what a serde needs before it writes its first value, such as registering a schema: it asks the serde's
// method Prepare(context.Context) error, and those of what its method Parts() []any names. An app does so at start, for
// everything it writes, so that a refusal is met there.
func Prepare(ctx context.Context, s any) error {
	return each(s, func(s any) error {
		if p, ok := s.(preparable); ok {
			return p.Prepare(ctx)
		}
		return nil
	})
}

func each(s any, ask func(any) error) error {
	if err := ask(s); err != nil {
		return err
	}
	if c, ok := s.(composed); ok {
		for _, part := range c.Parts() {
			if err := each(part, ask); err != nil {
				return err
			}
		}
	}
	return nil
}
