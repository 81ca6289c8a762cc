package runtime

import (
	"context"
	"time"
)

type clockKey struct{}

// WithClock gives the instances that run under the context another clock for what operators see and are called by: that is
// for tests. Transactions, checkpoints and metrics keep to the real one.
func WithClock(ctx context.Context, now func() time.Time) context.Context {
	return context.WithValue(ctx, clockKey{}, now)
}

func clock(ctx context.Context) func() time.Time {
	if now, ok := ctx.Value(clockKey{}).(func() time.Time); ok {
		return now
	}
	return time.Now
}
