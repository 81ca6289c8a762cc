// Dedup passes each event id once a day. The DSL has Dedup; this is how one would write it: a processor with a store whose
// rows expire.
//
//	go run ./examples/dedup             made-up events, most of them twice, until Ctrl-C
//	go run ./examples/dedup describe    the topology
package main

import (
	"log/slog"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

type event struct{ ID, Body string }

var (
	raw    = topology.NewTopic("events", serde.String, serde.JSON[event]())
	unique = topology.NewTopic("events-unique", serde.String, serde.JSON[event]())

	seen = state.NewKeyValue("seen", serde.String, serde.Int64, state.Options{TTL: 24 * time.Hour})
)

// once is the processor of one task.
type once struct {
	ctx     *topology.ValueContext[event]
	seen    state.KeyValue[string, int64]
	dropped *topology.Counter
}

func newOnce(ctx *topology.ValueContext[event]) (topology.Processor[string, event], error) {
	return &once{ctx, ctx.Store(seen), ctx.Counter("duplicates")}, nil
}

func (o *once) Process(r topology.Record[string, event]) error {
	_, again, err := o.seen.Get(r.Value.ID)
	if err != nil {
		return err
	}
	if again {
		o.dropped.Add(1)
		return nil
	}
	if err := o.seen.Put(r.Value.ID, o.ctx.Origin().Offset); err != nil {
		return err
	}
	return o.ctx.Forward(r.Value)
}

func eachOnce(b *topology.Builder) {
	stream.From(b, raw).ProcessValues("once", newOnce, seen).To(unique)
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	stream.Main("dedup", eachOnce, stream.Config{Dir: "dedup-data", OnStart: sample})
}
