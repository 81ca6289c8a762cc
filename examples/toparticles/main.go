// Toparticles finds the three most read articles of each category and hour.
//
//	go run ./examples/toparticles             made-up reads and the charts, until Ctrl-C
//	go run ./examples/toparticles describe    the topology
package main

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

type read struct{ Article, Category string }

type article struct {
	ID    string
	Reads int64
}

// slot is what is counted.
type slot struct{ Category, Article string }

var (
	reads = topology.NewTopic("reads", serde.None, serde.JSON[read]())
	tops  = topology.NewTopic("top-articles", windowed.Time(serde.String, time.Hour), serde.JSON[[]article]())
)

func charts(b *topology.Builder) {
	b.Use(windowed.Time(serde.String, time.Hour)) // for the repartition topic and the store of Top

	stream.From(b, reads).
		GroupBy(func(_ serde.Void, r read) slot { return slot{r.Category, r.Article} }).
		Windowed(window.Tumbling(time.Hour).Grace(5*time.Minute).CloseIdle(time.Minute)).
		Count("reads-per-article").
		Final().
		Then(stream.WindowUpdates).
		// A second window would go by the fastest task upstream and drop what a slow one brings: the hour stays in the key.
		Map(func(k window.Key[slot], n int64) (window.Key[string], article) {
			return k.With(k.Key.Category), article{k.Key.Article, n}
		}).
		GroupByKey().
		Top("top-articles", 3, func(a, b article) int { return cmp.Compare(a.Reads, b.Reads) }, state.Options{TTL: 48 * time.Hour}).
		To(tops)
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	stream.Main("top-articles", charts, stream.Config{Dir: "toparticles-data", OnStart: sample})
}
