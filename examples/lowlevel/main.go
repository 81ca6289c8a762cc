// Lowlevel reminds customers of carts they have left, without the DSL: a source, a processor with a store and timers, sinks.
//
//	go run ./examples/lowlevel             made-up carts and the reminders, until Ctrl-C
//	go run ./examples/lowlevel describe    the topology
package main

import (
	"log/slog"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

type cart struct {
	Items   []string
	Ordered bool
}

// stats are of one task.
type stats struct{ Open, Ordered int64 }

var (
	changes   = topology.NewTopic("cart-changes", serde.String, serde.JSON[cart]())
	reminders = topology.NewTopic("cart-reminders", serde.String, serde.JSON[cart]())
	counted   = topology.NewTopic("cart-stats", serde.Int32, serde.JSON[stats]()) // by partition

	open   = state.NewTimestamped("open-carts", serde.String, serde.JSON[cart]())
	wakeup = state.NewTimers("reminders", serde.String)

	statsTag = topology.Tag[int32, stats]{Name: "stats"}
)

// reminding is how the program reminds: after how long, and how often it counts.
type reminding struct{ after, count time.Duration }

func (rem reminding) topology(b *topology.Builder) {
	out := topology.Source(b, changes).Process("carts", rem.newCarts, open, wakeup)
	out.Sink(reminders)
	out.Side(statsTag).Sink(counted)
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	soon := reminding{after: 2 * time.Second, count: time.Second} // a shop would say an hour
	stream.Main("carts", soon.topology, stream.Config{Dir: "lowlevel-data", OnStart: sample})
}
