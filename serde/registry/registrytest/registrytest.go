// Package registrytest has a schema registry for tests: the one that thalweg registry serves, in memory, on a port of
// its own.
package registrytest

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/thalweg/thalweg/internal/registry"
)

// New starts an empty registry and returns its URL. It ends with the test.
func New(t testing.TB) string {
	t.Helper()
	r, err := registry.Open(t.Context(), memory{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(registry.Handler(r, slog.New(slog.DiscardHandler)))
	t.Cleanup(s.Close)
	return s.URL
}

// memory is a log that nobody reads again.
type memory struct{}

func (memory) Read(context.Context, func(key, value []byte) error) error { return nil }
func (memory) Append(context.Context, ...registry.Record) error          { return nil }
