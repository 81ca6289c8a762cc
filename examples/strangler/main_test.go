package main

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/stream/streamtest"
)

// TestBothSidesLearnOfTheOther changes a customer from both sides, over a crash.
func TestBothSidesLearnOfTheOther(t *testing.T) {
	d := streamtest.New(t, service, streamtest.Options{Instances: 2})
	rows, asked := d.Topic(cdc), d.Topic(commands)
	at := d.Now().Time()
	ada, moved := customer{"Ada", "a@example.org"}, customer{"Ada", "b@example.org"}

	asked.Put(1, command{"early", "x@example.org"})
	rows.Put(1, row{"c", &ada, at, ""})
	asked.Put(1, command{"move", "b@example.org"})
	asked.Put(1, command{"move", "b@example.org"}) // sent twice
	d.Crash(0)
	d.Restart(0)
	rows.Put(1, row{"u", &moved, at.Add(time.Second), "service"}) // our own change comes back

	d.Topic(outbox).Want(streamtest.KV(int64(1), event{ada, moved}))
	d.Topic(refused).Want(streamtest.KV(int64(1), "early"))
	if got := streamtest.Latest(d.Topic(public)); got[1] != moved {
		t.Errorf("the world reads %v, want %v", got, moved)
	}
	rows.Put(1, row{"d", nil, at.Add(time.Minute), ""})
	if got := streamtest.Latest(d.Topic(public)); len(got) != 0 {
		t.Errorf("the world still reads %v", got)
	}
}
