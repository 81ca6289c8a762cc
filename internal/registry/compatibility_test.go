package registry

import (
	"strings"
	"testing"

	"github.com/thalweg/thalweg/internal/registry/rest"
)

// change is a schema, the one after it, and what of the fault is said in each direction; "" where it can be read.
type change struct {
	name, old, new    string
	backward, forward string
}

func check(t *testing.T, kind string, changes []change) {
	t.Helper()
	s := &state{}
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			old, err := s.parse(rest.Schema{Type: kind, Text: c.old})
			if err != nil {
				t.Fatalf("old: %v", err)
			}
			n, err := s.parse(rest.Schema{Type: kind, Text: c.new})
			if err != nil {
				t.Fatalf("new: %v", err)
			}
			for level, want := range map[Level]string{Backward: c.backward, Forward: c.forward} {
				got := strings.Join(level.faults(n, old), "; ")
				if (got == "") != (want == "") || !strings.Contains(got, want) {
					t.Errorf("%s: %q, want %q", level, got, want)
				}
			}
			full := Full.faults(n, old)
			if (len(full) == 0) != (c.backward == "" && c.forward == "") {
				t.Errorf("full: %q", full)
			}
			if got := None.faults(n, old); got != nil {
				t.Errorf("none: %q", got)
			}
			if same := Full.faults(n, n); same != nil {
				t.Errorf("the new schema does not fit itself: %q", same)
			}
		})
	}
}

// TestAvroCompatibility goes through the changes that people make.
func TestAvroCompatibility(t *testing.T) {
	record := func(fields string) string { return `{"type":"record","name":"R","fields":[` + fields + `]}` }
	a := `{"name":"a","type":"int"}`
	check(t, rest.Avro, []change{
		{"nothing", record(a), record(a), "", ""},
		{"field with default", record(a), record(a + `,{"name":"b","type":"string","default":"x"}`), "", ""},
		{"field without default", record(a), record(a + `,{"name":"b","type":"string"}`), "field b: it was not written and has no default", ""},
		{"field gone", record(a + `,{"name":"b","type":"string"}`), record(a), "", "field b: it was not written"},
		{"wider", record(a), record(`{"name":"a","type":"long"}`), "", "field a: long was written, int is read"},
		{"other type", record(a), record(`{"name":"a","type":"string"}`), "int was written, string is read", "string was written, int is read"},
		{"optional", record(a), record(`{"name":"a","type":["null","int"]}`), "", "null was written"},
		{"symbol added", `{"type":"enum","name":"E","symbols":["A"]}`, `{"type":"enum","name":"E","symbols":["A","B"]}`, "", "symbols B were written"},
		{"symbol gone", `{"type":"enum","name":"E","symbols":["A","B"]}`, `{"type":"enum","name":"E","symbols":["A"]}`, "symbols B were written", ""},
		{"renamed", record(a), `{"type":"record","name":"S","fields":[` + a + `]}`, "record R was written", "record S was written"},
	})
}

// TestProtobufCompatibility goes by the rules of the Confluent Schema Registry.
func TestProtobufCompatibility(t *testing.T) {
	proto := func(text string) string { return "syntax = \"proto3\";\npackage p;\n" + text }
	m := func(fields string) string { return proto("message M {" + fields + "}\nmessage N { int32 x = 1; }") }
	const a = "int32 a = 1;"
	check(t, rest.Protobuf, []change{
		{"nothing", m(a), m(a), "", ""},
		{"comment", m(a), m("/* why */ " + a), "", ""},
		{"field added", m(a), m(a + "string b = 2;"), "", ""},
		{"renamed", m(a), m("int32 b = 1;"), "", ""},
		{"of the same wire form", m(a), m("int64 a = 1;"), "", ""},
		{"string to bytes", m("string a = 1;"), m("bytes a = 1;"), "", ""},
		{"int to sint", m(a), m("sint32 a = 1;"), "field p.M.a (1): int32 was written, sint32 is read", "sint32 was written"},
		{"int to string", m(a), m("string a = 1;"), "int32 was written, string is read", "string was written"},
		{"repeated number", m(a), m("repeated int32 a = 1;"), "repeated on one side alone", "repeated on one side alone"},
		{"repeated string", m("string a = 1;"), m("repeated string a = 1;"), "", ""},
		{"other message", m("N a = 1;"), m("M a = 1;"), "message p.N was written, p.M is read", "message p.M was written"},
		{"message gone", m(a), proto("message M { int32 a = 1; }"), "message p.N is gone", ""},
		{"other package", m(a), strings.Replace(m(a), "package p", "package q", 1), `package "p" was written`, `package "q" was written`},
		{"oneof gone", m("oneof o { int32 a = 1; string b = 2; }"), m("oneof o { int32 a = 1; }"), "field p.M.b of oneof o is gone", ""},
		{"two into a oneof", m(a + "int32 b = 2;"), m("oneof o { int32 a = 1; int32 b = 2; }"), "2 fields of p.M have come into oneof o", ""},
		{"one into a oneof", m(a), m("oneof o { int32 a = 1; int32 b = 2; }"), "", "field p.M.b of oneof o is gone"},
		{"map values", m("map<string, int32> a = 1;"), m("map<string, string> a = 1;"), "int32 was written", "string was written"},
		{"required", "syntax = \"proto2\"; message M {}", "syntax = \"proto2\"; message M { required int32 a = 1; }", "required field M.a is new", "required field M.a is gone"},
	})
}

