package stream_test

import (
	"context"
	"fmt"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

func ExampleStream_Peek() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			Peek(func(r topology.Record[string, int64]) { fmt.Println("seen", r.Key, r.Value) }).
			To(results)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).Put("a", 1)
		d.Topic(results).Print()
	})
	// Output:
	// seen a 1
	// a 1
}

func ExampleStream_ForEach() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).ForEach(func(_ context.Context, r topology.Record[string, int64]) error {
			fmt.Println(r.Key, "is", r.Value)
			return nil
		})
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).Put("a", 1)
	})
	// Output:
	// a is 1
}

func ExampleStream_Process() {
	streamtest.Example(func(b *topology.Builder) {
		// Passes a record on under its value, if it is a new one.
		stream.From(b, texts).
			Process("once", func(ctx *topology.Context[string, int64]) (topology.Processor[string, string], error) {
				seen := ctx.Store(seen)
				return topology.ProcessorFunc[string, string](func(r topology.Record[string, string]) error {
					if _, again, err := seen.Get(r.Value); err != nil || again {
						return err
					}
					if err := seen.Put(r.Value, 1); err != nil {
						return err
					}
					return ctx.Forward(topology.Record[string, int64]{Key: r.Value, Value: int64(len(r.Value)), Time: r.Time})
				}), nil
			}, seen).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(texts)
		in.Put("a", "one")
		in.Put("b", "two")
		in.Put("c", "one")
		in.Put("d", "three")
		d.Topic(results).Print()
	})
	// Output:
	// one 3
	// two 3
	// three 5
}

func ExampleStream_ProcessValues() {
	streamtest.Example(func(b *topology.Builder) {
		// Numbers the records of a task. The key cannot be changed, so nothing repartitions.
		stream.From(b, texts).
			ProcessValues("number", func(ctx *topology.ValueContext[string]) (topology.Processor[string, string], error) {
				n := 0
				return topology.ProcessorFunc[string, string](func(r topology.Record[string, string]) error {
					n++
					return ctx.Forward(fmt.Sprintf("%d: %s", n, r.Value))
				}), nil
			}).
			To(labels)
	}, func(d *streamtest.Driver) {
		in := d.Topic(texts)
		in.Put("a", "one")
		in.Put("b", "two")
		d.Topic(labels).Print()
	})
	// Output:
	// a 1: one
	// b 2: two
}

func ExampleStream_Side() {
	streamtest.Example(func(b *topology.Builder) {
		odd := topology.Tag[string, int64]{Name: "odd"}
		even := stream.From(b, numbers).
			Process("sort", func(ctx *topology.Context[string, int64]) (topology.Processor[string, int64], error) {
				toOdd := ctx.Side(odd)
				return topology.ProcessorFunc[string, int64](func(r topology.Record[string, int64]) error {
					if r.Value%2 != 0 {
						return toOdd(r)
					}
					return ctx.Forward(r)
				}), nil
			})
		even.To(results)
		even.Side(odd).To(more)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 2)
		in.Put("c", 3)
		d.Topic(results).Print()
		d.Topic(more).Print()
	})
	// Output:
	// b 2
	// a 1
	// c 3
}
