package registry

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/thalweg/thalweg/internal/protofile"
	"github.com/thalweg/thalweg/internal/registry/rest"
	"github.com/thalweg/thalweg/serde/avro"
)

// parsed is a schema that can be compared with others of its type.
type parsed interface {
	// mismatches says why values written under writer, which is of the same type, cannot be read; nothing if they can.
	mismatches(writer parsed) []string
	// form is equal for schemas that are the same.
	form() (string, error)
}

// schemaMost is the most bytes of a schema's text.
const schemaMost = 1 << 20

// parse reads a schema, which may refer to those that are registered.
func (s *state) parse(x rest.Schema) (*stored, error) {
	n := &stored{Schema: rest.Schema{References: x.References, Text: x.Text}}
	if x.Kind() != rest.Avro {
		n.Type = x.Type
	}
	if len(x.Text) > schemaMost {
		return nil, refuse(rest.CodeInvalidSchema, "A schema of %d bytes, the most is %d.", len(x.Text), schemaMost)
	}
	refs, err := s.references(x.References)
	if err != nil {
		return nil, refuse(rest.CodeInvalidSchema, "Invalid schema: %v", err)
	}
	switch x.Kind() {
	case rest.Avro:
		n.parsed, err = parseAvro(x.Text, refs)
	case rest.Protobuf:
		n.parsed, err = parseProtobuf(x.Text, refs)
	case rest.JSON:
		n.parsed, err = parseJSON(x.Text, refs)
	default:
		return nil, refuse(rest.CodeInvalidSchema, "Invalid schema type %q: %s, %s and %s are known.", x.Type, rest.Avro, rest.Protobuf, rest.JSON)
	}
	if err == nil {
		n.canonical, err = n.parsed.form()
	}
	if err != nil {
		return nil, refuse(rest.CodeInvalidSchema, "Invalid schema: %v", err)
	}
	if len(x.References) > 0 {
		n.canonical += string(mustJSON(x.References))
	}
	n.canonical = x.Kind() + n.canonical
	return n, nil
}

// referred is a schema that another refers to.
type referred struct{ name, text string }

// referencesMost is how many schemas one may refer to, those of others included.
const referencesMost = 1000

// references returns the schemas referred to, each after those it refers to itself.
func (s *state) references(refs []rest.Reference) ([]referred, error) {
	var out []referred
	seen := map[string]bool{}
	var walk func([]rest.Reference) error
	walk = func(refs []rest.Reference) error {
		for _, r := range refs {
			if seen[r.Name] {
				continue
			}
			seen[r.Name] = true
			if len(seen) > referencesMost {
				return fmt.Errorf("it refers to more than %d schemas", referencesMost)
			}
			v, err := s.version(r.Subject, r.Version, r.Version == -1, true)
			if err != nil {
				return fmt.Errorf("reference %q: %w", r.Name, err)
			}
			of := s.byID[v.id]
			if err := walk(of.References); err != nil {
				return err
			}
			out = append(out, referred{r.Name, of.Text})
		}
		return nil
	}
	return out, walk(refs)
}

// avroSchema is Avro.
type avroSchema struct{ *avro.Schema }

func parseAvro(text string, refs []referred) (parsed, error) {
	var texts []string
	for _, r := range refs {
		texts = append(texts, r.text)
	}
	s, err := avro.Parse(text, texts...)
	return avroSchema{s}, err
}

func (r avroSchema) mismatches(writer parsed) []string {
	return avro.Mismatches(r.Schema, writer.(avroSchema).Schema)
}

// form is the JSON with its members in order, and a type without attributes as its name alone.
func (r avroSchema) form() (string, error) {
	var x any
	d := json.NewDecoder(strings.NewReader(r.String()))
	d.UseNumber()
	if err := d.Decode(&x); err != nil {
		return r.Name(), nil // a primitive without its quotes
	}
	b, err := json.Marshal(plain(x))
	return string(b), err
}

func plain(x any) any {
	switch x := x.(type) {
	case []any:
		for i := range x {
			x[i] = plain(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = plain(x[k])
		}
		if t, ok := x["type"].(string); ok && len(x) == 1 {
			return t
		}
	}
	return x
}

// serialized returns the text of a protobuf schema as a descriptor in base64.
func (s *state) serialized(x rest.Schema) (string, error) {
	refs, err := s.references(x.References)
	if err != nil {
		return "", err
	}
	fd, err := protofile.Parse(x.Text, importsOf(refs))
	if err != nil {
		return "", err
	}
	return protofile.Serialize(fd)
}
