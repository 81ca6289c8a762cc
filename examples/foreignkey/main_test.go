package main

import (
	"testing"

	"github.com/thalweg/thalweg/stream/streamtest"
)

// TestLinesFollowWhatTheyName changes an order, its customer and its product, over a crash.
func TestLinesFollowWhatTheyName(t *testing.T) {
	d := streamtest.New(t, orderLines, streamtest.Options{Instances: 2})
	o, c, p := d.Topic(orders), d.Topic(customers), d.Topic(products)

	o.Put(100, order{Customer: 1, Product: 7, Quantity: 2})
	o.Put(101, order{Quantity: 9}) // of nobody: no line
	c.Put(1, customer{"Ada"})
	p.Put(7, product{"lamp", 20})
	d.Crash(1)
	d.Restart(1)
	p.Put(7, product{"lamp", 15})

	want := line{2, 7, "Ada", product{"lamp", 15}}
	if got := streamtest.Latest(d.Topic(lines)); len(got) != 1 || got[100] != want {
		t.Errorf("got %v, want %v", got, want)
	}
	o.Put(100, order{Customer: 1, Product: 7, Quantity: 1})
	if got := streamtest.Latest(d.Topic(spent)); got["Ada"] != 15 {
		t.Errorf("spent %v, want 15 for Ada", got)
	}
	o.Delete(100)
	if got := streamtest.Latest(d.Topic(spent)); got["Ada"] != 0 {
		t.Errorf("spent %v, want 0 for Ada", got)
	}
}
