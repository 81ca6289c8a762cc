package main

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/stream/streamtest"
)

// TestOrdersFindTheirWay has an order that is paid, one that is not, and one too large, on two instances, one of which dies.
func TestOrdersFindTheirWay(t *testing.T) {
	d := streamtest.New(t, validation, streamtest.Options{Partitions: 1, Instances: 2, CommitEvery: 3})
	in, paid := d.Topic(orders), d.Topic(payments)

	d.Topic(stock).Put("lamp", 5)
	in.Put("o1", order{"o1", "lamp", 1, 20})
	paid.Put("o1", payment{20})
	in.Put("o2", order{"o2", "lamp", 1, 20})
	in.Put("o3", order{"o3", "lamp", 6, 20})
	paid.Put("o3", payment{20})
	in.Put("o4", order{"o4", "lamp", 0, 20}) // of nothing
	d.Crash(1)
	in.PutAt(d.Now().Add(2*time.Hour), "o5", order{"o5", "lamp", 1, 20}) // the window of o2 is over
	d.Commit()

	d.Topic(accepted).Want(streamtest.KV("o1", checked{order{"o1", "lamp", 1, 20}, 20, 5}))
	d.Topic(short).Want(streamtest.KV("o3", checked{order{"o3", "lamp", 6, 20}, 20, 5}))
	d.Topic(unpaid).Want(streamtest.KV("o2", checked{order{"o2", "lamp", 1, 20}, 0, 5}))
}
