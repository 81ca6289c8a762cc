package state_test

import (
	"fmt"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

var (
	prices = topology.NewTopic("prices", serde.String, serde.Int64)
	orders = topology.NewTopic("orders", serde.String, serde.Int64)
	bills  = topology.NewTopic("bills", serde.String, serde.String)
)

// Of three prices that come within one commit, the last is passed on.
func ExampleOptions_coalesce() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, prices).ToTable("latest", state.Options{Coalesce: true}).
			MapValues(func(p int64) string { return fmt.Sprint(p) }).
			To(bills)
	}, func(d *streamtest.Driver) {
		d.Topic(prices).PutAll(
			topology.Record[string, int64]{Key: "tea", Value: 3},
			topology.Record[string, int64]{Key: "tea", Value: 4},
			topology.Record[string, int64]{Key: "tea", Value: 5},
		)
		d.Topic(bills).Print()
	}, streamtest.Options{Partitions: 1, CommitEvery: 3})
	// Output:
	// tea 5
}

// The prices are read before the first order, although they are later.
func ExampleOptions_bootstrap() {
	streamtest.Example(func(b *topology.Builder) {
		list := table.From(b, prices, state.Options{Bootstrap: true})
		stream.From(b, orders).
			JoinTable("priced", list, func(n, price int64) string { return fmt.Sprint(n * price) }).
			To(bills)
	}, func(d *streamtest.Driver) {
		d.Crash(0)
		d.Topic(orders).PutAt(10, "tea", 2)
		d.Topic(prices).PutAt(20, "tea", 3)
		d.Restart(0)
		d.Topic(bills).Print()
	})
	// Output:
	// tea 6
}
