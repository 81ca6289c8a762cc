package avro_test

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/avro"
)

const orderSchema = `{"type":"record","name":"Order","namespace":"shop","fields":[
	{"name":"id","type":"long"},
	{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
	{"name":"note","type":["null","string"],"default":null},
	{"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","PAID"]}},
	{"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[
		{"name":"sku","type":"string"},{"name":"count","type":"int"}]}}},
	{"name":"tags","type":{"type":"map","values":"double"}},
	{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"day","type":{"type":"int","logicalType":"date"}},
	{"name":"open","type":{"type":"int","logicalType":"time-millis"}},
	{"name":"trace","type":{"type":"string","logicalType":"uuid"}},
	{"name":"hash","type":{"type":"fixed","name":"Hash","size":4}},
	{"name":"parent","type":["null","Order"],"default":null},
	{"name":"extra","type":["null","int","string"],"default":null},
	{"name":"gone","type":"string","default":"unused"}]}`

type item struct {
	SKU   string `avro:"sku"`
	Count int
}

type order struct {
	ID      int64
	Price   *big.Rat
	Note    serde.Opt[string]
	State   string
	Items   []item
	Tags    map[string]float64
	At, Day time.Time
	Open    time.Duration
	Trace   [16]byte
	Hash    [4]byte
	Parent  *order
	Extra   any
	_       int    // not exported: not of the record
	Skipped func() `avro:"-"`
}

func sample() order {
	return order{
		ID: 1 << 40, Price: big.NewRat(-12345, 100), Note: serde.Some("größe"), State: "PAID",
		Items: []item{{"a", 1}, {"b", -2}}, Tags: map[string]float64{"x": 0.5},
		At: time.UnixMilli(-1).UTC(), Day: time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC), Open: 90 * time.Minute,
		Trace: [16]byte{1, 2, 15: 3}, Hash: [4]byte{9, 8, 7, 6}, Extra: map[string]any{"string": "e"},
		Parent: &order{Price: new(big.Rat), State: "NEW", Items: []item{}, Tags: map[string]float64{},
			At: time.UnixMilli(5).UTC(), Day: time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC)},
	}
}

func parse(t testing.TB, text string) *avro.Schema {
	t.Helper()
	s, err := avro.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStructsComeBack writes and reads a struct with every kind of field.
func TestStructsComeBack(t *testing.T) {
	s := avro.Of[order](orderSchema)
	if err := serde.Fault(s); err != nil {
		t.Fatal(err)
	}
	want := sample()
	b, err := s.Append([]byte("x"), want)
	if err != nil || b[0] != 'x' {
		t.Fatal(err)
	}
	got, err := s.Decode(b[1:])
	if err != nil {
		t.Fatal(err)
	}
	if got.Price.Cmp(want.Price) != 0 || got.Parent.Price.Sign() != 0 {
		t.Errorf("price %v, want %v", got.Price, want.Price)
	}
	got.Price, got.Parent.Price, want.Price, want.Parent.Price = nil, nil, nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for i := 1; i < len(b); i++ {
		if _, err := s.Decode(b[1:i]); err == nil {
			t.Errorf("the first %d bytes are read", i-1)
		}
	}
	if !strings.HasPrefix(serde.Name(s), "avro shop.Order ") {
		t.Errorf("the serde is named %q", serde.Name(s))
	}
}

// TestGenericValues reads a struct's bytes as map[string]any and as any, and writes them again.
func TestGenericValues(t *testing.T) {
	b, err := avro.Of[order](orderSchema).Append(nil, sample())
	if err != nil {
		t.Fatal(err)
	}
	m := avro.Of[map[string]any](orderSchema)
	got, err := m.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if got["note"].(map[string]any)["string"] != "größe" || got["at"] != time.UnixMilli(-1).UTC() || got["gone"] != "unused" {
		t.Errorf("read %v", got)
	}
	again, err := m.Append(nil, got)
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("written as %x, %v; want %x", again, err, b)
	}
	delete(got, "gone")           // has a default
	got["note"] = "größe"         // the branch is found by its type
	got["items"] = sample().Items // a struct within
	got["extra"] = "e"
	if again, err = m.Append(nil, got); err != nil || !bytes.Equal(b, again) {
		t.Errorf("written as %x, %v; want %x", again, err, b)
	}
	x, err := avro.Of[any](`["null","long",{"type":"array","items":"string"}]`).Append(nil, []string{"a"})
	if err != nil || !bytes.Equal(x, []byte{4, 2, 2, 'a', 0}) {
		t.Errorf("%x, %v", x, err)
	}
}

