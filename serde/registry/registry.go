// Package registry reads and writes the Confluent wire format: 0x00, a four-byte schema id, the payload. Schemas stand in
// a schema registry that speaks the Confluent Schema Registry's HTTP interface, as thalweg registry does, or in none of
// one's own: package registrytest has one for tests.
//
// There are few types: a [Client] asks one registry and remembers what it answered; its methods make serdes.
//
//	reg := registry.New("http://localhost:8081", registry.Options{AutoRegister: true})
//	orders := topology.NewTopic("orders", serde.String, reg.Avro[Order](orderSchema))
//
// A serde takes its subject from the topic it stands on ([serde.Placed]). What is written bears the id of the serde's own
// schema, which is registered, or looked up, when the app starts. What is read is read under the schema it was written
// with, and resolved to the serde's own. After the first answer the registry is not asked again: it may go away.
//
// # Evolution
//
// A store's changelog is a topic with a subject too. When a program comes with a new schema, its start registers it there
// (or finds it registered); a registry refuses what its level of compatibility does not allow, and the start fails with
// the reason. With Options.RefuseIncompatible the program itself looks at every version a changelog's subject has had,
// whatever the registry's level is.
package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/thalweg/thalweg/internal/registry/rest"
	"github.com/thalweg/thalweg/serde"
)

// Options of a Client. The zero value asks without credentials and registers nothing.
type Options struct {
	HTTP               *http.Client // its Transport has the TLS settings; nil: a plain one with a timeout of 10 s
	User, Password     string       // basic authentication
	AutoRegister       bool         // register unknown schemas instead of failing
	Naming             Naming
	Subject            func(topic string, isKey bool) string // goes before Naming
	RefuseIncompatible bool                                  // check changelog schemas at start
	Cache              int                                   // answers remembered, of each kind; default 1000
}

// String names the user and hides the password.
func (o Options) String() string { return fmt.Sprintf("registry.Options of user %q", o.User) }

// GoString hides the password from %#v as well.
func (o Options) GoString() string { return o.String() }

// Naming is what a subject is named after.
type Naming int

const (
	ByTopic       Naming = iota // <topic>-key, <topic>-value
	ByRecord                    // the full name of the record or message
	ByTopicRecord               // <topic>-<name of the record>
)

// Client asks one registry, and remembers its answers. Its methods may be called by many goroutines.
type Client struct {
	opts    Options
	urls    []string
	now     func() time.Time
	schemas cache[int, *schema] // by id
	ids     cache[regKey, int]  // of schemas under subjects
}

// regKey is a schema under a subject.
type regKey struct{ subject, kind, text, refs string }

// schema is one that was asked for by id.
type schema struct {
	kind, text string
	refs       []ref
}

// ref is a schema that another one refers to by name.
type ref struct{ name, text string }

// defaultCache is how many answers are remembered.
const defaultCache = 1000

// New returns a client for the registry at url; several, separated by commas, are tried in turn. It asks nothing yet. No
// more than one Options is taken.
func New(url string, opts ...Options) *Client {
	c := &Client{now: time.Now}
	if len(opts) > 0 {
		c.opts = opts[0]
	}
	if c.opts.HTTP == nil {
		c.opts.HTTP = &http.Client{Timeout: attemptTimeout}
	}
	if c.opts.Cache <= 0 {
		c.opts.Cache = defaultCache
	}
	for u := range strings.SplitSeq(url, ",") {
		c.urls = append(c.urls, strings.TrimRight(strings.TrimSpace(u), "/"))
	}
	c.schemas.most, c.ids.most = c.opts.Cache, c.opts.Cache
	c.schemas.now, c.ids.now = c.clock, c.clock
	return c
}

func (c *Client) clock() time.Time { return c.now() }

// Avro is T in Avro under schema, bound as package serde/avro does.
func (c *Client) Avro[T any](schema string) serde.Serde[T] {
	return newSerde[T](c, newAvro[T](schema))
}

// Protobuf is T in protobuf, T being a pointer to a generated message. Its file is registered as a serialized descriptor,
// and so is each file it imports, as a reference, under its own path as the subject.
func (c *Client) Protobuf[T proto.Message]() serde.Serde[T] {
	return newSerde[T](c, newProtobuf[T]())
}

// JSON is T in JSON. Under a schema every value is checked when it is written and when it is read. With an empty schema
// nothing is checked beyond T, and what is registered is inferred from it.
func (c *Client) JSON[T any](schema string) serde.Serde[T] {
	return newSerde[T](c, newJSON[T](schema))
}

