package avro_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/serde/avro"
)

// resolutions are writer's and reader's schemas, a value written and what is read, after "Schema Resolution" in the Avro
// specification. A want that is an error is a part of its text; "at once" says that no value at all can be read.
var resolutions = []struct {
	name           string
	writer, reader string
	in, want       any
	fault          string // in Mismatches
	late           bool   // the fault shows with a value that has it, not before
}{
	{name: "same", writer: `"int"`, reader: `"int"`, in: int32(1), want: int32(1)},
	{name: "int to long", writer: `"int"`, reader: `"long"`, in: int32(-1), want: int64(-1)},
	{name: "int to float", writer: `"int"`, reader: `"float"`, in: int32(3), want: float32(3)},
	{name: "int to double", writer: `"int"`, reader: `"double"`, in: int32(3), want: 3.0},
	{name: "long to float", writer: `"long"`, reader: `"float"`, in: int64(3), want: float32(3)},
	{name: "long to double", writer: `"long"`, reader: `"double"`, in: int64(3), want: 3.0},
	{name: "float to double", writer: `"float"`, reader: `"double"`, in: float32(1.5), want: 1.5},
	{name: "string to bytes", writer: `"string"`, reader: `"bytes"`, in: "ab", want: []byte("ab")},
	{name: "bytes to string", writer: `"bytes"`, reader: `"string"`, in: []byte("ab"), want: "ab"},
	{name: "long to int", writer: `"long"`, reader: `"int"`, fault: "long was written, int is read"},
	{name: "string to int", writer: `"string"`, reader: `"int"`, fault: "string was written, int is read"},
	{name: "array", writer: `{"type":"array","items":"int"}`, reader: `{"type":"array","items":"long"}`,
		in: []any{int32(1), int32(2)}, want: []any{int64(1), int64(2)}},
	{name: "map", writer: `{"type":"map","values":"int"}`, reader: `{"type":"map","values":"long"}`,
		in: map[string]any{"a": int32(1)}, want: map[string]any{"a": int64(1)}},
	{name: "array of others", writer: `{"type":"array","items":"string"}`, reader: `{"type":"array","items":"int"}`,
		fault: "field []: string was written"},
	{name: "fields reordered, dropped, added", writer: fields("R", `{"name":"a","type":"int"},{"name":"b","type":"string"},{"name":"c","type":"int"}`),
		reader: fields("R", `{"name":"c","type":"long"},{"name":"a","type":"int"},{"name":"d","type":{"type":"array","items":"int"},"default":[1]}`),
		in:     map[string]any{"a": int32(1), "b": "x", "c": int32(2)}, want: map[string]any{"a": int32(1), "c": int64(2), "d": []any{int32(1)}}},
	{name: "field without default", writer: fields("R", ``), reader: fields("R", `{"name":"a","type":"int"}`), fault: "field a: it was not written and has no default"},
	{name: "field by alias", writer: fields("R", `{"name":"old","type":"int"}`), reader: fields("R", `{"name":"new","type":"int","aliases":["old"]}`),
		in: map[string]any{"old": int32(1)}, want: map[string]any{"new": int32(1)}},
	{name: "record by alias", writer: fields("Old", ``), reader: `{"type":"record","name":"New","aliases":["Old"],"fields":[]}`, in: map[string]any{}, want: map[string]any{}},
	{name: "record in another namespace", writer: fields("a.R", ``), reader: fields("b.R", ``), in: map[string]any{}, want: map[string]any{}},
	{name: "another record", writer: fields("A", ``), reader: fields("B", ``), fault: "record A was written, B is read"},
	{name: "nested field", writer: fields("R", `{"name":"in","type":`+fields("I", ``)+`}`),
		reader: fields("R", `{"name":"in","type":`+fields("I", `{"name":"x","type":"int"}`)+`}`), fault: "field in.x: it was not written"},
	{name: "fixed", writer: `{"type":"fixed","name":"F","size":2}`, reader: `{"type":"fixed","name":"F","size":3}`, fault: "fixed F of 2 bytes"},
	{name: "enum grown", writer: `{"type":"enum","name":"E","symbols":["A"]}`, reader: `{"type":"enum","name":"E","symbols":["B","A"]}`, in: "A", want: "A"},
	{name: "enum default", writer: `{"type":"enum","name":"E","symbols":["A","C"]}`, reader: `{"type":"enum","name":"E","symbols":["A","B"],"default":"B"}`, in: "C", want: "B"},
	{name: "enum shrunk", writer: `{"type":"enum","name":"E","symbols":["A","C"]}`, reader: `{"type":"enum","name":"E","symbols":["A"]}`, in: "C",
		fault: "symbols C were written", late: true},
	{name: "to a union", writer: `"int"`, reader: `["null","long"]`, in: int32(1), want: map[string]any{"long": int64(1)}},
	{name: "to the same branch first", writer: `"int"`, reader: `["long","int"]`, in: int32(1), want: map[string]any{"int": int32(1)}},
	{name: "to a union that cannot", writer: `"string"`, reader: `["null","long"]`, fault: "none of null, long"},
	{name: "from a union", writer: `["null","int"]`, reader: `"long"`, in: map[string]any{"int": int32(1)}, want: int64(1), fault: "null was written, long is read"},
	{name: "from the other branch", writer: `["null","int"]`, reader: `"long"`, in: nil, fault: "null was written, long is read", late: true},
	{name: "union to union", writer: `["int","null","string"]`, reader: `["null","string","long"]`, in: map[string]any{"int": int32(1)}, want: map[string]any{"long": int64(1)}},
	{name: "union grown", writer: `["null","string"]`, reader: `["null","string","long"]`, in: map[string]any{"string": "x"}, want: map[string]any{"string": "x"}},
	{name: "null in unions", writer: `["int","null"]`, reader: `["null","int"]`, in: nil, want: nil},
	{name: "decimal of another scale", writer: `{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`,
		reader: `{"type":"bytes","logicalType":"decimal","precision":4,"scale":1}`, fault: "decimal (4, 2) was written"},
	{name: "recursive", writer: fields("L", `{"name":"v","type":"int"},{"name":"next","type":["null","L"]}`),
		reader: fields("L", `{"name":"v","type":"long"},{"name":"next","type":["null","L"],"default":null}`),
		in:     map[string]any{"v": int32(1), "next": map[string]any{"L": map[string]any{"v": int32(2), "next": nil}}},
		want:   map[string]any{"v": int64(1), "next": map[string]any{"L": map[string]any{"v": int64(2), "next": nil}}}},
	{name: "recursive that cannot", writer: fields("L", `{"name":"v","type":"string"},{"name":"next","type":["null","L"]}`),
		reader: fields("L", `{"name":"v","type":"long"},{"name":"next","type":["null","L"],"default":null}`), fault: "field v: string was written"},
}