// TestUnfitTypesAreFaults shows what Build reports.
func TestUnfitTypesAreFaults(t *testing.T) {
	record := func(field string) string { return `{"type":"record","name":"R","fields":[` + field + `]}` }
	type of[T any] struct{ F T }
	type two struct{ F, G int }
	for _, c := range []struct {
		fault error
		want  string
	}{
		{serde.Fault(avro.Of[of[int]](record(`{"name":"f","type":"string"}`))), "field f: int does not fit string"},
		{serde.Fault(avro.Of[of[float32]](record(`{"name":"f","type":"double"}`))), "field f: float32 does not fit double"},
		{serde.Fault(avro.Of[of[time.Time]](record(`{"name":"f","type":"long"}`))), "field f: time.Time does not fit long"},
		{serde.Fault(avro.Of[of[int]](record(`{"name":"f","type":["null","int"]}`))), "serde.Opt or a pointer"},
		{serde.Fault(avro.Of[of[int64]](record(`{"name":"f","type":{"type":"bytes","logicalType":"decimal","precision":4}}`))), "*big.Rat"},
		{serde.Fault(avro.Of[of[[3]byte]](record(`{"name":"f","type":{"type":"fixed","name":"F","size":4}}`))), "does not fit F"},
		{serde.Fault(avro.Of[two](record(`{"name":"f","type":"int"}`))), "field G of avro_test.two is not in record R"},
		{serde.Fault(avro.Of[of[int]](record(`{"name":"f","type":"int"},{"name":"g","type":"int"}`))), "field g: it is not in avro_test.of[int] and has no default"},
		{serde.Fault(avro.Of[int](`{"type":"int"`)), "avro: schema"},
	} {
		if c.fault == nil || !strings.Contains(c.fault.Error(), c.want) {
			t.Errorf("got %v, want %q in it", c.fault, c.want)
		}
	}
}

// TestBadSchemas shows what does not parse.
func TestBadSchemas(t *testing.T) {
	for _, text := range []string{
		``, `nothing`, `"nothing"`, `{"type":"int"} 1`, `[]`, `["int","int"]`, `["int",["null"]]`, `{"type":"array"}`, `{"type":"map","items":"int"}`,
		`{"type":"fixed","name":"F"}`, `{"type":"enum","name":"E","symbols":[]}`, `{"type":"enum","name":"E","symbols":["a","a"]}`,
		`{"type":"enum","name":"E","symbols":["a"],"default":"b"}`, `{"type":"record","name":"1","fields":[]}`, `{"type":"record","name":"R"}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":4294967296}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"R","fields":[]}}]}`,
		strings.Repeat(`{"type":"array","items":`, 300) + `"int"` + strings.Repeat(`}`, 300),
	} {
		if s, err := avro.Parse(text); err == nil {
			t.Errorf("%.60s is parsed as %s", text, s.Name())
		}
	}
}

// TestReferences parses a schema whose types stand in others.
func TestReferences(t *testing.T) {
	s, err := avro.Parse(`{"type":"record","name":"a.B","fields":[{"name":"c","type":"C"},{"name":"d","type":"x.D"}]}`,
		`{"type":"fixed","name":"a.C","size":1}`, `{"type":"enum","name":"x.D","symbols":["Y"]}`)
	if err != nil {
		t.Fatal(err)
	}
	c, err := avro.New[struct {
		C [1]byte
		D string
	}](s)
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.Decode([]byte{7, 0})
	if err != nil || v.C != [1]byte{7} || v.D != "Y" {
		t.Errorf("%v, %v", v, err)
	}
}

