package stream

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// ReadOptions of Read. The zero value reads from the beginning, for ever.
type ReadOptions struct {
	From    topology.Reset // Latest, or Since(d)
	ToEnd   bool           // stop at what was the end when Read began
	Waiting func()         // called when all there is has been read
}

// Read returns the committed records of t, oldest first within each partition, and waits for more until ctx ends. It
// waits until the app runs. An error ends it and is yielded last; the end of ctx is one.
func Read[K, V any](ctx context.Context, a *App, t topology.Topic[K, V], opts ...ReadOptions) iter.Seq2[topology.Record[K, V], error] {
	return func(yield func(topology.Record[K, V], error) bool) {
		r := &reader[K, V]{t: t.InPlace(), at: map[kafka.Place]int64{}, end: map[kafka.Place]int64{}, wake: make(chan struct{}, 1)}
		if len(opts) > 0 {
			r.opts = opts[0]
		}
		if err := r.run(ctx, a, yield); err != nil {
			yield(topology.Record[K, V]{}, err)
		}
	}
}

// reader is one Read under way.
type reader[K, V any] struct {
	t    topology.Topic[K, V]
	opts ReadOptions
	f    *kafka.Fetcher
	at   map[kafka.Place]int64 // positions
	end  map[kafka.Place]int64 // where each partition ends, as far as known

	mu    sync.Mutex // protects inbox
	inbox []kafka.Fetched
	wake  chan struct{}
}

func (r *reader[K, V]) run(ctx context.Context, a *App, yield func(topology.Record[K, V], error) bool) error {
	c, err := a.wait(ctx)
	if err != nil {
		return err
	}
	if err := r.seek(ctx, c); err != nil {
		return err
	}
	defer r.f.Close()
	told := false
	for {
		if r.caughtUp() {
			if r.opts.Waiting != nil && !told {
				r.opts.Waiting()
			}
			told = true
			if r.opts.ToEnd {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stream: reading %q: %w", r.t.Name, context.Cause(ctx))
		case <-a.down:
			return fmt.Errorf("stream: reading %q: the app has ended", r.t.Name)
		case <-r.wake:
		}
		r.mu.Lock()
		inbox := r.inbox
		r.inbox = nil
		r.mu.Unlock()
		for _, f := range inbox {
			more, got, err := r.pass(f, yield)
			if err != nil || !more {
				return err
			}
			told = told && !got
		}
	}
}

// seek begins to fetch every partition.
func (r *reader[K, V]) seek(ctx context.Context, c *kafka.Client) error {
	ts, err := c.Topics(ctx, true, r.t.Name)
	if err != nil {
		return err
	}
	if ts[r.t.Name] == nil {
		return fmt.Errorf("stream: topic %q: %w", r.t.Name, kafka.ErrNoTopic)
	}
	var ps []kafka.Place
	for i := range ts[r.t.Name].Leaders {
		ps = append(ps, kafka.Place{Topic: r.t.Name, Partition: int32(i)})
	}
	w := kafka.Begin
	switch back, latest := r.opts.From.Ago(); {
	case latest:
		w = kafka.Stable
	case back > 0:
		w = kafka.Where(time.Now().Add(-back).UnixMilli())
	}
	if r.at, err = c.Ends(ctx, w, ps...); err != nil {
		return err
	}
	end := kafka.Stable
	if r.opts.ToEnd {
		// The markers of one transaction reach its partitions at different times: what is committed elsewhere may lie
		// behind the last stable offset here.
		end = kafka.End
	}
	if r.end, err = c.Ends(ctx, end, ps...); err != nil {
		return err
	}
	r.f = c.NewFetcher(r.deliver)
	for _, p := range ps {
		if err := r.f.Seek(ctx, p, r.at[p]); err != nil {
			r.f.Close()
			return err
		}
	}
	return nil
}

// deliver takes what was fetched; its partition rests until that has been read.
func (r *reader[K, V]) deliver(f kafka.Fetched) {
	r.f.Pause(f.Place, true)
	r.mu.Lock()
	r.inbox = append(r.inbox, f)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *reader[K, V]) caughtUp() bool {
	for p, end := range r.end {
		if r.at[p] < end {
			return false
		}
	}
	return true
}

// pass yields the records of one fetch.
func (r *reader[K, V]) pass(f kafka.Fetched, yield func(topology.Record[K, V], error) bool) (more, got bool, err error) {
	if f.Err != nil {
		return false, false, fmt.Errorf("stream: reading %s-%d@%d: %w", f.Topic, f.Partition, f.From, f.Err)
	}
	var br batch.Reader
	var rec batch.Record
	for _, b := range f.Batches {
		if err := br.Reset(b); err != nil {
			return false, got, err
		}
		for br.Next(&rec) {
			if rec.Offset < f.From || r.opts.ToEnd && rec.Offset >= r.end[f.Place] {
				continue
			}
			out, err := r.decode(&rec)
			if err != nil {
				return false, got, fmt.Errorf("stream: %s-%d@%d: %w", f.Topic, f.Partition, rec.Offset, err)
			}
			got = true
			if !yield(out, nil) {
				return false, got, nil
			}
		}
		if err := br.Err(); err != nil {
			return false, got, err
		}
	}
	r.at[f.Place] = f.Next
	if !r.opts.ToEnd {
		r.end[f.Place] = max(r.end[f.Place], f.End)
	}
	r.f.Pause(f.Place, false)
	return true, got, nil
}

func (r *reader[K, V]) decode(rec *batch.Record) (out topology.Record[K, V], err error) {
	out.Time, out.NoKey = window.Instant(rec.Timestamp), rec.Key == nil
	if !out.NoKey {
		if out.Key, err = r.t.Key.Decode(rec.Key); err != nil {
			return out, fmt.Errorf("key: %w", err)
		}
	}
	if out.Value, err = r.t.Value.Decode(rec.Value); err != nil {
		return out, fmt.Errorf("value: %w (topology.Nullable reads null values)", err)
	}
	m := edge.Meta{RawHeaders: rec.Headers}
	out.Headers, err = topology.HeadersOf(&m)
	return out, err
}