// TestJSONCompatibility shows that every value of the one must be one of the other.
func TestJSONCompatibility(t *testing.T) {
	open := func(props, more string) string { return `{"type":"object","properties":{` + props + `}` + more + `}` }
	closed := func(props, more string) string { return open(props, `,"additionalProperties":false`+more) }
	const a = `"a":{"type":"integer"}`
	check(t, rest.JSON, []change{
		{"nothing", open(a, ""), open(a, ""), "", ""},
		{"description", open(a, ""), open(`"a":{"type":"integer","description":"x"}`, `,"title":"y"`), "", ""},
		{"wider", open(a, ""), open(`"a":{"type":"number"}`, ""), "", ".a: type number was allowed, now it is integer"},
		{"more types", open(a, ""), open(`"a":{"type":["integer","null"]}`, ""), "", "type null was allowed"},
		{"other type", open(a, ""), open(`"a":{"type":"string"}`, ""), "type integer was allowed", "type string was allowed"},
		{"required", open(a, ""), open(a, `,"required":["a"]`), `property "a" is required now`, ""},
		{"property added to a closed one", closed(a, ""), closed(a+`,"b":{"type":"string"}`, ""), "", ".b: nothing is allowed any more"},
		{"property added to an open one", open(a, ""), open(a+`,"b":{"type":"string"}`, ""), ".b: type string is new", ""},
		{"any property added", open(a, ""), open(a+`,"b":true`, ""), "", ""},
		{"opened", closed(a, ""), open(a, ""), "", "nothing is allowed any more"},
		{"enum grown", `{"enum":["x"]}`, `{"enum":["x","y"]}`, "", `the value "y" is not allowed any more`},
		{"enum of a type", `{"enum":["x"]}`, `{"type":"string"}`, "", "only some values are allowed now"},
		{"bounds", `{"type":"number","minimum":0,"maximum":10}`, `{"type":"number","minimum":-1}`, "", "maximum is new"},
		{"narrower", `{"type":"string","maxLength":10}`, `{"type":"string","maxLength":9}`, "maxLength was 10, is 9", ""},
		{"multiples", `{"type":"integer","multipleOf":6}`, `{"type":"integer","multipleOf":3}`, "", "multipleOf"},
		{"pattern", `{"type":"string"}`, `{"type":"string","pattern":"^a"}`, "pattern is new", ""},
		{"items", `{"type":"array","items":{"type":"integer"}}`, `{"type":"array","items":{"type":"number"}}`, "", "[]: type number was allowed"},
		{"tuple", `{"type":"array","prefixItems":[{"type":"integer"}],"items":false}`, `{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":false}`, "", "[1]: nothing is allowed"},
		{"branch added", `{"oneOf":[{"type":"string"}]}`, `{"oneOf":[{"type":"string"},{"type":"integer"}]}`, "", "oneOf 1"},
		{"into a branch", `{"type":"string"}`, `{"anyOf":[{"type":"integer"},{"type":"string"}]}`, "", "anyOf 0"},
		{"all of", `{"type":"integer","minimum":1,"maximum":2}`, `{"allOf":[{"type":"integer"},{"minimum":1}]}`, "", "maximum is new"},
		{"unknown keyword", `{"type":"object"}`, `{"type":"object","propertyNames":{"maxLength":3}}`, "propertyNames is new or has changed", ""},
		{"recursive", `{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"next":{"$ref":"#/$defs/n"},"v":{"type":"integer"}}}}}`,
			`{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"next":{"$ref":"#/$defs/n"},"v":{"type":"number"}}}}}`, "", "type number was allowed"},
		{"pattern properties", `{"type":"object","patternProperties":{"^s":{"type":"string"}}}`, `{"type":"object","patternProperties":{"^s":{"type":"integer"}}}`, "type string was allowed", "type integer was allowed"},
	})
}

