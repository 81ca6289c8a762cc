package table_test

import (
	"time"

	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

func ExampleTable_Suppress() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).Suppress("calm", table.Suppression{After: 10 * time.Millisecond}).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(0, "a", 1)
		in.PutAt(5, "a", 2)
		in.PutAt(12, "b", 7) // a has been held for 10 ms
		d.Topic(results).Print()
	})
	// Output:
	// a 2
}

func ExampleWindowed_Suppress() {
	streamtest.Example(func(b *topology.Builder) {
		perTen(b).Suppress("closed", table.Suppression{UntilClose: true}).To(perWindow)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(3, "a", 1)
		in.PutAt(7, "a", 1)
		in.PutAt(12, "a", 1)
		d.Topic(perWindow).Print()
	})
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} 2
}
