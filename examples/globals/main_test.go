package main

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/stream/streamtest"
)

// TestTradesAreWorthWhatTheyWere prices two trades whose rate has changed before they arrive.
func TestTradesAreWorthWhatTheyWere(t *testing.T) {
	d := streamtest.New(t, pricing, streamtest.Options{Instances: 2})
	at := d.Now()
	d.Topic(currencies).Put("JPY", currency{0})
	rate, in := d.Topic(rates), d.Topic(trades)
	rate.PutAt(at, "JPY", 0.006)
	rate.PutAt(at.Add(10*time.Minute), "JPY", 0.007)
	in.PutAt(at.Add(9*time.Minute), "t1", trade{"JPY", 1000})
	d.Crash(0)
	d.Restart(0)
	in.PutAt(at.Add(11*time.Minute), "t2", trade{"JPY", 1000})
	in.PutAt(at.Add(12*time.Minute+time.Second), "t3", trade{"JPY", 1}) // a grace later

	d.Topic(inEuro).Want(
		streamtest.KV("JPY", priced{trade{"JPY", 1000}, 0, 6}),
		streamtest.KV("JPY", priced{trade{"JPY", 1000}, 0, 7}),
	)
}