// TestDecimals writes numbers at the edges of their bytes, and refuses what would be rounded.
func TestDecimals(t *testing.T) {
	schema := `{"type":"bytes","logicalType":"decimal","precision":6,"scale":2}`
	fixed := `{"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":6,"scale":2}`
	for unscaled, want := range map[int64][]byte{0: {0}, 127: {127}, 128: {0, 128}, -128: {128}, -129: {255, 127}, 255: {0, 255}, -1: {255}, -32768: {128, 0}} {
		r := big.NewRat(unscaled, 100)
		b, err := avro.Of[*big.Rat](schema).Append(nil, r)
		if err != nil || !bytes.Equal(b[1:], want) {
			t.Errorf("%v is written as %x, %v; want %x", r, b, err, want)
			continue
		}
		back, err := avro.Of[*big.Rat](schema).Decode(b)
		if err != nil || back.Cmp(r) != 0 {
			t.Errorf("%v comes back as %v, %v", r, back, err)
		}
		if b, err = avro.Of[*big.Rat](fixed).Append(nil, r); err != nil || len(b) != 2 {
			t.Errorf("%v is written as %x, %v", r, b, err)
		}
		if back, err = avro.Of[*big.Rat](fixed).Decode(b); err != nil || back.Cmp(r) != 0 {
			t.Errorf("%v comes back as %v, %v", r, back, err)
		}
	}
	for _, r := range []*big.Rat{big.NewRat(1, 3), big.NewRat(1, 1000), big.NewRat(10000, 1), nil} {
		if b, err := avro.Of[*big.Rat](schema).Append(nil, r); err == nil {
			t.Errorf("%v is written as %x", r, b)
		}
	}
	if b, err := avro.Of[*big.Rat](fixed).Append(nil, big.NewRat(32768, 100)); err == nil {
		t.Errorf("%x", b)
	}
}

// TestHostileBytes hands counts that lie to the decoder: it must neither allocate for them nor go deeper than it can.
func TestHostileBytes(t *testing.T) {
	count := binary.AppendVarint(nil, 1<<40)
	least := binary.AppendVarint(binary.AppendVarint(nil, -1<<63), 0)
	for schema, bad := range map[string][][]byte{
		`{"type":"array","items":"long"}`:                          {count, least, {2}, {2, 0}, {0, 0}, {3, 0, 0}},
		`{"type":"array","items":"null"}`:                          {count, append(binary.AppendVarint(nil, 1<<17), 0)},
		`{"type":"map","values":"null"}`:                           {count, {2, 9}},
		`{"type":"array","items":{"type":"array","items":"null"}}`: {append(binary.AppendVarint(binary.AppendVarint(nil, 1), 1<<20), 0, 0)},
		`"string"`:       {count, {1}, {3}},
		`"bytes"`:        {count, {255, 255, 255, 255, 255, 255, 255, 255, 255, 1}},
		`"int"`:          {count, {255, 255, 255, 255, 31}},
		`["null","int"]`: {{4, 0}, {1}, {}},
		`{"type":"enum","name":"E","symbols":["A"]}`:                                                  {{2}, {1}},
		`{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}`:                 {bytes.Repeat([]byte{2}, 1<<20)},
		`{"type":"record","name":"L","fields":[{"name":"next","type":{"type":"array","items":"L"}}]}`: {bytes.Repeat([]byte{2}, 1<<20)},
	} {
		s := avro.Of[any](schema)
		if err := serde.Fault(s); err != nil {
			t.Fatal(err)
		}
		for _, b := range bad {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if v, err := s.Decode(b); err == nil {
				t.Errorf("%s: %.20x is read as %.100v", schema, b, v)
			}
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20+64*uint64(len(b)) {
				t.Errorf("%s: %.20x made the decoder allocate %d bytes", schema, b, n)
			}
		}
	}
}

// TestErrorsNameTheField shows the paths of errors.
func TestErrorsNameTheField(t *testing.T) {
	s := avro.Of[order](orderSchema)
	o := sample()
	o.Items[1].Count = 1 << 40
	if _, err := s.Append(nil, o); err == nil || !strings.Contains(err.Error(), "shop.Order: field items[1].count: ") {
		t.Error(err)
	}
	o = sample()
	o.Parent.State = "LOST"
	if _, err := s.Append(nil, o); err == nil || !strings.Contains(err.Error(), "LOST") {
		t.Error(err)
	}
}
