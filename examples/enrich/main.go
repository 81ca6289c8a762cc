// Enrich reads orders in Avro, joins them with customers, which come as protobuf messages, and writes what is to be shipped
// in JSON; the schemas of all three stand in a registry. It wants a broker and a registry:
//
//	go run ./cmd/thalweg serve &
//	go run ./cmd/thalweg registry &
//	go run ./examples/enrich
//
// Others, in other languages, write the orders and the customers, and read the shipments.
package main

import (
	"cmp"
	"math/big"
	"os"
	"time"

	"github.com/thalweg/thalweg/examples/enrich/shop"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/registry"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

const orderSchema = `{"type":"record","name":"Order","namespace":"shop","fields":[
	{"name":"id","type":"long"},
	{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
	{"name":"placed","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"note","type":["null","string"],"default":null}]}`

// order is read from Avro. The key of its record is the customer's number.
type order struct {
	ID     int64
	Price  *big.Rat
	Placed time.Time
	Note   serde.Opt[string]
}

// shipment is written as JSON.
type shipment struct {
	Order    int64     `json:"order"`
	Customer string    `json:"customer"`
	City     string    `json:"city"`
	Price    string    `json:"price"`
	Placed   time.Time `json:"placed"`
	Note     string    `json:"note,omitempty"`
}

// topics are what the program reads and writes.
type topics struct {
	orders    topology.Topic[string, order]
	customers topology.Topic[string, *shop.Customer]
	shipments topology.Topic[string, shipment]
}

func newTopics(reg *registry.Client) topics {
	return topics{
		orders:    topology.NewTopic("orders", serde.String, reg.Avro[order](orderSchema)),
		customers: topology.Topic[string, *shop.Customer]{Name: "customers", Key: serde.String, Value: reg.Protobuf[*shop.Customer](), Settings: map[string]string{"cleanup.policy": "compact"}},
		shipments: topology.NewTopic("shipments", serde.String, reg.JSON[shipment]("")),
	}
}

func (t topics) topology(b *topology.Builder) {
	customers := table.From(b, t.customers)
	stream.From(b, t.orders).JoinTable("orders-customers", customers, ship).To(t.shipments)
}

func ship(o order, c *shop.Customer) shipment {
	return shipment{o.ID, c.GetName(), c.GetAddress().GetCity(), o.Price.FloatString(2), o.Placed, o.Note.Or("")}
}

func main() {
	reg := registry.New(cmp.Or(os.Getenv("SCHEMA_REGISTRY"), "http://127.0.0.1:8081"), registry.Options{AutoRegister: true})
	brokers := []string{cmp.Or(os.Getenv("BROKERS"), "127.0.0.1:9092")}
	stream.Main("enrich", newTopics(reg).topology, stream.Config{Brokers: brokers, Dir: "enrich-data", CreateTopics: true})
}
