package topology_test

import (
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

var (
	names   = topology.NewTopic("names", serde.String, serde.String)
	visits  = topology.NewTopic("visits", serde.String, serde.String)
	greeted = topology.NewTopic("greeted", serde.String, serde.String)
	byID    = state.NewKeyValue("names", serde.String, serde.String)
)

func ExampleGlobalStore() {
	streamtest.Example(func(b *topology.Builder) {
		topology.GlobalStore(b, names, byID, func(s state.KeyValue[string, string], r topology.Record[string, string]) error {
			return s.Put(r.Key, "dear "+r.Value)
		})
		topology.Source(b, visits).
			Process("greet", func(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
				s := ctx.Store(byID)
				return topology.ProcessorFunc[string, string](func(r topology.Record[string, string]) error {
					name, _, err := s.Get(r.Value)
					if err != nil {
						return err
					}
					return ctx.Forward(r.With(name))
				}), nil
			}, byID).
			Sink(greeted)
	}, func(d *streamtest.Driver) {
		d.Topic(names).Put("1", "Ann")
		d.Topic(visits).Put("door", "1")
		d.Topic(greeted).Print()
	})
	// Output:
	// door dear Ann
}
