// Metering rolls usage up by tenant and calendar day, in the tenant's billing zone, and bills when the month is over.
//
//	go run ./examples/metering             made-up usage and its bills, until Ctrl-C
//	go run ./examples/metering describe    the topology
package main

import (
	"log"
	"log/slog"
	"time"
	_ "time/tzdata"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

var (
	meterKey = serde.JSON[meter]()
	usages   = topology.Topic[serde.Void, usage]{
		Name:      "usage",
		Key:       serde.None,
		Value:     serde.JSON[usage](),
		Timestamp: func(r topology.Record[serde.Void, usage]) time.Time { return r.Value.At },
	}
	daily   = topology.NewTopic("usage-daily", windowed.Session(meterKey), serde.JSON[roll]()) // days vary in length
	bills   = topology.NewTopic("bills", serde.String, serde.JSON[bill]())
	overdue = topology.NewTopic("usage-too-late", meterKey, serde.JSON[usage]())
)

// zone is where the days and months of a bill begin.
type zone struct{ *time.Location }

func (z zone) metering(b *topology.Builder) {
	b.Use(meterKey)

	perDay := stream.From(b, usages).
		GroupBy(func(_ serde.Void, u usage) meter { return meter{u.Tenant, u.Metric} }).
		Windowed(window.Day(z.Location).Grace(6 * time.Hour).CloseIdle(time.Hour))
	perDay.Late().To(overdue)

	rolls := perDay.Aggregate("daily", stream.Zero, func(_ meter, u usage, r roll) roll {
		return roll{r.N + 1, r.Units + u.Units, max(r.Peak, u.Units)}
	}, state.Options{Retention: 90 * 24 * time.Hour})
	rolls.To(daily)

	rolls.Final().
		Then(stream.Unwindowed).
		GroupBy(func(m meter, _ roll) string { return m.Tenant }).
		// The grace covers the slowest task upstream, and what comes once a day is idle only after two.
		Windowed(window.Month(z.Location).Grace(24*time.Hour).CloseIdle(48*time.Hour)).
		Sum("monthly", func(r roll) int64 { return r.Units }).
		Final().
		MapWithKey(func(k window.Key[string], units int64) bill {
			return bill{k.Key, k.Start.Time().In(z.Location).Format("2006-01"), units}
		}).
		Then(stream.Unwindowed).
		To(bills)
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		log.Fatal(err)
	}
	stream.Main("metering", zone{berlin}.metering, stream.Config{Dir: "metering-data", OnStart: sample})
}
