// Globals prices trades with a table of currencies that every instance holds in full, and with the rate as it stood at the
// time of the trade, whenever the trade arrives.
//
//	go run ./examples/globals             made-up trades, until Ctrl-C
//	go run ./examples/globals describe    the topology
package main

import (
	"log/slog"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

type trade struct {
	Currency string
	Amount   float64
}

type currency struct{ Digits int }

type priced struct {
	trade
	Digits int
	Euro   float64
}

var (
	trades     = topology.NewTopic("trades", serde.String, serde.JSON[trade]())
	currencies = topology.NewTopic("currencies", serde.String, serde.JSON[currency]())
	rates      = topology.NewTopic("rates", serde.String, serde.Float64)
	inEuro     = topology.NewTopic("trades-priced", serde.String, serde.JSON[priced]())
)

func pricing(b *topology.Builder) {
	all := table.GlobalFrom(b, currencies)
	rate := table.From(b, rates, state.Options{History: 24 * time.Hour})

	stream.From(b, trades).
		LeftJoinGlobal(all,
			func(_ string, t trade) (string, bool) { return t.Currency, t.Currency != "" },
			func(t trade, c serde.Opt[currency]) priced { return priced{trade: t, Digits: c.Or(currency{2}).Digits} }).
		SelectKey(func(_ string, p priced) string { return p.Currency }).
		JoinTable("trades-rates", rate,
			func(p priced, r float64) priced { p.Euro = p.Amount * r; return p },
			stream.JoinTableOptions{Grace: time.Minute}).
		To(inEuro)
}

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	stream.Main("pricing", pricing, stream.Config{Dir: "globals-data", OnStart: sample})
}
