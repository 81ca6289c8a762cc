// Foreignkey keeps orders joined with their customer and product: when any of the three changes, so does the order's line,
// and what its customer has spent.
//
//	go run ./examples/foreignkey             made-up orders, until Ctrl-C
//	go run ./examples/foreignkey describe    the topology
package main

import (
	"log/slog"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/avro"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

type order struct {
	Customer, Product int64
	Quantity          int
}

type customer struct{ Name string }

type product struct {
	Name  string
	Price float64
}

// line is an order with all that it names. It is written as Avro.
type line struct {
	Quantity  int
	ProductID int64
	Customer  string
	Product   product
}

const lineSchema = `{"type":"record","name":"Line","fields":[
	{"name":"quantity","type":"int"},
	{"name":"productID","type":"long"},
	{"name":"customer","type":"string"},
	{"name":"product","type":{"type":"record","name":"Product","fields":[
		{"name":"name","type":"string"},
		{"name":"price","type":"double"}]}}]}`

var (
	orders    = topology.NewTopic("orders", serde.Int64, serde.JSON[order]())
	customers = topology.NewTopic("customers", serde.Int64, serde.JSON[customer]())
	products  = topology.NewTopic("products", serde.Int64, serde.JSON[product]())
	lines     = topology.NewTopic("order-lines", serde.Int64, avro.Of[line](lineSchema))
	spent     = topology.NewTopic("spent", serde.String, serde.Float64)
)

func orderLines(b *topology.Builder) {
	b.Use(avro.Of[line](lineSchema)) // for the changelogs too

	rows := table.From(b, orders).
		JoinForeign("order-customer", table.From(b, customers),
			func(_ int64, o order) (int64, bool) { return o.Customer, o.Customer != 0 },
			func(o order, c customer) line { return line{o.Quantity, o.Product, c.Name, product{}} }).
		LeftJoinForeign("order-product", table.From(b, products),
			func(_ int64, l line) (int64, bool) { return l.ProductID, true },
			func(l line, p serde.Opt[product]) line { l.Product = p.Value; return l })

	rows.To(lines)
	rows.GroupBy(func(_ int64, l line) (string, line) { return l.Customer, l }).
		Sum("spent", func(l line) float64 { return float64(l.Quantity) * l.Product.Price }).
		To(spent)
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	stream.Main("order-lines", orderLines, stream.Config{Dir: "foreignkey-data", OnStart: sample})
}