// TestTypesDoNotMix refuses a schema of another type at every level but none.
func TestTypesDoNotMix(t *testing.T) {
	s := &state{}
	a, err := s.parse(rest.Schema{Text: `"int"`})
	if err != nil {
		t.Fatal(err)
	}
	j, err := s.parse(rest.Schema{Type: rest.JSON, Text: `{"type":"integer"}`})
	if err != nil {
		t.Fatal(err)
	}
	if got := Backward.faults(j, a); len(got) != 1 || !strings.Contains(got[0], "it is AVRO, the new schema JSON") {
		t.Errorf("%q", got)
	}
}

// TestSameSchemaInAnotherDress is one schema, however it is written.
func TestSameSchemaInAnotherDress(t *testing.T) {
	s := &state{}
	for kind, pairs := range map[string][][2]string{
		rest.Avro:     {{`"string"`, `{"type": "string"}`}, {`{"type":"record","name":"R","fields":[]}`, `{ "fields": [ ], "name": "R", "type": "record" }`}},
		rest.JSON:     {{`{"type":"object","title":"x"}`, `{ "title": "x", "type": "object" }`}},
		rest.Protobuf: {{"syntax = \"proto3\"; message M { int32 some_field = 1; }", "syntax = \"proto3\";\n// M\nmessage M {\n  int32 some_field = 1 [json_name = \"someField\"];\n}"}},
	} {
		for _, p := range pairs {
			a, err := s.parse(rest.Schema{Type: kind, Text: p[0]})
			if err != nil {
				t.Fatal(err)
			}
			b, err := s.parse(rest.Schema{Type: kind, Text: p[1]})
			if err != nil {
				t.Fatal(err)
			}
			if a.canonical != b.canonical {
				t.Errorf("%s and %s are two schemas", p[0], p[1])
			}
		}
	}
	// A descriptor as clients of protobuf send it is the text it comes from.
	text, err := s.parse(rest.Schema{Type: rest.Protobuf, Text: "syntax = \"proto3\"; message M { int32 some_field = 1; }"})
	if err != nil {
		t.Fatal(err)
	}
	serialized, err := s.serialized(text.Schema)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.parse(rest.Schema{Type: rest.Protobuf, Text: serialized})
	if err != nil || again.canonical != text.canonical {
		t.Errorf("%v", err)
	}
}

// FuzzCompatibility hands any texts to the parsers, and what they make of them to the comparisons.
func FuzzCompatibility(f *testing.F) {
	f.Add(rest.Avro, `"int"`, `["null","int"]`)
	f.Add(rest.Protobuf, "syntax = \"proto3\"; message M { int32 a = 1; }", "syntax = \"proto3\"; message M { oneof o { string a = 1; } }")
	f.Add(rest.JSON, `{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}`, `{"anyOf":[{"items":[true,{"not":{}}]},{"patternProperties":{"^a":false},"minimum":1e3}]}`)
	s := &state{}
	f.Fuzz(func(t *testing.T, kind, a, b string) {
		x, err := s.parse(rest.Schema{Type: kind, Text: a})
		if err != nil {
			return
		}
		if faults := Full.faults(x, x); kind != rest.JSON && faults != nil {
			t.Errorf("%s %s does not fit itself: %q", kind, a, faults)
		}
		if y, err := s.parse(rest.Schema{Type: kind, Text: b}); err == nil {
			Full.faults(x, y)
		}
	})
}
