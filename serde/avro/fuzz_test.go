package avro_test

import (
	"reflect"
	"testing"

	"github.com/thalweg/thalweg/serde/avro"
)

// FuzzDecode hands any bytes to the decoder, under a schema with every type: what is read must be written and read as
// the same value again.
func FuzzDecode(f *testing.F) {
	b, err := avro.Of[order](orderSchema).Append(nil, sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{2, 2, 0, 0, 0, 0})
	typed, loose := avro.Of[order](orderSchema), avro.Of[map[string]any](orderSchema)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := loose.Decode(data)
		x, errTyped := typed.Decode(data)
		if err != nil && errTyped == nil {
			t.Fatalf("read as %+v, but as a map: %v", x, err)
		}
		if err != nil {
			return
		}
		once, err := loose.Append(nil, v)
		if err != nil {
			return // a decimal with more digits than the schema says can be read, not written
		}
		again, err := loose.Decode(once)
		if err != nil {
			t.Fatalf("%x is written as %x, which cannot be read: %v", data, once, err)
		}
		for k := range v {
			if k != "price" && k != "tags" && k != "parent" && !reflect.DeepEqual(v[k], again[k]) {
				t.Fatalf("field %s: %#v comes back as %#v", k, v[k], again[k])
			}
		}
	})
}

// FuzzSchema hands any text to the parser, and any bytes to what it makes of it.
func FuzzSchema(f *testing.F) {
	for _, c := range resolutions {
		f.Add(c.writer, c.reader, []byte{2, 2, 2, 0, 0})
	}
	f.Add(orderSchema, orderSchema, []byte{0})
	f.Fuzz(func(t *testing.T, writer, reader string, data []byte) {
		w, err := avro.Parse(writer)
		if err != nil {
			return
		}
		r, err := avro.Parse(reader)
		if err != nil {
			return
		}
		c, err := avro.New[any](r)
		if err != nil {
			t.Fatalf("any does not fit %s: %v", reader, err)
		}
		faults := avro.Mismatches(r, w)
		read, err := c.Reader(w)
		if err != nil {
			if len(faults) == 0 {
				t.Fatalf("no mismatch, but %v", err)
			}
			return
		}
		v, err := read(data)
		if err != nil {
			return
		}
		if _, err := c.Append(nil, v); err != nil && len(faults) == 0 {
			t.Logf("%v is read and cannot be written: %v", v, err)
		}
	})
}
