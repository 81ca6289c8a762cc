// Strangler takes customers out of a monolith: the changes of its table become entities here, new commands are applied here,
// and both sides learn of what the other wrote.
//
//	go run ./examples/strangler             made-up changes and commands, until Ctrl-C
//	go run ./examples/strangler describe    the topology
package main

import (
	"log/slog"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

var (
	cdc = topology.Topic[int64, row]{
		Name:      "monolith.public.customer",
		Key:       serde.Int64,
		Value:     serde.JSON[row](),
		Timestamp: func(r topology.Record[int64, row]) time.Time { return r.Value.TxTime },
		BadTime:   topology.BadTimePartitionTime,
	}
	commands = topology.NewTopic("customer-commands", serde.Int64, serde.JSON[command]())
	public   = topology.NewTopic("customers", serde.Int64, serde.JSON[customer]())
	outbox   = topology.NewTopic("customer-outbox", serde.Int64, serde.JSON[event]())
	refused  = topology.NewTopic("customer-refused", serde.Int64, serde.String)
)

func service(b *topology.Builder) {
	rows := stream.From(b, cdc).
		Filter(func(_ int64, r row) bool { return r.Origin != "service" }) // our own echoes

	asked := stream.From(b, commands).
		Dedup("commands-once", 24*time.Hour, func(_ int64, c command) string { return c.ID })

	// One writer: the monolith's rows and our commands fold into one entity.
	entities := rows.GroupByKey().Cogroup(captured).
		And(asked.GroupByKey(), commanded).
		Aggregate("entities", stream.Zero)

	// The world reads a table; a deleted customer is a tombstone there.
	entities.
		Filter(func(_ int64, e entity) bool { return !e.Deleted }).
		MapValues(func(e entity) customer { return e.Customer }).
		To(public)

	// The monolith reads the changes that are ours.
	bad, good := entities.Then(stream.Changes).
		Filter(func(_ int64, c table.Change[entity]) bool { return c.New.Value.By == "service" }).
		Split(func(_ int64, c table.Change[entity]) bool { return c.New.Value.Refused != "" })
	bad.MapValues(func(c table.Change[entity]) string { return c.New.Value.Refused }).To(refused)
	good.MapValues(func(c table.Change[entity]) event { return event{c.Old.Value.Customer, c.New.Value.Customer} }).To(outbox)
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	// A record that cannot be decoded must not stop the service: it becomes a dead letter.
	stream.Main("customer-service", service, stream.Config{Dir: "strangler-data", OnStart: sample, Errors: stream.Errors{Decode: stream.DeadLetter}})
}
