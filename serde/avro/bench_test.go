package avro_test

import (
	"testing"

	"github.com/linkedin/goavro/v2"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/avro"
)

const clickSchema = `{"type":"record","name":"Click","fields":[{"name":"user","type":"string"},{"name":"page","type":"string"},
	{"name":"at","type":"long"},{"name":"referrer","type":["null","string"],"default":null},{"name":"positions","type":{"type":"array","items":"int"}}]}`

type click struct {
	User, Page string
	At         int64
	Referrer   serde.Opt[string]
	Positions  []int32
}

var clicked = click{"alice", "/articles/thalweg", 1_767_225_600_000, serde.Some("/home"), []int32{3, 5, 8, 13}}

// native is what a program writes by hand to hand a click to goavro.
func (c *click) native() map[string]any {
	m := map[string]any{"user": c.User, "page": c.Page, "at": c.At, "referrer": nil}
	if c.Referrer.OK {
		m["referrer"] = map[string]any{"string": c.Referrer.Value}
	}
	ps := make([]any, len(c.Positions))
	for i, p := range c.Positions {
		ps[i] = p
	}
	m["positions"] = ps
	return m
}

func (c *click) setNative(x any) {
	m := x.(map[string]any)
	c.User, c.Page, c.At = m["user"].(string), m["page"].(string), m["at"].(int64)
	if u, ok := m["referrer"].(map[string]any); ok {
		c.Referrer = serde.Some(u["string"].(string))
	}
	ps := m["positions"].([]any)
	c.Positions = make([]int32, len(ps))
	for i, p := range ps {
		c.Positions[i] = p.(int32)
	}
}

// BenchmarkAppend compares with bare goavro: generic values, and structs that are turned into them by hand.
func BenchmarkAppend(b *testing.B) {
	codec, err := goavro.NewCodec(clickSchema)
	if err != nil {
		b.Fatal(err)
	}
	typed, loose, buf, m := avro.Of[click](clickSchema), avro.Of[map[string]any](clickSchema), make([]byte, 0, 256), clicked.native()
	run := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("goavro/map", func() error { _, err := codec.BinaryFromNative(buf, m); return err })
	run("serde/map", func() error { _, err := loose.Append(buf, m); return err })
	run("goavro/struct", func() error { _, err := codec.BinaryFromNative(buf, clicked.native()); return err })
	run("serde/struct", func() error { _, err := typed.Append(buf, clicked); return err })
}

// BenchmarkDecode is BenchmarkAppend the other way.
func BenchmarkDecode(b *testing.B) {
	codec, err := goavro.NewCodec(clickSchema)
	if err != nil {
		b.Fatal(err)
	}
	typed, loose := avro.Of[click](clickSchema), avro.Of[map[string]any](clickSchema)
	data, err := typed.Append(nil, clicked)
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("goavro/map", func() error { _, _, err := codec.NativeFromBinary(data); return err })
	run("serde/map", func() error { _, err := loose.Decode(data); return err })
	run("goavro/struct", func() error {
		x, _, err := codec.NativeFromBinary(data)
		if err != nil {
			return err
		}
		var c click
		c.setNative(x)
		return nil
	})
	run("serde/struct", func() error { _, err := typed.Decode(data); return err })
}
