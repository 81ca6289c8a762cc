package main

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream/streamtest"
)

// TestAMinuteIsJudgedOnce has three clicks in a minute, one of them out of order, and one that comes when it is over.
func TestAMinuteIsJudgedOnce(t *testing.T) {
	d := streamtest.New(t, anomalies, streamtest.Options{Partitions: 1})
	in, at := d.Topic(clicks), d.Now()
	for _, s := range []time.Duration{1, 30, 61, 2} {
		in.PutAt(at.Add(s*time.Second), "mallory", serde.Void{})
	}
	d.Crash(0)
	d.Restart(0)
	in.PutAt(at.Add(70*time.Second), "alice", serde.Void{}) // the grace is over
	in.PutAt(at.Add(3*time.Second), "mallory", serde.Void{})
	in.PutAt(at.Add(3*time.Minute), "alice", serde.Void{})

	d.Topic(alerts).Want(streamtest.KV("mallory", "3 clicks in the minute of 00:00"))
}
