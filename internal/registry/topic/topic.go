// Package topic keeps a registry in a topic of a Kafka-protocol cluster. The right to write it is that of a transactional
// id: who takes it fences whoever had it.
package topic

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/internal/registry"
)

// timeout is how long a write may take before the cluster gives it up.
const timeout = 30 * time.Second

// Log is a registry.Log in a topic.
type Log struct {
	client *kafka.Client
	place  kafka.Place
	p      *kafka.Producer
	out    edge.Out
}

// Open makes the topic if there is none, and takes the right to write it. replication is that of a new topic, -1 the
// cluster's default.
func Open(ctx context.Context, c *kafka.Client, name string, replication int16) (*Log, error) {
	t := kafka.NewTopic{Name: name, Partitions: 1, Replication: replication, Settings: map[string]string{"cleanup.policy": "compact"}}
	ts, err := c.Topics(ctx, true, name)
	if err != nil {
		return nil, err
	}
	if ts[name] == nil {
		if err := c.CreateTopics(ctx, t); err != nil {
			return nil, err
		}
	} else if err := check(ctx, c, ts[name]); err != nil {
		return nil, err
	}
	l := &Log{client: c, place: kafka.Place{Topic: name}, p: c.NewProducer("thalweg-registry-"+name, timeout)}
	if err := l.p.Init(ctx); err != nil {
		l.p.Close()
		return nil, err
	}
	if l.out, err = l.p.Out(ctx, name); err != nil {
		l.p.Close()
		return nil, err
	}
	return l, nil
}

// check refuses a topic that would lose schemas or their order.
func check(ctx context.Context, c *kafka.Client, t *kafka.Topic) error {
	if n := len(t.Leaders); n != 1 {
		return fmt.Errorf("topic %q has %d partitions, a registry keeps its schemas in one", t.Name, n)
	}
	settings, err := c.Settings(ctx, t.Name)
	if err != nil {
		return err
	}
	if policy := settings[t.Name]["cleanup.policy"]; policy != "compact" {
		return fmt.Errorf("topic %q has cleanup.policy %q, which would lose schemas: set it to compact", t.Name, policy)
	}
	return nil
}

// Close ends the log.
func (l *Log) Close() { l.p.Close() }

// Read implements registry.Log. By now nobody else can write: the end is the end.
func (l *Log) Read(ctx context.Context, f func(key, value []byte) error) error {
	begin, err := l.client.Ends(ctx, kafka.Begin, l.place)
	if err != nil {
		return err
	}
	end, err := l.client.Ends(ctx, kafka.End, l.place)
	if err != nil {
		return err
	}
	var r batch.Reader
	_, err = l.client.ReadRange(ctx, l.place, begin[l.place], end[l.place], func(in kafka.Fetched) error {
		for _, b := range in.Batches {
			if err := r.Reset(b); err != nil {
				return err
			}
			for rec := (batch.Record{}); r.Next(&rec); {
				if rec.Key == nil {
					continue
				}
				if err := f(rec.Key, rec.Value); err != nil {
					return fmt.Errorf("%s-%d@%d: %w", l.place.Topic, l.place.Partition, rec.Offset, err)
				}
			}
			if err := r.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// Append implements registry.Log: one transaction.
func (l *Log) Append(ctx context.Context, records ...registry.Record) error {
	err := l.append(ctx, records)
	if err == nil {
		return nil
	}
	if errors.Is(err, kafka.ErrFenced) {
		return fmt.Errorf("%w: %w", registry.ErrFenced, err)
	}
	if errors.Is(err, kafka.ErrUnknown) {
		return fmt.Errorf("%w: %w", registry.ErrUnknown, err)
	}
	abort := l.p.Abort(context.WithoutCancel(ctx))
	switch {
	case errors.Is(abort, kafka.ErrFenced):
		return fmt.Errorf("%w: %w", registry.ErrFenced, abort)
	case abort != nil:
		return fmt.Errorf("%w: %w", registry.ErrUnknown, errors.Join(err, abort))
	}
	return err
}

func (l *Log) append(ctx context.Context, records []registry.Record) error {
	now := time.Now().UnixMilli()
	for _, r := range records {
		if err := l.out.Append(0, now, r.Key, r.Value, nil); err != nil {
			return err
		}
	}
	if err := l.p.Flush(ctx); err != nil {
		return err
	}
	return l.p.Commit(ctx)
}
