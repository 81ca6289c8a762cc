// Sessions measures visits to a site: where they began and ended, how many pages, how long. A visit ends with half an hour
// of silence.
//
//	go run ./examples/sessions             made-up hits and the visits they make, until Ctrl-C
//	go run ./examples/sessions describe    the topology
package main

import (
	"log/slog"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

type hit struct {
	Page string
	At   time.Time
}

type visit struct {
	Entry, Exit string
	Pages       int
	From, To    time.Time
}

var (
	hits = topology.Topic[string, hit]{
		Name:      "hits",
		Key:       serde.String,
		Value:     serde.JSON[hit](),
		Timestamp: func(r topology.Record[string, hit]) time.Time { return r.Value.At },
	}
	late   = topology.NewTopic("hits-late", serde.String, serde.JSON[hit]())
	visits = topology.NewTopic("visits", serde.String, serde.JSON[visit]())
)

func measure(b *topology.Builder) {
	perVisitor := stream.From(b, hits).
		GroupByKey().
		Sessions(window.Session(30 * time.Minute).Grace(time.Minute).CloseIdle(time.Hour))

	perVisitor.Late().To(late)
	perVisitor.Aggregate("visits", stream.Zero, add, merge).
		Final().
		Then(stream.Unwindowed).
		To(visits)
}

func add(visitor string, h hit, v visit) visit {
	return merge(visitor, v, visit{h.Page, h.Page, 1, h.At, h.At})
}

// merge joins two visits that are one: hits come out of order, and one between two visits joins them.
func merge(_ string, a, b visit) visit {
	if a.Pages == 0 {
		return b
	}
	if b.From.Before(a.From) {
		a.Entry, a.From = b.Entry, b.From
	}
	if b.To.After(a.To) {
		a.Exit, a.To = b.Exit, b.To
	}
	a.Pages += b.Pages
	return a
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	stream.Main("visits", measure, stream.Config{Dir: "sessions-data", OnStart: sample})
}
