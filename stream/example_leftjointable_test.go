package stream_test

import (
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// A table that keeps history answers as of the record's time, and a grace waits for rows that come late.
func ExampleStream_LeftJoinTable_grace() {
	streamtest.Example(func(b *topology.Builder) {
		prices := table.From(b, more, state.Options{History: time.Hour})
		stream.From(b, numbers).
			LeftJoinTable("orders-prices", prices, func(n int64, price serde.Opt[int64]) int64 { return n * price.Or(0) },
				stream.JoinTableOptions{Grace: 10 * time.Millisecond}).
			To(results)
	}, func(d *streamtest.Driver) {
		prices, orders := d.Topic(more), d.Topic(numbers)
		prices.PutAt(0, "apple", 2)
		orders.PutAt(5, "apple", 10)
		prices.PutAt(4, "apple", 3) // late, but in time
		prices.PutAt(8, "apple", 9)
		orders.PutAt(20, "pear", 1) // the grace of the first order is over
		d.Topic(results).Print()
	})
	// Output:
	// apple 30
}
