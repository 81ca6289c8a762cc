// Orders checks orders against their payment and the stock, and routes them.
//
//	go run ./examples/orders                     made-up orders, until Ctrl-C
//	go run ./examples/orders describe            the topology
//	BROKERS=host:9092 go run ./examples/orders   on brokers, which keep the orders
package main

import (
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

type order struct {
	ID, Product string
	Quantity    int
	Amount      float64
}

type payment struct{ Amount float64 }

// checked is an order with what was paid for it and what is in stock.
type checked struct {
	order
	Paid float64
	Left int
}

var (
	orders   = topology.NewTopic("orders", serde.String, serde.JSON[order]())
	payments = topology.NewTopic("payments", serde.String, serde.JSON[payment]()) // by order
	stock    = topology.NewTopic("stock", serde.String, serde.Int64)              // by product

	accepted = topology.NewTopic("orders-accepted", serde.String, serde.JSON[checked]())
	short    = topology.NewTopic("orders-out-of-stock", serde.String, serde.JSON[checked]())
	unpaid   = topology.NewTopic("orders-unpaid", serde.String, serde.JSON[checked]())
)

func validation(b *topology.Builder) {
	inStock := table.From(b, stock)

	results := stream.From(b, orders).
		Filter(func(_ string, o order) bool { return o.Quantity > 0 }).
		LeftJoin("orders-payments", stream.From(b, payments), window.Within(time.Hour).CloseIdle(time.Minute),
			func(o order, p serde.Opt[payment]) checked { return checked{order: o, Paid: p.Value.Amount} }).
		SelectKey(func(_ string, c checked) string { return c.Product }).
		LeftJoinTable("orders-stock", inStock, func(c checked, left serde.Opt[int64]) checked { c.Left = int(left.Value); return c }).
		SelectKey(func(_ string, c checked) string { return c.ID })

	sw := results.Switch()
	sw.Case(func(_ string, c checked) bool { return c.Paid < c.Amount }).To(unpaid)
	sw.Case(func(_ string, c checked) bool { return c.Left < c.Quantity }).To(short)
	sw.Default().To(accepted)
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	cfg := stream.Config{Dir: "orders-data", OnStart: sample, CreateTopics: true,
		Errors: stream.Errors{Decode: stream.DeadLetter, Process: stream.DeadLetter}, DeadLetter: "orders-dead-letter"}
	if at := os.Getenv("BROKERS"); at != "" {
		cfg.Brokers = strings.Split(at, ",")
	}
	stream.Main("order-validation", validation, cfg)
}
