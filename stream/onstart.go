package stream

import (
	"context"
	"fmt"
)

// startBeside calls Config.OnStart once the topics are there. The function returned ends it and waits for it.
func (a *App) startBeside(ctx context.Context) (stop func()) {
	if a.cfg.OnStart == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-a.up:
		case <-ctx.Done():
			return
		}
		if err := a.cfg.OnStart(ctx, a); err != nil && ctx.Err() == nil {
			a.instance.Fail(fmt.Errorf("stream: Config.OnStart: %w", err))
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
