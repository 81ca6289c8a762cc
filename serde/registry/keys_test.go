package registry_test

import (
	"testing"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/registry"
	"github.com/thalweg/thalweg/serde/registry/registrytest"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// TestKeysOfTwoSchemasAreOneKey writes the same key under two schemas, whose ids make its bytes differ: it is one row of a
// table, before and after a restore, and one row of an aggregate.
func TestKeysOfTwoSchemasAreOneKey(t *testing.T) {
	type id struct{ ID int }
	reg := registry.New(registrytest.New(t), registry.Options{AutoRegister: true})
	ours := reg.Avro[id](`{"type":"record","name":"Key","fields":[{"name":"id","type":"int"}]}`)
	theirs := reg.Avro[id](`{"type":"record","name":"Key","doc":"of another program","fields":[{"name":"id","type":"int"}]}`)
	customers, orders := topology.NewTopic("customers", ours, serde.String), topology.NewTopic("orders", ours, serde.String)
	shipped, counted := topology.NewTopic("shipped", ours, serde.String), topology.NewTopic("counted", ours, serde.Int64)
	d := streamtest.New(t, func(b *topology.Builder) {
		known := table.From(b, customers)
		in := stream.From(b, orders)
		in.JoinTable("orders-customers", known, func(o, c string) string { return o + " for " + c }).To(shipped)
		in.GroupByKey().Count("counts").To(counted)
	}, streamtest.Options{Partitions: 1})
	foreign := d.Topic(topology.NewTopic("customers", theirs, serde.String))
	foreignOrders := d.Topic(topology.NewTopic("orders", theirs, serde.String))
	out, counts := d.Topic(shipped), d.Topic(counted)

	foreign.Put(id{1}, "Ada")
	d.Topic(orders).Put(id{1}, "first")
	if got := streamtest.Latest(out)[id{1}]; got != "first for Ada" {
		t.Errorf("shipped %q", got)
	}
	d.Topic(customers).Put(id{1}, "Ada Lovelace")
	d.Crash(0)
	d.Restart(0)
	foreignOrders.Put(id{1}, "second")
	if got := streamtest.Latest(out)[id{1}]; got != "second for Ada Lovelace" {
		t.Errorf("after a restart %q was shipped", got)
	}
	if got := streamtest.Latest(counts); len(got) != 1 || got[id{1}] != 2 {
		t.Errorf("counts %v, want 2 of one key", got)
	}
}
