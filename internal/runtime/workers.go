package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// SetWorkers changes how many workers there are while the instance runs. Tasks that change hands are committed and
// checkpointed by the old worker, and opened by the new one from that checkpoint. It waits for restores under way; a
// rebalance does not wait for it. In an instance that is starting it returns at once.
func (in *Instance) SetWorkers(n int) error {
	in.resizing.Lock()
	defer in.resizing.Unlock()
	in.moving.Lock()
	in.wanted = n
	movable := in.movable
	in.moving.Unlock()
	if !movable {
		return nil
	}
	if err := in.grow(n); err != nil {
		return fmt.Errorf("runtime: %d workers: %w", n, err)
	}
	in.mu.Lock()
	for _, w := range in.workers[n:] {
		w.leaving = true // from now on nothing is given to it
	}
	in.mu.Unlock()
	for {
		busy := in.handOver(n)
		if busy == nil {
			return nil
		}
		select {
		case <-busy:
		case <-in.ctx.Done():
			return nil
		}
	}
}

// beginMoving lets workers come and go from now on, and makes up for what was asked for before.
func (in *Instance) beginMoving() {
	in.moving.Lock()
	in.movable = true
	n := in.wanted
	in.moving.Unlock()
	if n == 0 {
		return
	}
	in.wg.Go(func() {
		if err := in.SetWorkers(n); err != nil && in.ctx.Err() == nil {
			in.cfg.Logger.Warn("workers stay as they are", "err", err)
		}
	})
}

// endMoving has workers stay: the instance is about to stop them.
func (in *Instance) endMoving() {
	in.moving.Lock()
	defer in.moving.Unlock()
	in.movable = false
}

// grow adds workers until there are n, each with a producer that nothing is left open of.
func (in *Instance) grow(n int) error {
	if n > in.id.workers {
		if err := in.id.keep(n); err != nil { // before the first transaction that a later start has to take back
			return err
		}
	}
	ctx, cancel := context.WithTimeout(in.ctx, in.cfg.Session)
	defer cancel()
	var wg sync.WaitGroup
	var fresh []*worker
	errs := make([]error, max(0, n-len(in.workers)))
	for i := range errs {
		index := len(in.workers) + i
		w := newWorker(in, index, in.cfg.Client.NewProducer(in.transactionalID(index), in.transactionTimeout()))
		fresh = append(fresh, w)
		wg.Go(func() { errs[i] = w.producer.Init(ctx) })
	}
	wg.Wait()
	in.moving.Lock()
	defer in.moving.Unlock()
	if err := errors.Join(errs...); err != nil || !in.movable {
		for _, w := range fresh {
			w.producer.Close()
		}
		return err
	}
	in.mu.Lock()
	in.workers = append(slices.Clone(in.workers), fresh...)
	in.mu.Unlock()
	for _, w := range fresh {
		in.wg.Go(w.run)
	}
	return nil
}

// handOver has tasks change hands: all of the workers that leave, which end, and what others have above their share. While
// a restore is under way it does nothing, and returns what is closed when that has ended: until then a task is in the hands
// of who restores it.
func (in *Instance) handOver(n int) (busy <-chan struct{}) {
	in.moving.Lock()
	defer in.moving.Unlock()
	if !in.movable {
		return nil
	}
	had := len(in.workers)
	in.mu.Lock()
	moved, busy := in.pickLocked(n)
	in.mu.Unlock()
	if busy != nil {
		return busy
	}
	tasks := 0
	for w, as := range moved {
		tasks += len(as)
		w.takeBack(as, true)
	}
	in.mu.Lock()
	leaving := slices.Clone(in.workers[min(n, had):])
	in.workers = slices.Clone(in.workers[:had-len(leaving)])
	for _, a := range in.tasks {
		if a.worker == nil && a.whole() && in.ctx.Err() == nil {
			in.beginLocked(a)
		}
	}
	in.mu.Unlock()
	for _, w := range leaving {
		in.dismiss(w)
	}
	in.cfg.Logger.Info("workers", "had", had, "has", n, "tasks moved", tasks)
	return nil
}

// pickLocked picks the tasks that change hands. Each gets a place without a worker.
func (in *Instance) pickLocked(n int) (moved map[*worker][]*assigned, busy <-chan struct{}) {
	of, total := map[*worker][]*assigned{}, 0
	for _, a := range in.tasks {
		if a.worker == nil {
			continue
		}
		of[a.worker] = append(of[a.worker], a)
		total++
		select {
		case <-a.restoring:
		default:
			return nil, a.restoring
		}
	}
	moved = map[*worker][]*assigned{}
	for w, as := range of {
		keep := min((total+n-1)/n, len(as))
		if w.leaving {
			keep = 0
		}
		for _, a := range as[keep:] {
			if a.task == nil {
				continue // its restore has failed, and with it the instance
			}
			moved[w] = append(moved[w], a)
			in.tasks[a.key] = &assigned{key: a.key, sub: a.sub, places: a.places, owned: a.owned}
		}
	}
	return moved, nil
}

// dismiss ends a worker that has no task any more.
func (in *Instance) dismiss(w *worker) {
	w.finish(in.ctx, true)
	<-w.done
	w.producer.Close()
	if w.err != nil && in.ctx.Err() == nil {
		in.fail(w.err)
	}
}