// subject is what the bytes of a record of that name are registered under. ok is false where it would need a topic.
func (c *Client) subject(p serde.Place, record string) (subject string, ok bool) {
	byRecord := c.opts.Subject == nil && c.opts.Naming == ByRecord
	switch {
	case byRecord:
		return record, true
	case p.Topic == "":
		return "", false
	case c.opts.Subject != nil:
		return c.opts.Subject(p.Topic, p.Key), true
	case c.opts.Naming == ByTopicRecord:
		return p.Topic + "-" + record, true
	case p.Key:
		return p.Topic + "-key", true
	}
	return p.Topic + "-value", true
}

// lookUp returns the schema of an id.
func (c *Client) lookUp(ctx context.Context, id int, kind string) (*schema, error) {
	return c.schemas.get(id, func() (*schema, error) {
		path := fmt.Sprintf("/schemas/ids/%d", id)
		if kind == rest.Protobuf {
			path += "?format=serialized"
		}
		var got rest.Schema
		if err := c.ask(ctx, http.MethodGet, path, nil, &got); err != nil {
			return nil, err
		}
		s := &schema{kind: got.Kind(), text: got.Text}
		err := c.resolve(ctx, got.References, &s.refs, map[string]bool{}, kind)
		return s, err
	})
}

// referencesMost is how many schemas one may refer to, those of others included.
const referencesMost = 1000

// resolve gathers the texts of references, those they need themselves first.
func (c *Client) resolve(ctx context.Context, refs []rest.Reference, into *[]ref, seen map[string]bool, kind string) error {
	for _, r := range refs {
		if seen[r.Name] {
			continue
		}
		seen[r.Name] = true
		if len(seen) > referencesMost {
			return fmt.Errorf("more than %d references", referencesMost)
		}
		path := fmt.Sprintf("/subjects/%s/versions/%d", escape(r.Subject), r.Version)
		if kind == rest.Protobuf {
			path += "?format=serialized"
		}
		var got rest.Schema
		if err := c.ask(ctx, http.MethodGet, path, nil, &got); err != nil {
			return fmt.Errorf("reference %q: %w", r.Name, err)
		}
		if err := c.resolve(ctx, got.References, into, seen, kind); err != nil {
			return err
		}
		*into = append(*into, ref{r.Name, got.Text})
	}
	return nil
}

// register returns the id of a schema under a subject, which it registers if that is wanted.
func (c *Client) register(ctx context.Context, subject string, s rest.Schema) (int, error) {
	k := regKey{subject, s.Type, s.Text, fmt.Sprint(s.References)}
	return c.ids.get(k, func() (int, error) {
		var got rest.Schema
		path := "/subjects/" + escape(subject)
		if c.opts.AutoRegister {
			path += "/versions"
		}
		err := c.ask(ctx, http.MethodPost, path, s, &got)
		var e *rest.Error
		switch {
		case errors.As(err, &e) && e.Status() == http.StatusNotFound && !c.opts.AutoRegister:
			err = fmt.Errorf("subject %q does not have this schema: register it, or set Options.AutoRegister: %w", subject, err)
		case errors.As(err, &e) && e.Status() == http.StatusConflict:
			err = fmt.Errorf("subject %q refuses this schema: %w", subject, err)
		case err != nil:
			err = fmt.Errorf("subject %q: %w", subject, err)
		case got.ID <= 0:
			err = fmt.Errorf("subject %q: the registry answered with schema id %d", subject, got.ID)
		}
		return got.ID, err
	})
}

// version looks up which version of a subject a schema is.
func (c *Client) version(ctx context.Context, subject string, s rest.Schema) (int, error) {
	var got rest.Schema
	err := c.ask(ctx, http.MethodPost, "/subjects/"+escape(subject), s, &got)
	return got.Version, err
}

// versions returns every schema a subject has; none if there is no such subject.
func (c *Client) versions(ctx context.Context, subject string) (all []rest.Schema, err error) {
	var numbers []int
	err = c.ask(ctx, http.MethodGet, "/subjects/"+escape(subject)+"/versions", nil, &numbers)
	var e *rest.Error
	if errors.As(err, &e) && e.Status() == http.StatusNotFound {
		return nil, nil
	}
	for _, n := range numbers {
		var s rest.Schema
		if err := c.ask(ctx, http.MethodGet, fmt.Sprintf("/subjects/%s/versions/%d", escape(subject), n), nil, &s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, err
}

// typeName names a Go type in errors.
func typeName[T any]() string { return reflect.TypeFor[T]().String() }
