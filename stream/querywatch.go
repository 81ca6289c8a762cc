package stream

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/state"
)

type row = store.Row

// watchPause is how long a watch waits before it looks again who has what has moved.
const watchPause = 50 * time.Millisecond

// watch passes on a snapshot of the rows and then their changes. Whenever it may have missed some, it begins anew.
func (k *asking) watch(ctx context.Context, yield func(state.Answer) bool) error {
	for {
		more, err := k.watchOnce(ctx, yield)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !more || k.q.Partitions != nil || !errors.Is(err, state.ErrRebalancing) {
			return err // another instance that asks begins anew itself
		}
		t := time.NewTimer(watchPause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-k.a.down:
			t.Stop()
			return state.ErrRebalancing
		}
	}
}

// watchOnce watches all shares side by side until one of them ends. more is false once nobody listens.
func (k *asking) watchOnce(ctx context.Context, yield func(state.Answer) bool) (more bool, err error) {
	ss, err := k.shares(ctx)
	if err != nil {
		return true, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	rows, ends := make(chan state.Answer), make(chan error, len(ss))
	for _, s := range ss {
		wg.Go(func() {
			ends <- k.watchShare(ctx, s, func(a state.Answer) bool {
				select {
				case rows <- a:
					return true
				case <-ctx.Done():
					return false
				}
			})
		})
	}
	begun, left := make(map[int32]bool), len(ss)
	if !yield(state.Answer{Mark: state.SnapshotBegins}) {
		return false, nil
	}
	for {
		select {
		case err := <-ends:
			if err == nil {
				err = state.ErrRebalancing
			}
			return true, err
		case a := <-rows:
			switch a.Mark {
			case state.SnapshotBegins:
				if begun[a.Partition] {
					return true, state.ErrRebalancing // the other side has missed something
				}
				begun[a.Partition] = true
				continue
			case state.SnapshotEnds:
				if left--; left > 0 {
					continue
				}
			}
			if !yield(a) {
				return false, nil
			}
		}
	}
}

// watchShare watches the partitions that one instance has. Its marks bear the first of them.
func (k *asking) watchShare(ctx context.Context, s share, pass func(state.Answer) bool) error {
	if s.addr == "" {
		return k.moved(known(k.in.Watch(ctx, k.s, k.q.Key, s.parts, func(r row) bool {
			if r.Mark != store.IsRow {
				r.Partition = s.parts[0]
			}
			return pass(state.AnswerOf(r))
		})))
	}
	q := k.q
	q.Local, q.Partitions = true, s.parts
	for a, err := range k.a.peer.Ask(ctx, s.addr, q) {
		if err != nil {
			return k.refused(ctx, s, err)
		}
		if a.Mark != store.IsRow {
			a.Partition = s.parts[0]
		}
		if !pass(a) {
			return nil
		}
	}
	return nil
}
