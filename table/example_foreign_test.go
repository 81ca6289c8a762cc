package table_test

import (
	"strings"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// customer is what stands before the colon of an order.
func customer(_, order string) (string, bool) {
	name, _, ok := strings.Cut(order, ":")
	return name, ok
}

var customers = topology.NewTopic("customers", serde.String, serde.String)

func ExampleTable_JoinForeign() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, texts).
			JoinForeign("order-customer", table.From(b, customers), customer,
				func(order, customer string) string { return order + " for " + customer }).
			To(labels)
	}, func(d *streamtest.Driver) {
		d.Topic(texts).Put("o1", "c1:apples")
		d.Topic(texts).Put("o2", "c1:pears")
		d.Topic(customers).Put("c1", "Ann")
		d.Topic(texts).Delete("o1")
		d.Topic(labels).Print()
	})
	// Output:
	// o1 c1:apples for Ann
	// o2 c1:pears for Ann
	// o1 null
}

func ExampleTable_LeftJoinForeign() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, texts).
			LeftJoinForeign("order-customer", table.From(b, customers), customer,
				func(order string, customer serde.Opt[string]) string { return order + " for " + customer.Or("nobody") }).
			To(labels)
	}, func(d *streamtest.Driver) {
		d.Topic(texts).Put("o1", "c1:apples")
		d.Topic(customers).Put("c1", "Ann")
		d.Topic(texts).Put("o1", "plums") // names no customer
		d.Topic(labels).Print()
	})
	// Output:
	// o1 c1:apples for nobody
	// o1 c1:apples for Ann
	// o1 plums for nobody
}
