package runtime

import (
	"context"
	"log/slog"
	"testing"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/internal/task/tasktest"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/topology"
)

// TestTaskRestoredTooLateIsClosed takes back a task whose worker had ended before it was given: the state directory can be
// opened again only if its stores are closed.
func TestTaskRestoredTooLateIsClosed(t *testing.T) {
	closed := false
	bed := tasktest.Open(t, func(b *topology.Builder) {
		topology.Source(b, topology.NewTopic("in", serde.String, serde.String)).
			Process("closes", func(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
				return closer{&closed}, nil
			})
	}, tasktest.Options{})
	in := New(Config{Logger: slog.New(slog.DiscardHandler), Graph: &edge.Graph{Subs: []*edge.Sub{bed.Sub()}}})
	in.ctx, in.cancel = context.WithCancelCause(t.Context())
	w := newWorker(in, 0, nil)
	close(w.done)
	restoring := make(chan struct{})
	close(restoring)
	place := kafka.Place{Topic: "in"}
	in.tasks[taskKey{}] = &assigned{sub: bed.Sub(), places: []kafka.Place{place}, owned: map[kafka.Place]bool{place: true}, worker: w, task: bed.Task, restoring: restoring, cancel: func() {}}
	in.release(t.Context(), []kafka.Place{place}, true)
	if !closed {
		t.Error("the task is still open")
	}
}

// closer is a processor that tells when it is closed.
type closer struct{ closed *bool }

func (c closer) Process(topology.Record[string, string]) error { return nil }

func (c closer) Close() error { *c.closed = true; return nil }
