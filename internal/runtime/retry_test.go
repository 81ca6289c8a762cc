package runtime

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/internal/kafka"
)

// TestAWorkerGivesUpAfterItsTime has no commit succeed for as long as the configuration allows.
func TestAWorkerGivesUpAfterItsTime(t *testing.T) {
	in := New(Config{Logger: slog.New(slog.DiscardHandler), Retry: time.Minute})
	in.ctx, in.cancel = context.WithCancelCause(t.Context())
	w := newWorker(in, 0, nil)
	w.checks.failing = time.Now().Add(-time.Minute)
	w.recover(fmt.Errorf("%w: no broker", kafka.ErrAborted))
	if err := context.Cause(in.ctx); err == nil || !strings.Contains(err.Error(), "no commit has succeeded for 1m0s") {
		t.Errorf("after a minute: %v", err)
	}
}
