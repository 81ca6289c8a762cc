package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/stream/streamtest"
)

// TestEveryTableAnswers plays songs and asks over HTTP, over a crash.
func TestEveryTableAnswers(t *testing.T) {
	var c charts
	d := streamtest.New(t, c.topology, streamtest.Options{Instances: 2})
	in := d.Topic(plays)
	in.Put("ada", play{"blue", "jazz"})
	in.Put("bob", play{"blue", "jazz"})
	d.Crash(0)
	d.Restart(0)
	in.Put("ada", play{"aria", "opera"})

	for path, want := range map[string]string{
		"/songs/blue": "2", "/songs/aria": "1", "/songs/none": "404 page not found",
		"/genres/jazz/listeners": `["bob"]`, "/genres/opera/listeners": `["ada"]`, "/genres/rock/listeners": "[]",
	} {
		w := httptest.NewRecorder()
		c.handler(d).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		if got := strings.TrimSpace(w.Body.String()); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
