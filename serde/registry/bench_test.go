package registry_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/avro"
	"github.com/thalweg/thalweg/serde/registry"
	"github.com/thalweg/thalweg/serde/registry/registrytest"
)

// BenchmarkBeside compares serdes under a registry with those without one, and with the bare library.
func BenchmarkBeside(b *testing.B) {
	reg, buf := registry.New(registrytest.New(b), registry.Options{AutoRegister: true}), make([]byte, 0, 512)
	user := userV2{"Ada Lovelace", 36}
	plain, under := avro.Of[userV2](user2), serde.At(reg.Avro[userV2](user2), orders)
	older := write(b, serde.At(reg.Avro[userV1](user1), serde.Place{Topic: "older"}), userV1{"Ada Lovelace"})
	bare, framed := write(b, plain, user), write(b, under, user)
	m, err := structpb.NewStruct(map[string]any{"a": 1.5, "b": "text", "c": []any{true, nil}})
	if err != nil {
		b.Fatal(err)
	}
	message := serde.At(reg.Protobuf[*structpb.Struct](), serde.Place{Topic: "p"})
	data := write(b, message, m)
	for _, c := range []struct {
		name string
		f    func() error
	}{
		{"avro append/without", func() error { _, err := plain.Append(buf, user); return err }},
		{"avro append/registry", func() error { _, err := under.Append(buf, user); return err }},
		{"avro decode/without", func() error { _, err := plain.Decode(bare); return err }},
		{"avro decode/registry", func() error { _, err := under.Decode(framed); return err }},
		{"avro decode/registry, older schema", func() error { _, err := under.Decode(older); return err }},
		{"protobuf append/bare", func() error { _, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(buf, m); return err }},
		{"protobuf append/registry", func() error { _, err := message.Append(buf, m); return err }},
		{"protobuf decode/bare", func() error { return proto.Unmarshal(data[6:], new(structpb.Struct)) }},
		{"protobuf decode/registry", func() error { _, err := message.Decode(data); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
