package main

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream/streamtest"
)

// TestAMonthBeginsWhereTheTenantLives has usage just before and after midnight in Berlin at the end of January, and some that
// comes when its day is closed.
func TestAMonthBeginsWhereTheTenantLives(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	d := streamtest.New(t, zone{berlin}.metering, streamtest.Options{Partitions: 1})
	in := d.Topic(usages)
	midnight := time.Date(2026, 2, 1, 0, 0, 0, 0, berlin) // 23:00 UTC
	use := func(units int64, at time.Time) { in.Put(serde.Void{}, usage{"acme", "requests", units, at.UTC()}) }

	use(1, midnight.AddDate(0, 0, -20))
	use(10, midnight.Add(-time.Millisecond))
	use(100, midnight)
	d.Crash(0)
	d.Restart(0)
	use(1000, midnight.AddDate(0, 0, 2)) // January's days are closed, the month has a day yet
	use(5, midnight.AddDate(0, 0, -1))
	use(1000, midnight.AddDate(0, 0, 5)) // the roll of the 3rd shows that January is over

	d.Topic(bills).Want(streamtest.KV("acme", bill{"acme", "2026-01", 11}))
	d.Topic(overdue).Want(streamtest.KV(meter{"acme", "requests"}, usage{"acme", "requests", 5, midnight.AddDate(0, 0, -1).UTC()}))
}
