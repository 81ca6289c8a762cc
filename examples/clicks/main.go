// Clicks adds up the clicks of each region; users whose region is unknown count as such.
//
//	go run ./examples/clicks             made-up clicks and their totals, until Ctrl-C
//	go run ./examples/clicks describe    the topology
package main

import (
	"log/slog"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// regional are clicks of a user, with the user's region.
type regional struct {
	Region string
	Clicks int64
}

var (
	clicks  = topology.NewTopic("user-clicks", serde.String, serde.Int64)
	regions = topology.NewTopic("user-regions", serde.String, serde.String)
	totals  = topology.NewTopic("clicks-per-region", serde.String, serde.Int64)
)

func perRegion(b *topology.Builder) {
	region := table.From(b, regions)

	stream.From(b, clicks).
		LeftJoinTable("clicks-regions", region, func(n int64, r serde.Opt[string]) regional {
			return regional{r.Or("unknown"), n}
		}).
		GroupBy(func(_ string, c regional) string { return c.Region }).
		Sum("clicks-per-region", func(c regional) int64 { return c.Clicks }).
		To(totals)
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	stream.Main("clicks", perRegion, stream.Config{Dir: "clicks-data", OnStart: sample})
}
