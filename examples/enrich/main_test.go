package main

import (
	"math/big"
	"testing"
	"time"

	"github.com/thalweg/thalweg/examples/enrich/shop"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/registry"
	"github.com/thalweg/thalweg/serde/registry/registrytest"
	"github.com/thalweg/thalweg/stream/streamtest"
)

// TestShipments orders before and after the customer is known, over a crash, with every schema in a registry.
func TestShipments(t *testing.T) {
	topics := newTopics(registry.New(registrytest.New(t), registry.Options{AutoRegister: true}))
	d := streamtest.New(t, topics.topology)
	orders, customers, shipments := d.Topic(topics.orders), d.Topic(topics.customers), d.Topic(topics.shipments)
	placed := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

	orders.Put("c1", order{ID: 1, Price: big.NewRat(1, 1), Placed: placed})
	customers.Put("c1", &shop.Customer{Name: "Ada", Address: &shop.Address{City: "London"}})
	d.Crash(0)
	d.Restart(0)
	orders.Put("c1", order{ID: 2, Price: big.NewRat(1999, 100), Placed: placed, Note: serde.Some("gift")})

	got := streamtest.Latest(shipments)
	want := shipment{Order: 2, Customer: "Ada", City: "London", Price: "19.99", Placed: placed, Note: "gift"}
	if len(got) != 1 || got["c1"] != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
