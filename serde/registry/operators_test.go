package registry_test

import (
	"context"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/registry"
	"github.com/thalweg/thalweg/serde/registry/registrytest"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// TestOperatorsUnderARegistry runs what has stores and topics of its own with keys and values under a registry, the keys
// of the two inputs under schemas of different ids: every one finds its subject, and equal keys are equal.
func TestOperatorsUnderARegistry(t *testing.T) {
	type id struct{ ID int }
	type val struct{ N int }
	const key, value = `{"type":"record","name":"Key","fields":[{"name":"id","type":"int"}]}`, `{"type":"record","name":"Val","fields":[{"name":"n","type":"int"}]}`
	reg := registry.New(registrytest.New(t), registry.Options{AutoRegister: true})
	keys, vals := reg.Avro[id](key), reg.Avro[val](value)
	foreign := reg.Avro[id](`{"type":"record","name":"Key","doc":"of others","fields":[{"name":"id","type":"int"}]}`)
	left, right := topology.NewTopic("left", keys, vals), topology.NewTopic("right", keys, vals)
	out := func(name string) topology.Topic[id, val] { return topology.NewTopic(name, keys, vals) }
	sum := func(a, b val) val { return val{a.N + b.N} }
	d := streamtest.New(t, func(b *topology.Builder) {
		b.Use(keys)
		b.Use(vals)
		l, r := stream.From(b, left), table.From(b, right)
		l.GroupByKey().Reduce("reduced", sum).To(out("reduced"))
		l.GroupBy(func(_ id, v val) id { return id{v.N} }).Reduce("regrouped", sum).To(out("regrouped"))
		l.GroupByKey().Windowed(window.Tumbling(time.Minute)).Reduce("windowed", sum)
		l.JoinTable("joined", r, sum).To(out("joined"))
		l.MapValuesAsync("async", 2, func(_ context.Context, v val) (val, error) { return v, nil }).To(out("async"))
		l.Join("streams", stream.From(b, topology.NewTopic("third", keys, vals)), window.Within(time.Minute), sum).To(out("streams"))
		r.GroupBy(func(_ id, v val) (id, val) { return id{v.N}, v }).Reduce("of-table", sum, func(a, b val) val { return val{a.N - b.N} }).To(out("of-table"))
		l.GroupByKey().Reduce("latest", func(_, v val) val { return v }).
			JoinForeign("foreign", r, func(_ id, v val) (id, bool) { return id{v.N}, true }, sum).To(out("foreign"))
	}, streamtest.Options{Partitions: 1})
	puts := func(topic string, s serde.Serde[id]) *streamtest.Topic[id, val] {
		return d.Topic(topology.NewTopic(topic, s, vals))
	}

	puts("right", foreign).Put(id{7}, val{10})
	puts("right", keys).Put(id{5}, val{20})
	puts("third", foreign).Put(id{7}, val{1})
	puts("left", keys).Put(id{7}, val{5})
	puts("left", foreign).Put(id{7}, val{5})

	for name, want := range map[string]map[id]val{
		"reduced": {{7}: {10}}, "regrouped": {{5}: {10}}, "joined": {{7}: {15}}, "async": {{7}: {5}}, "streams": {{7}: {6}},
		"of-table": {{10}: {10}, {20}: {20}}, "foreign": {{7}: {25}},
	} {
		got := streamtest.Latest(d.Topic(out(name)))
		if len(got) != len(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	}
}
