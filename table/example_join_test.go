package table_test

import (
	"context"
	"fmt"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

func ExampleTable_Join() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).
			Join(table.From(b, texts), func(n int64, unit string) string { return fmt.Sprint(n, unit) }).
			To(labels)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).Put("a", 5)
		d.Topic(texts).Put("a", "km")
		d.Topic(numbers).Put("a", 6)
		d.Topic(texts).Delete("a")
		d.Topic(labels).Print()
	})
	// Output:
	// a 5km
	// a 6km
	// a null
}

func ExampleTable_LeftJoin() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).
			LeftJoin(table.From(b, texts), func(n int64, unit serde.Opt[string]) string { return fmt.Sprint(n, unit.Or("?")) }).
			To(labels)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).Put("a", 5)
		d.Topic(texts).Put("a", "km")
		d.Topic(texts).Delete("a")
		d.Topic(labels).Print()
	})
	// Output:
	// a 5?
	// a 5km
	// a 5?
}

func ExampleTable_OuterJoin() {
	var both table.Table[string, string]
	streamtest.Example(func(b *topology.Builder) {
		both = table.From(b, numbers).
			OuterJoin(table.From(b, texts), func(n serde.Opt[int64], unit serde.Opt[string]) string {
				return fmt.Sprint(n.Value, unit.Or("?"))
			})
		both.To(labels)
	}, func(d *streamtest.Driver) {
		d.Topic(texts).Put("a", "km")
		d.Topic(numbers).Put("a", 5)
		d.Topic(numbers).Put("b", 7)
		d.Topic(labels).Print()
		n, ok, err := both.Query(d).Get(context.Background(), "a") // computed from the rows of both
		fmt.Println(n, ok, err)
	})
	// Output:
	// a 0km
	// a 5km
	// b 7?
	// 5km true <nil>
}

func ExampleTable_Changed() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).Changed(func(a, b int64) bool { return a == b }).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("a", 1)
		in.Put("a", 2)
		in.Delete("b") // was not there
		d.Topic(results).Print()
	})
	// Output:
	// a 1
	// a 2
}

func ExamplePresent() {
	streamtest.Example(func(b *topology.Builder) {
		table.From(b, numbers).
			MapValues(func(n int64) serde.Opt[int64] { return serde.Opt[int64]{Value: 100 / max(n, 1), OK: n > 0} }).
			Then(table.Present).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 4)
		in.Put("a", 0)
		d.Topic(results).Print()
	})
	// Output:
	// a 25
	// a null
}