func fields(name, fields string) string {
	return fmt.Sprintf(`{"type":"record","name":%q,"fields":[%s]}`, name, fields)
}

// TestResolution reads each value under the reader's schema.
func TestResolution(t *testing.T) {
	for _, c := range resolutions {
		t.Run(c.name, func(t *testing.T) {
			w, r := parse(t, c.writer), parse(t, c.reader)
			faults := strings.Join(avro.Mismatches(r, w), "; ")
			if (faults == "") != (c.fault == "") || !strings.Contains(faults, c.fault) {
				t.Errorf("mismatches %q, want %q", faults, c.fault)
			}
			wc, err := avro.New[any](w)
			if err != nil {
				t.Fatal(err)
			}
			rc, err := avro.New[any](r)
			if err != nil {
				t.Fatal(err)
			}
			read, err := rc.Reader(w)
			if never := c.fault != "" && !c.late && c.want == nil; never != (err != nil) {
				t.Fatalf("reader: %v", err)
			}
			if err != nil {
				return
			}
			b, err := wc.Append(nil, c.in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(b)
			if c.late != (err != nil) {
				t.Fatalf("read %v, %v", got, err)
			}
			if err == nil && !reflect.DeepEqual(got, c.want) {
				t.Errorf("read %#v, want %#v", got, c.want)
			}
		})
	}
}

// TestStructReadsAnOlderSchema reads what version 1 wrote into the struct of version 2.
func TestStructReadsAnOlderSchema(t *testing.T) {
	v1 := parse(t, fields("User", `{"name":"name","type":"string"},{"name":"age","type":"int"}`))
	v2 := parse(t, fields("User", `{"name":"fullName","type":"string","aliases":["name"]},{"name":"age","type":"long"},{"name":"mail","type":["null","string"],"default":null}`))
	old, err := avro.New[struct {
		Name string
		Age  int32
	}](v1)
	if err != nil {
		t.Fatal(err)
	}
	now, err := avro.New[struct {
		FullName string
		Age      int64
		Mail     *string
	}](v2)
	if err != nil {
		t.Fatal(err)
	}
	b, err := old.Append(nil, struct {
		Name string
		Age  int32
	}{"Ada", 36})
	if err != nil {
		t.Fatal(err)
	}
	read, err := now.Reader(v1)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read(b); err != nil || got.FullName != "Ada" || got.Age != 36 || got.Mail != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestUnionsWithinUnions resolves and parses what would take for ever if every branch were tried with every other again at
// each level.
func TestUnionsWithinUnions(t *testing.T) {
	nested := func(leaf string) string {
		const levels = 60
		return strings.Repeat(`["null",{"type":"array","items":`, levels) + leaf + strings.Repeat(`}]`, levels)
	}
	if faults := avro.Mismatches(parse(t, nested(`"int"`)), parse(t, nested(`"string"`))); len(faults) == 0 {
		t.Error("no mismatch")
	}
	if faults := avro.Mismatches(parse(t, nested(`"long"`)), parse(t, nested(`"int"`))); len(faults) != 0 {
		t.Error(faults)
	}
	var b strings.Builder // records A and B in turn, whose defaults fit neither at the end
	b.WriteString(`{"type":"record","name":"R","fields":[{"name":"x","type":["null",`)
	b.WriteString(fields("A", `{"name":"x","type":["null","A","R"],"default":null}`))
	b.WriteString(`,"R"],"default":` + strings.Repeat(`{"x":`, 60) + `7` + strings.Repeat(`}`, 60) + `}]}`)
	if _, err := avro.Parse(b.String()); err == nil {
		t.Error("a default that fits nothing is taken")
	}
}

// TestDefaultsAreNotShared changes what was read from a default.
func TestDefaultsAreNotShared(t *testing.T) {
	w, r := parse(t, fields("R", ``)), parse(t, fields("R", `{"name":"m","type":{"type":"map","values":"int"},"default":{"a":1}}`))
	c, err := avro.New[map[string]any](r)
	if err != nil {
		t.Fatal(err)
	}
	read, err := c.Reader(w)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := read(nil)
	first["m"].(map[string]any)["a"] = int32(9)
	if second, err := read([]byte{}); err != nil || second["m"].(map[string]any)["a"] != int32(1) {
		t.Errorf("%v, %v", second, err)
	}
}
