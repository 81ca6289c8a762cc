package main

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/stream/streamtest"
)

// TestLeftCartsAreRemindedOf fills two carts and orders one; the instance dies before the reminder is due.
func TestLeftCartsAreRemindedOf(t *testing.T) {
	d := streamtest.New(t, reminding{time.Hour, time.Minute}.topology, streamtest.Options{Partitions: 1})
	in, lamp := d.Topic(changes), cart{Items: []string{"lamp"}}
	in.Put("ada", lamp)
	in.Put("bob", lamp)
	d.Advance(30 * time.Minute)
	in.Put("bob", cart{Ordered: true})
	d.Crash(0)
	d.Restart(0)
	d.Advance(29 * time.Minute)
	d.Topic(reminders).Want()
	d.Advance(time.Minute)
	if got := streamtest.Latest(d.Topic(reminders)); len(got) != 1 || len(got["ada"].Items) != 1 {
		t.Errorf("reminded of %v, want ada's lamp", got)
	}
	if got := streamtest.Latest(d.Topic(counted))[0]; got.Open != 1 {
		t.Errorf("%d carts are open, want 1", got.Open)
	}
}
