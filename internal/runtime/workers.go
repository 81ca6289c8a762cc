package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// SetWorkers changes how many workers there are while the instance runs. Tasks that change hands are committed and
// checkpointed by the old worker, and opened by the new one from that checkpoint. It returns once they are on their way; in
// an instance that is starting, at once.
func (in *Instance) SetWorkers(n int) error {
	in.moving.Lock()
	defer in.moving.Unlock()
	if in.wanted = n; !in.movable {
		return nil
	}
	had := len(in.workers)
	if err := in.grow(n); err != nil {
		return fmt.Errorf("runtime: %d workers: %w", n, err)
	}
	in.mu.Lock() // from now on nothing is given to those who leave
	leaving := slices.Clone(in.workers[min(n, len(in.workers)):])
	in.workers = slices.Clone(in.workers[:len(in.workers)-len(leaving)])
	in.mu.Unlock()
	moved, tasks := in.handOver(leaving), 0
	for w, as := range moved {
		tasks += len(as)
		w.takeBack(as, true)
	}
	in.mu.Lock()
	for _, a := range in.tasks {
		if a.worker == nil && a.owned == len(a.places) && in.ctx.Err() == nil {
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
	if err := errors.Join(errs...); err != nil {
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

// handOver picks the tasks that have to change hands: all of the workers that leave, and what others have above their
// share. Each gets a place without a worker. It waits for restores under way: until they end the tasks are in the hands of
// those who restore them.
func (in *Instance) handOver(leaving []*worker) map[*worker][]*assigned {
	for {
		in.mu.Lock()
		var busy chan struct{}
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
				busy = a.restoring
			}
		}
		if busy == nil {
			share := (total + len(in.workers) - 1) / len(in.workers)
			moved := in.handOverLocked(of, leaving, share)
			in.mu.Unlock()
			return moved
		}
		in.mu.Unlock()
		select {
		case <-busy:
		case <-in.ctx.Done():
			return nil
		}
	}
}

func (in *Instance) handOverLocked(of map[*worker][]*assigned, leaving []*worker, share int) map[*worker][]*assigned {
	moved := map[*worker][]*assigned{}
	for w, as := range of {
		keep := min(share, len(as))
		if slices.Contains(leaving, w) {
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
	return moved
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
