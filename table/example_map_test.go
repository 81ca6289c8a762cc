package table_test

import (
	"fmt"

	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

func ExampleTable_MapValues() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).MapValues(func(n int64) int64 { return n * 10 }).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 6)
		in.Put("b", 3)
		in.Delete("b")
		d.Topic(results).Print()
	})
	// Output:
	// a 10
	// b 60
	// b 30
	// b null
}

func ExampleTable_MapWithKey() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).MapWithKey(func(k string, n int64) string { return fmt.Sprintf("%s has %d", k, n) }).To(labels)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).Put("a", 1)
		d.Topic(labels).Print()
	})
	// Output:
	// a a has 1
}
