package table_test

import (
	"context"
	"fmt"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

func ExampleGlobalFrom() {
	var rates table.Global[string, int64]
	streamtest.Example(func(b *topology.Builder) {
		rates = table.GlobalFrom(b, numbers)
		stream.From(b, texts).
			JoinGlobal(rates, func(_, currency string) (string, bool) { return currency, true },
				func(currency string, rate int64) string { return fmt.Sprint(currency, " at ", rate) }).
			To(labels)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).Put("EUR", 7)
		d.Topic(texts).Put("a", "EUR")
		d.Topic(labels).Print()
	})
	// Output:
	// a EUR at 7
}

func ExampleGlobal_Query() {
	var rates table.Global[string, int64]
	streamtest.Example(func(b *topology.Builder) {
		rates = table.GlobalFrom(b, numbers)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).Put("EUR", 7)
		n, ok, err := rates.Query(d).Get(context.Background(), "EUR")
		fmt.Println(n, ok, err)
	})
	// Output:
	// 7 true <nil>
}

func ExampleGlobal_Store() {
	streamtest.Example(func(b *topology.Builder) {
		rates := table.GlobalFrom(b, numbers)
		stream.From(b, texts).
			ProcessValues("rate", func(ctx *topology.ValueContext[int64]) (topology.Processor[string, string], error) {
				rows := ctx.Store(rates.Store())
				return topology.ProcessorFunc[string, string](func(r topology.Record[string, string]) error {
					n, _, _, err := rows.Get(r.Value)
					if err != nil {
						return err
					}
					return ctx.Forward(n)
				}), nil
			}, rates.Store()).
			To(results)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).Put("EUR", 7)
		d.Topic(texts).Put("a", "EUR")
		d.Topic(results).Print()
	})
	// Output:
	// a 7
}
