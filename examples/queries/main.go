// Queries serves the charts of songs over HTTP: any instance answers for every key.
//
//	go run ./examples/queries                           made-up plays; try http://localhost:8080/songs/aria, and /genres/jazz/listeners
//	go run ./examples/queries describe                  the topology
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

type play struct{ Song, Genre string }

var plays = topology.NewTopic("plays", serde.String, serde.JSON[play]()) // by listener

// charts are the tables that the server reads.
type charts struct {
	total   table.Table[string, int64]
	hourly  table.Windowed[string, int64]
	last    table.Table[string, play]
	byGenre table.Index[string, string, play]
}

func (c *charts) topology(b *topology.Builder) {
	played := stream.From(b, plays)
	bySong := played.SelectKey(func(_ string, p play) string { return p.Song }).Repartition("plays-by-song").GroupByKey()

	c.total = bySong.Count("plays-total")
	c.hourly = bySong.Windowed(window.Tumbling(time.Hour)).Count("plays-hourly", state.Options{Retention: 48 * time.Hour})
	c.last = played.ToTable("last-play", state.Options{TTL: 30 * 24 * time.Hour})
	c.byGenre = c.last.Index("by-genre", func(_ string, p play) string { return p.Genre })
}

// serve answers requests beside the app.
func (c *charts) serve(ctx context.Context, a *stream.App) error {
	s := &http.Server{Addr: "localhost:8080", Handler: c.handler(a), ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	fmt.Println("http://localhost:8080/songs/aria /songs/aria/hours /genres/jazz/listeners")
	if err := sample(ctx, a); err != nil {
		return err
	}
	return s.ListenAndServe()
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	var c charts
	stream.Main("charts", c.topology, stream.Config{Dir: "queries-data", OnStart: c.serve,
		Ops: stream.Ops{Addr: "localhost:8081", Queries: true}}) // metrics, and where other instances ask
}
