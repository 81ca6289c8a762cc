package table_test

import (
	"fmt"
	"strings"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

func ExampleFrom() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 6)
		in.Put("b", 3)
		in.Delete("b")
		d.Topic(results).Print()
	})
	// Output:
	// a 1
	// b 6
	// b 3
	// b null
}

func ExampleTable_To() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).MapValues(func(n int64) int64 { return -n }).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 6)
		in.Put("b", 3)
		in.Delete("b")
		d.Topic(results).Print()
	})
	// Output:
	// a -1
	// b -6
	// b -3
	// b null
}

func ExampleTable_Then() {
	streamtest.Example(func(b *topology.Builder) {
		large := func(t table.Table[string, int64]) table.Table[string, int64] {
			return t.Filter(func(_ string, n int64) bool { return n > 4 })
		}
		table.From(b, numbers).Then(large).Then(stream.Updates).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 6)
		in.Put("b", 3)
		in.Delete("b")
		d.Topic(results).Print()
	})
	// Output:
	// b 6
}

func ExampleTable_Output() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).Output().Process("log", func(ctx *topology.Context[string, int64]) (topology.Processor[string, table.Change[int64]], error) {
			return topology.ProcessorFunc[string, table.Change[int64]](func(r topology.Record[string, table.Change[int64]]) error {
				fmt.Println(r.Key, r.Value.New.OK)
				return nil
			}), nil
		})
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Delete("a")
	})
	// Output:
	// a true
	// a false
}

func ExampleTable_Named() {
	t, err := topology.Define("example", func(b *topology.Builder) {
		table.From(b, numbers).
			Filter(func(_ string, n int64) bool { return n > 0 }).Named("positive").
			To(results)
	})
	fmt.Println(err)
	fmt.Println(strings.Contains(t.String(), "positive"))
	// Output:
	// <nil>
	// true
}
