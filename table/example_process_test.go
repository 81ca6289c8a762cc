package table_test

import (
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

func ExampleTable_Store() {
	streamtest.Example(func(b *topology.Builder) {
		totals := stream.From(b, numbers).GroupByKey().Count("totals")
		// A processor that looks the rows of a table up.
		stream.From(b, texts).
			ProcessValues("look-up", func(ctx *topology.ValueContext[int64]) (topology.Processor[string, string], error) {
				rows := ctx.Store(totals.Store())
				return topology.ProcessorFunc[string, string](func(r topology.Record[string, string]) error {
					n, _, _, err := rows.Get(r.Key)
					if err != nil {
						return err
					}
					return ctx.Forward(n)
				}), nil
			}, totals.Store()).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 5)
		in.Put("a", 7)
		d.Topic(texts).Put("a", "how many?")
		d.Topic(results).Print()
	})
	// Output:
	// a 2
}

func ExampleOf() {
	streamtest.Example(func(b *topology.Builder) {
		// A table kept by hand: the highest value of each key.
		highest := state.NewTimestamped("highest", serde.String, serde.Int64)
		out := topology.Source(b, numbers).Process("highest", func(ctx *topology.Context[string, table.Change[int64]]) (topology.Processor[string, int64], error) {
			rows := ctx.Store(highest)
			return topology.ProcessorFunc[string, int64](func(r topology.Record[string, int64]) error {
				old, _, ok, err := rows.Get(r.Key)
				if err != nil || ok && old >= r.Value {
					return err
				}
				if err := rows.Put(r.Key, r.Value, r.Time); err != nil {
					return err
				}
				c := table.Change[int64]{Old: serde.Opt[int64]{Value: old, OK: ok}, New: serde.Some(r.Value)}
				return ctx.Forward(topology.Record[string, table.Change[int64]]{Key: r.Key, Value: c, Time: r.Time})
			}), nil
		}, highest)
		table.Of(out, highest).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 5)
		in.Put("a", 3)
		in.Put("a", 7)
		d.Topic(results).Print()
	})
	// Output:
	// a 5
	// a 7
}

func ExampleWindowedOf() {
	streamtest.Example(func(b *topology.Builder) {
		// The last value of each key and minute.
		last := state.NewWindow("last", time.Minute, time.Minute, serde.String, serde.Int64)
		minute := window.Tumbling(time.Minute)
		out := topology.Source(b, numbers).Process("last", func(ctx *topology.Context[window.Key[string], table.Change[int64]]) (topology.Processor[string, int64], error) {
			rows := ctx.Store(last)
			return topology.ProcessorFunc[string, int64](func(r topology.Record[string, int64]) error {
				k := window.Key[string]{Key: r.Key, Start: minute.First(r.Time), End: minute.First(r.Time).Add(time.Minute)}
				if err := rows.Put(r.Key, k.Start, r.Value); err != nil {
					return err
				}
				return ctx.Forward(topology.Record[window.Key[string], table.Change[int64]]{Key: k, Value: table.Change[int64]{New: serde.Some(r.Value)}, Time: r.Time})
			}), nil
		}, last)
		table.WindowedOf(out, last).Then(stream.Unwindowed).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(1000, "a", 5)
		in.PutAt(61000, "a", 3)
		d.Topic(results).Print()
	})
	// Output:
	// a 5
	// a 3
}
