package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// Feed is a Writer that can be resumed: a source outside (a file, a database, a queue) gets into a topic exactly once.
// What was put since the last Commit becomes visible together with the position it stands for, or not at all. It is for
// one goroutine. After an error make a new Feed, and go on at its Position.
type Feed[K, V any] struct {
	name     string
	p        *kafka.Producer
	topic    topology.Topic[K, V]
	to       encoder[K, V]
	marks    edge.Out
	position string
}

// feedTimeout is how long a Feed may take from the first Put to its Commit.
const feedTimeout = 60 * time.Second

// feedTopic is the compacted topic that holds the positions of an app's feeds.
func feedTopic(app string) string { return app + "-feeds" }

// NewFeed returns the feed of that name; a second one of the same name fences the first. It waits until the app runs.
func NewFeed[K, V any](ctx context.Context, a *App, name string, t topology.Topic[K, V]) (*Feed[K, V], error) {
	c, err := a.wait(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.ensure(ctx, c, t.Name, t.Partitions, t.Settings); err != nil {
		return nil, err
	}
	marks := feedTopic(a.cfg.App)
	err = c.CreateTopics(ctx, kafka.NewTopic{Name: marks, Partitions: 1, Replication: int16(a.cfg.Replication), Settings: map[string]string{"cleanup.policy": "compact"}})
	if err != nil {
		return nil, err
	}
	f := &Feed[K, V]{name: name, topic: t.InPlace(), p: c.NewProducer(a.cfg.App+"-feed-"+name, feedTimeout)}
	if err := f.open(ctx, c, marks); err != nil {
		f.p.Close()
		return nil, fmt.Errorf("stream: feed %q: %w", name, err)
	}
	return f, nil
}

// open fences an earlier feed of the name first: what it had under way is resolved before the position is read.
func (f *Feed[K, V]) open(ctx context.Context, c *kafka.Client, marks string) error {
	if err := f.p.Init(ctx); err != nil {
		return err
	}
	out, err := f.p.Out(ctx, f.topic.Name)
	if err != nil {
		return err
	}
	if f.marks, err = f.p.Out(ctx, marks); err != nil {
		return err
	}
	f.to = newEncoder(f.topic, out)
	at := kafka.Place{Topic: marks}
	ends, err := c.Ends(ctx, kafka.End, at)
	if err != nil {
		return err
	}
	begin, err := c.Ends(ctx, kafka.Begin, at)
	if err != nil {
		return err
	}
	// Other feeds' transactions may be open, for as long as they like: what is committed is seen by the markers.
	own := feedPosition{name: f.name, open: map[int64]string{}}
	_, err = c.ReadRaw(ctx, at, begin[at], ends[at], func(got kafka.Fetched) error {
		for _, b := range got.Batches {
			if err := own.read(b); err != nil {
				return fmt.Errorf("%s-%d: %w", at.Topic, at.Partition, err)
			}
		}
		return nil
	})
	for producer := range own.open {
		err = errors.Join(err, fmt.Errorf("a position of producer %d in %s-%d is neither committed nor aborted", producer, at.Topic, at.Partition))
	}
	f.position = own.committed
	return err
}

// feedPosition follows the positions of one feed through all batches of their partition.
type feedPosition struct {
	name      string
	committed string
	open      map[int64]string // by producer id, of transactions that no marker has ended yet
	r         batch.Reader
}

func (p *feedPosition) read(b []byte) error {
	h, err := batch.Parse(b)
	if err != nil {
		return err
	}
	if h.Control() {
		m, err := batch.ParseMarker(b)
		if err != nil {
			return err
		}
		if at, ok := p.open[h.ProducerID]; ok && m.Commit {
			p.committed = at
		}
		delete(p.open, h.ProducerID)
		return nil
	}
	if err := p.r.Reset(b); err != nil {
		return err
	}
	for rec := (batch.Record{}); p.r.Next(&rec); {
		if string(rec.Key) == p.name {
			p.open[h.ProducerID] = string(rec.Value)
		}
	}
	return p.r.Err()
}

// Position returns what the last Commit said, "" if there was none: where to go on.
func (f *Feed[K, V]) Position() string { return f.position }

// Put adds one record, at the present time.
func (f *Feed[K, V]) Put(ctx context.Context, k K, v V) error {
	return f.PutRecord(ctx, topology.Record[K, V]{Key: k, Value: v, Time: window.At(time.Now())})
}

// PutRecord adds a record as it is. It waits while too much is under way.
func (f *Feed[K, V]) PutRecord(ctx context.Context, r topology.Record[K, V]) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.to.put(r)
}

// Commit makes visible what was put, and remembers position.
func (f *Feed[K, V]) Commit(ctx context.Context, position string) error {
	err := f.marks.Append(0, time.Now().UnixMilli(), []byte(f.name), []byte(position), nil)
	if err == nil {
		err = f.p.Flush(ctx)
	}
	if err == nil {
		err = f.p.Commit(ctx)
	}
	if err != nil {
		return fmt.Errorf("stream: feed %q: %w", f.name, err)
	}
	f.position = position
	return nil
}

// Close ends the feed; what was not committed is gone.
func (f *Feed[K, V]) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := f.p.Abort(ctx)
	f.p.Close()
	return err
}

// ensure makes a topic that a writer or reader names, if it is missing and the app may.
func (a *App) ensure(ctx context.Context, c *kafka.Client, name string, partitions int, settings map[string]string) error {
	ts, err := c.Topics(ctx, false, name)
	if err != nil || ts[name] != nil {
		return err
	}
	if len(a.cfg.Brokers) > 0 && !a.cfg.CreateTopics {
		return fmt.Errorf("stream: topic %q does not exist: create it, or set Config.CreateTopics", name)
	}
	n := int32(-1)
	if partitions > 0 {
		n = int32(partitions)
	}
	if err := c.CreateTopics(ctx, kafka.NewTopic{Name: name, Partitions: n, Replication: int16(a.cfg.Replication), Settings: settings}); err != nil {
		return err
	}
	a.instance.Look()
	return nil
}
