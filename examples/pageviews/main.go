// Pageviews counts the views of the last five minutes by the viewer's region, anew every minute: hopping windows.
//
//	go run ./examples/pageviews             made-up views, until Ctrl-C
//	go run ./examples/pageviews describe    the topology
package main

import (
	"log/slog"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

type view struct {
	User, Page string
	At         time.Time
}

type profile struct{ Region string }

const (
	size = 5 * time.Minute
	step = time.Minute
)

var (
	views = topology.Topic[string, view]{
		Name:      "page-views",
		Key:       serde.String,
		Value:     serde.JSON[view](),
		Timestamp: func(r topology.Record[string, view]) time.Time { return r.Value.At },
		BadTime:   topology.BadTimeSkip,
		Reset:     topology.Since(24 * time.Hour),
	}
	profiles = topology.NewTopic("user-profiles", serde.String, serde.JSON[profile]())
	regions  = topology.NewTopic("views-by-region", windowed.Time(serde.String, size), serde.Int64)
)

func viewsByRegion(b *topology.Builder) {
	users := table.From(b, profiles)

	stream.From(b, views).
		SelectKey(func(_ string, v view) string { return v.User }).
		JoinTable("views-users", users, func(_ view, p profile) string { return p.Region }).
		GroupBy(func(_ string, region string) string { return region }).
		Windowed(window.Hopping(size, step).Grace(time.Minute)).
		Count("views-by-region").
		To(regions)
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	stream.Main("pageviews", viewsByRegion, stream.Config{Dir: "pageviews-data", OnStart: sample})
}
