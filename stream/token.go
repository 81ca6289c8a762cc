package stream

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/internal/runtime"
	"github.com/thalweg/thalweg/state"
)

// Token stands for all input up to now; see state.Rows.After and WaitFor.
func (a *App) Token(ctx context.Context) (state.Token, error) {
	in, err := a.running(ctx)
	if err != nil {
		return "", err
	}
	ends, err := in.SourceEnds(ctx)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(flatten(ends))
	return state.Token(text), err
}

// WaitFor waits until what t stands for has gone through the whole topology, on whichever instances.
func (a *App) WaitFor(ctx context.Context, t state.Token) error {
	in, err := a.running(ctx)
	if err != nil {
		return err
	}
	var marks []mark
	if err := json.Unmarshal([]byte(t), &marks); err != nil {
		return fmt.Errorf("stream: %q is no token: %w", t, err)
	}
	at := map[kafka.Place]int64{}
	for _, m := range marks {
		at[kafka.Place{Topic: m.Topic, Partition: m.Partition}] = m.Offset
	}
	return in.WaitFor(ctx, at)
}

// mark is one position of a token.
type mark struct {
	Topic     string `json:"t"`
	Partition int32  `json:"p"`
	Offset    int64  `json:"o"`
}

func flatten(at map[kafka.Place]int64) (ms []mark) {
	for p, o := range at {
		ms = append(ms, mark{p.Topic, p.Partition, o})
	}
	return ms
}

// running returns the instance once its topics are there.
func (a *App) running(ctx context.Context) (*runtime.Instance, error) {
	if _, err := a.wait(ctx); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.instance, nil
}
