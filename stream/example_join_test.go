package stream_test

import (
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

func ExampleStream_JoinTable() {
	streamtest.Example(func(b *topology.Builder) {
		prices := table.From(b, more)
		stream.From(b, numbers).
			JoinTable("orders-prices", prices, func(n, price int64) int64 { return n * price }).
			To(results)
	}, func(d *streamtest.Driver) {
		prices, orders := d.Topic(more), d.Topic(numbers)
		prices.Put("apple", 2)
		orders.Put("apple", 10)
		orders.Put("pear", 10)
		prices.Put("apple", 3)
		orders.Put("apple", 10)
		d.Topic(results).Print()
	})
	// Output:
	// apple 20
	// apple 30
}

func ExampleStream_LeftJoinTable() {
	streamtest.Example(func(b *topology.Builder) {
		prices := table.From(b, more)
		stream.From(b, numbers).
			LeftJoinTable("orders-prices", prices, func(n int64, price serde.Opt[int64]) int64 { return n * price.Or(100) }).
			To(results)
	}, func(d *streamtest.Driver) {
		prices, orders := d.Topic(more), d.Topic(numbers)
		prices.Put("apple", 2)
		orders.Put("apple", 10)
		orders.Put("pear", 10)
		prices.Put("apple", 3)
		orders.Put("apple", 10)
		d.Topic(results).Print()
	})
	// Output:
	// apple 20
	// pear 1000
	// apple 30
}
