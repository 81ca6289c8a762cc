package table_test

import (
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

func ExampleTable_Filter() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).
			Filter(func(_ string, n int64) bool { return n > 4 }).
			Materialize("large").
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("b", 6)
		in.Put("b", 3) // no longer passes
		d.Topic(results).Print()
	})
	// Output:
	// b 6
	// b null
}

func ExampleTable_FilterNot() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).
			FilterNot(func(_ string, n int64) bool { return n > 4 }).
			Materialize("small").
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("b", 3)
		in.Put("b", 6) // no longer passes
		d.Topic(results).Print()
	})
	// Output:
	// b 3
	// b null
}
