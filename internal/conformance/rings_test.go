package conformance_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// TestRecordingsReachRings opens the stores of cases whose windows overlap much: what their replay compares came out of
// rings, of two sizes.
func TestRecordingsReachRings(t *testing.T) {
	for name, want := range map[string]string{
		"win-hopping-reduce":    "cells=8",
		"win-hopping-aggregate": "cells=16",
		"win-hopping-count":     "",
	} {
		b := topology.New("app")
		builders[name](b)
		top, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		env := store.Env{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
		for _, sub := range top.Graph().Subs {
			for _, d := range sub.Stores {
				_, s, err := state.Open(d.Spec.(state.AnySpec), env)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		if got := log.String(); !strings.Contains(got, want) || strings.Contains(got, "cells=") != (want != "") {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
