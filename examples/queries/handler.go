package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/window"
)

// handler answers from state; from is an app, a test driver, or a client of an app elsewhere.
func (c *charts) handler(from state.Client) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /songs/{song}", func(w http.ResponseWriter, r *http.Request) {
		n, ok, err := c.total.Query(from).Get(r.Context(), r.PathValue("song"))
		if err == nil && !ok {
			http.NotFound(w, r)
			return
		}
		answer(w, n, err)
	})
	mux.HandleFunc("GET /songs/{song}/hours", func(w http.ResponseWriter, r *http.Request) {
		now, hours := window.At(time.Now()), map[string]int64{}
		var failed error
		for e, err := range c.hourly.Query(from).Fetch(r.Context(), r.PathValue("song"), now.Add(-24*time.Hour), now) {
			failed = err
			hours[e.Key.Start.Time().UTC().Format("2006-01-02 15:04")] = e.Value
		}
		answer(w, hours, failed)
	})
	mux.HandleFunc("GET /genres/{genre}/listeners", func(w http.ResponseWriter, r *http.Request) {
		listeners := []string{}
		var failed error
		for e, err := range c.byGenre.Query(from).Get(r.Context(), r.PathValue("genre")) {
			failed = err
			listeners = append(listeners, e.Key)
		}
		answer(w, listeners, failed)
	})
	return mux
}

// answer writes v as JSON. While a partition moves the client is told to come again.
func answer(w http.ResponseWriter, v any, err error) {
	switch {
	case errors.Is(err, state.ErrRebalancing):
		w.Header().Set("Retry-After", "1")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // the client has gone
	}
}

// sample writes a few made-up plays.
func sample(ctx context.Context, a *stream.App) error {
	in := stream.NewWriter(a, plays)
	var err error
	for i, listener := range []string{"ada", "bob", "chen", "ada", "dora", "bob"} {
		err = errors.Join(err, in.Put(ctx, listener, []play{{"aria", "opera"}, {"blue", "jazz"}}[i%2]))
	}
	return errors.Join(err, in.Close())
}
