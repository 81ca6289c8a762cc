package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// jsonSchema is a JSON Schema, as JSON: what a comparison needs of it is easier seen there than in any type.
type jsonSchema struct {
	root any
	refs map[string]any // schemas referred to, by the names used
}

// decodeJSON reads one JSON value, whose numbers stay text.
func decodeJSON(text string) (x any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&x); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return x, nil
}

func parseJSON(text string, refs []referred) (parsed, error) {
	root, err := decodeJSON(text)
	if err != nil {
		return nil, err
	}
	s := jsonSchema{root, map[string]any{}}
	texts := map[string]string{}
	for _, r := range refs {
		texts[r.name] = r.text
		if s.refs[r.name], err = decodeJSON(r.text); err != nil {
			return nil, fmt.Errorf("reference %q: %w", r.name, err)
		}
	}
	if err := checkJSON(text, texts); err != nil {
		return nil, err
	}
	return s, nil
}

// checkJSON makes sure that the schema is one, and that what it refers to is there.
func checkJSON(text string, refs map[string]string) error {
	var s jsonschema.Schema
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	_, err := s.Resolve(&jsonschema.ResolveOptions{
		BaseURI: "registry:///",
		Loader: func(uri *url.URL) (*jsonschema.Schema, error) {
			for name, text := range refs {
				if uri.String() == name || strings.TrimPrefix(uri.Path, "/") == strings.TrimPrefix(name, "/") {
					var s jsonschema.Schema
					return &s, json.Unmarshal([]byte(text), &s)
				}
			}
			return nil, fmt.Errorf("it refers to %s, which no reference names", uri)
		},
	})
	return err
}

func (s jsonSchema) form() (string, error) {
	b, err := json.Marshal(s.root)
	return string(b), err
}

func (s jsonSchema) mismatches(writer parsed) []string {
	w := writer.(jsonSchema)
	d := jsonDiff{r: s, w: w, seen: map[[2]string]bool{}}
	return d.faults(s.root, w.root, "", 0)
}
