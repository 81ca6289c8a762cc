package registry

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/thalweg/thalweg/internal/registry/rest"
)

// The types of keys in the log, as Confluent's registry has them. Others it has say nothing that this one keeps.
const (
	keyNoop          = "NOOP" // to Confluent's registry; here its value says the highest id, once schemas are gone for good
	keySchema        = "SCHEMA"
	keyConfig        = "CONFIG"
	keyMode          = "MODE"
	keyDeleteSubject = "DELETE_SUBJECT"
)

// recordKey is the key of a record. The order of its members is part of the layout: compaction goes by bytes.
type recordKey struct {
	Type    string  `json:"keytype"`
	Subject *string `json:"subject"`
	Version int     `json:"version,omitempty"`
	Magic   int     `json:"magic"`
}

// schemaValue is the value of a schema's record.
type schemaValue struct {
	Subject    string           `json:"subject"`
	Version    int              `json:"version"`
	ID         int              `json:"id"`
	Type       string           `json:"schemaType,omitempty"`
	References []rest.Reference `json:"references,omitempty"`
	Text       string           `json:"schema"`
	Deleted    bool             `json:"deleted"`
}

// highest is the value of a NOOP: the highest id that was ever given out.
type highest struct {
	LastID int `json:"lastId"`
}

func highestRecord(id int) Record { return Record{settingKey(keyNoop, ""), mustJSON(highest{id})} }

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("registry: a record of strings and numbers does not marshal: " + err.Error())
	}
	return b
}

func schemaKey(subject string, version int) []byte {
	return mustJSON(recordKey{keySchema, &subject, version, 1})
}

func settingKey(kind, subject string) []byte {
	k := recordKey{Type: kind}
	if subject != "" {
		k.Subject = &subject
	}
	return mustJSON(k)
}

func schemaRecord(subject string, v version, s rest.Schema) Record {
	value := schemaValue{Subject: subject, Version: v.number, ID: v.id, References: s.References, Text: s.Text, Deleted: v.deleted}
	if s.Kind() != rest.Avro {
		value.Type = s.Kind()
	}
	return Record{schemaKey(subject, v.number), mustJSON(value)}
}

// apply puts a record of the log into the state.
func (s *state) apply(key, value []byte) error {
	var k recordKey
	if err := json.Unmarshal(key, &k); err != nil {
		return fmt.Errorf("registry: the log has a record with key %.200q: %w", key, err)
	}
	name := ""
	if k.Subject != nil {
		name = *k.Subject
	}
	var err error
	switch k.Type {
	case keyNoop:
		var h highest
		if len(value) > 0 {
			err = json.Unmarshal(value, &h)
		}
		s.last = max(s.last, h.LastID)
	case keySchema:
		err = s.applySchema(name, k.Version, value)
	case keyConfig:
		var c rest.Config
		if value != nil {
			err = json.Unmarshal(value, &c)
		}
		if name == "" {
			s.level = Level(c.Level)
		} else {
			s.entry(name).level = Level(c.Level)
		}
	case keyMode:
		var m rest.Mode
		if value != nil {
			err = json.Unmarshal(value, &m)
		}
		if name == "" {
			s.mode = m.Mode
		} else {
			s.entry(name).mode = m.Mode
		}
	case keyDeleteSubject:
		var d rest.SubjectVersion
		if value != nil {
			err = json.Unmarshal(value, &d)
		}
		for i, v := range s.entry(name).versions {
			if v.number <= d.Version {
				s.entry(name).versions[i].deleted = true
			}
		}
	}
	if err != nil {
		return fmt.Errorf("registry: the log's record %.200s: %w", key, err)
	}
	return nil
}

func (s *state) entry(name string) *subject {
	if s.subjects[name] == nil {
		s.subjects[name] = &subject{}
	}
	return s.subjects[name]
}

func (s *state) applySchema(name string, number int, value []byte) error {
	sub := s.entry(name)
	at, found := slices.BinarySearchFunc(sub.versions, number, func(v version, n int) int { return v.number - n })
	if value == nil {
		if found {
			sub.versions = slices.Delete(sub.versions, at, at+1)
		}
		return nil
	}
	var x schemaValue
	if err := json.Unmarshal(value, &x); err != nil {
		return err
	}
	v := version{number: number, id: x.ID, deleted: x.Deleted}
	if found {
		sub.versions[at] = v
	} else {
		sub.versions = slices.Insert(sub.versions, at, v)
	}
	s.last = max(s.last, x.ID)
	if s.byID[x.ID] != nil {
		return nil
	}
	n := &stored{Schema: rest.Schema{Type: x.Type, References: x.References, Text: x.Text}}
	// A schema of another registry's that this one cannot read stays what it is: text under an id.
	if p, err := s.parse(n.Schema); err == nil {
		n = p
	} else {
		n.canonical = mustCanonical(n.Schema)
	}
	s.byID[x.ID] = n
	if s.ids[n.canonical] == 0 {
		s.ids[n.canonical] = x.ID
	}
	return nil
}

// mustCanonical is the form of a schema that cannot be read: itself.
func mustCanonical(s rest.Schema) string {
	return string(mustJSON(rest.Schema{Type: "?" + s.Kind(), References: s.References, Text: s.Text}))
}
