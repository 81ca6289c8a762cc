// Fraud asks a scoring service about each payment, once, and puts aside what scores high. The service is slow and many
// calls are under way at once; the order of a card's payments holds all the same.
//
//	go run ./examples/fraud                  made-up payments, scored by a service in this process, until Ctrl-C
//	SCORER=http://… go run ./examples/fraud  scored by another service
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

type payment struct {
	ID     string
	Amount float64
}

type scored struct {
	payment
	Score float64
}

var (
	payments = topology.NewTopic("payments", serde.String, serde.JSON[payment]()) // by card
	cleared  = topology.NewTopic("payments-cleared", serde.String, serde.JSON[scored]())
	blocked  = topology.NewTopic("payments-blocked", serde.String, serde.JSON[scored]())
)

// scorer calls the service at a URL.
type scorer string

func (url scorer) score(ctx context.Context, p payment) (scored, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("%s?amount=%g", url, p.Amount), nil)
	if err != nil {
		return scored{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return scored{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return scored{}, fmt.Errorf("score: %s", resp.Status)
	}
	out := scored{payment: p}
	return out, json.NewDecoder(resp.Body).Decode(&out.Score)
}

func (url scorer) topology(b *topology.Builder) {
	results := stream.From(b, payments).
		Dedup("once", time.Hour, func(_ string, p payment) string { return p.ID }).
		MapValuesAsync("score", 64, url.score, stream.AsyncOptions{Timeout: 2 * time.Second, Attempts: 5, Park: true})

	bad, good := results.Split(func(_ string, p scored) bool { return p.Score > 0.9 })
	bad.MapRecord(func(r topology.Record[string, scored]) topology.Record[string, scored] {
		r.Headers = r.Headers.Set("reason", []byte("score"))
		return r
	}).To(blocked)
	good.To(cleared)
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	s := scorer(cmp.Or(os.Getenv("SCORER"), serveScores()))
	// A payment that no attempt could score is not lost: it becomes a dead letter.
	stream.Main("fraud", s.topology, stream.Config{Dir: "fraud-data", OnStart: sample, Errors: stream.Errors{Process: stream.DeadLetter}})
}
