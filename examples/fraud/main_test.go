package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thalweg/thalweg/stream/streamtest"
)

// TestPaymentsAreScoredOnce has a service that fails first, a payment that comes twice, and a crash while calls are made.
func TestPaymentsAreScoredOnce(t *testing.T) {
	var calls atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, map[string]string{"5": "0.1", "9000": "0.95"}[r.FormValue("amount")])
	}))
	defer service.Close()
	d := streamtest.New(t, scorer(service.URL).topology)
	in := d.Topic(payments)

	in.Put("card", payment{"p1", 5})
	in.Put("card", payment{"p1", 5})
	d.Crash(0)
	d.Restart(0)
	in.Put("card", payment{"p2", 9000})
	in.Put("card", payment{"p1", 5})
	d.Advance(time.Second) // until the next attempt

	d.Topic(cleared).Want(streamtest.KV("card", scored{payment{"p1", 5}, 0.1}))
	d.Topic(blocked).Want(streamtest.KV("card", scored{payment{"p2", 9000}, 0.95}))
	if got := d.Topic(blocked).Read(); len(got) != 1 || string(got[0].Headers.Get("reason")) != "score" {
		t.Errorf("blocked without a reason: %v", got)
	}
}
