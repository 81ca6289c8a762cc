package main

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/stream/streamtest"
)

// TestAHitBetweenTwoVisitsMakesThemOne has hits out of order, a crash, and one that comes too late.
func TestAHitBetweenTwoVisitsMakesThemOne(t *testing.T) {
	d := streamtest.New(t, measure, streamtest.Options{Partitions: 1})
	in, at := d.Topic(hits), d.Now().Time().UTC()
	see := func(visitor, page string, after time.Duration) { in.Put(visitor, hit{page, at.Add(after)}) }
	see("ada", "/home", 0)
	see("ada", "/cart", 31*time.Minute)
	d.Crash(0)
	d.Restart(0)
	see("ada", "/shop", 20*time.Minute)
	see("bob", "/home", 3*time.Hour)
	see("ada", "/late", time.Minute)
	see("bob", "/home", 4*time.Hour)

	d.Topic(visits).Want(
		streamtest.KV("ada", visit{"/home", "/cart", 3, at, at.Add(31 * time.Minute)}),
		streamtest.KV("bob", visit{"/home", "/home", 1, at.Add(3 * time.Hour), at.Add(3 * time.Hour)}),
	)
	d.Topic(late).Want(streamtest.KV("ada", hit{"/late", at.Add(time.Minute)}))
}
