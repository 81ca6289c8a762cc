package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// Writer puts records into a topic from outside the topology, through the app's own brokers or its bundled engine.
// It batches, is idempotent, and may be used by many goroutines. Close it before the app ends.
type Writer[K, V any] struct {
	a *App
	t topology.Topic[K, V]

	mu     sync.Mutex // protects following fields
	p      *kafka.Producer
	to     encoder[K, V]
	err    error
	closed bool
	linger *time.Timer
}

// writerLinger is how long a record may wait for company.
const writerLinger = 5 * time.Millisecond

// NewWriter returns a writer to t. It waits in Put until the app runs.
func NewWriter[K, V any](a *App, t topology.Topic[K, V]) *Writer[K, V] {
	return &Writer[K, V]{a: a, t: t.InPlace()}
}

// Put queues one record at the present time. It blocks while too much is under way, and returns the first error of
// any record before it.
func (w *Writer[K, V]) Put(ctx context.Context, k K, v V) error {
	return w.PutRecord(ctx, topology.Record[K, V]{Key: k, Value: v, Time: window.At(time.Now())})
}

// PutRecord queues a record as it is.
func (w *Writer[K, V]) PutRecord(ctx context.Context, r topology.Record[K, V]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.openLocked(ctx); err != nil {
		return err
	}
	if w.err == nil {
		w.err = w.to.put(r)
	}
	if w.err == nil && w.linger == nil {
		w.linger = time.AfterFunc(writerLinger, w.flushLater)
	}
	return w.err
}

// flushLater sends what has waited long enough.
func (w *Writer[K, V]) flushLater() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.linger = nil
	if w.closed || w.err != nil {
		return
	}
	w.err = w.p.Send()
}

func (w *Writer[K, V]) openLocked(ctx context.Context) error {
	if w.closed {
		return errors.New("stream: the writer is closed")
	}
	if w.p != nil {
		return nil
	}
	c, err := w.a.wait(ctx)
	if err != nil {
		return err
	}
	if err := w.a.ensure(ctx, c, w.t.Name, w.t.Partitions, w.t.Settings); err != nil {
		return err
	}
	p := c.NewProducer("", 0)
	if err := p.Init(ctx); err != nil {
		p.Close()
		return err
	}
	out, err := p.Out(ctx, w.t.Name)
	if err != nil {
		p.Close()
		return err
	}
	w.p, w.to = p, newEncoder(w.t, out)
	return nil
}

// Flush returns once all that was put is acknowledged.
func (w *Writer[K, V]) Flush(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.p == nil || w.err != nil {
		return w.err
	}
	w.err = w.p.Flush(ctx)
	return w.err
}

// Close flushes and ends the writer.
func (w *Writer[K, V]) Close() error {
	err := w.Flush(context.Background())
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.p != nil && !w.closed {
		w.p.Close()
	}
	w.closed = true
	return err
}

// encoder writes records of a topic from outside the topology.
type encoder[K, V any] struct {
	t   topology.Topic[K, V]
	out edge.Out
	k   []byte
	v   []byte
}

func newEncoder[K, V any](t topology.Topic[K, V], out edge.Out) encoder[K, V] {
	return encoder[K, V]{t: t, out: out, k: make([]byte, 0, 64), v: make([]byte, 0, 256)}
}

func (e *encoder[K, V]) put(r topology.Record[K, V]) error {
	if r.Time < 0 {
		return fmt.Errorf("stream: a record for %q at %d ms, before 1970", e.t.Name, r.Time)
	}
	var key []byte
	var err error
	if !r.NoKey {
		if key, err = e.t.Key.Append(e.k[:0], r.Key); err != nil {
			return fmt.Errorf("stream: key for %q: %w", e.t.Name, err)
		}
	}
	if key != nil {
		e.k = key
	}
	val, err := e.t.Value.Append(e.v[:0], r.Value)
	if err != nil {
		return fmt.Errorf("stream: value for %q: %w", e.t.Name, err)
	}
	if val != nil {
		e.v = val
	}
	partition := int32(-1)
	switch n := e.out.Partitions(); {
	case e.t.Partition != nil:
		partition = int32(e.t.Partition(r, int(n)))
		if partition < 0 || partition >= n {
			return fmt.Errorf("stream: Topic.Partition of %q chose partition %d of %d", e.t.Name, partition, n)
		}
	case key != nil:
		partition = topology.Partition(serde.PartitionKey(e.t.Key, key), n)
	}
	var m edge.Meta
	r.SetMeta(&m)
	return e.out.Append(partition, int64(r.Time), key, val, m.AppendRaw(nil))
}
