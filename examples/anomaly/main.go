// Anomaly finds users who click three times or more within a minute. A minute is judged once, when it is over.
//
//	go run ./examples/anomaly             made-up clicks and the alerts, until Ctrl-C
//	go run ./examples/anomaly describe    the topology
package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

var (
	clicks = topology.NewTopic("clicks", serde.String, serde.None)
	alerts = topology.NewTopic("alerts", serde.String, serde.String)
)

func anomalies(b *topology.Builder) {
	stream.From(b, clicks).
		GroupByKey().
		Windowed(window.Tumbling(time.Minute).Grace(10 * time.Second).CloseIdle(30 * time.Second)).
		Count("clicks-per-minute").
		Final().
		Filter(func(_ window.Key[string], n int64) bool { return n >= 3 }).
		MapWithKey(func(k window.Key[string], n int64) string {
			return fmt.Sprintf("%d clicks in the minute of %s", n, k.Start.Time().UTC().Format("15:04"))
		}).
		Then(stream.Unwindowed).
		To(alerts)
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	stream.Main("anomaly", anomalies, stream.Config{Dir: "anomaly-data", OnStart: sample})
}
