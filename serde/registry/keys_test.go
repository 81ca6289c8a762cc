package registry_test

import (
	"fmt"
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
	for round := range 20 { // how much a restart has to restore is left to chance
		name := fmt.Sprint("Ada ", round)
		foreign.Put(id{1}, name)
		d.Crash(0)
		d.Restart(0)
		d.Topic(orders).Put(id{1}, "next")
		if got := streamtest.Latest(out)[id{1}]; got != "next for "+name {
			t.Fatalf("after restart %d %q was shipped", round, got)
		}
	}
	foreignOrders.Put(id{1}, "last")
	if got := streamtest.Latest(counts); len(got) != 1 || got[id{1}] != 22 {
		t.Errorf("counts %v, want 22 of one key", got)
	}
}
