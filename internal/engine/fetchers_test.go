package engine

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/thalweg/thalweg/internal/kafka"
)

// A fetcher that waits for records holds up no other: in virtual time, what is there comes at once.
func TestFetchersDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		e, err := Open(vfs.NewMem(), "data", testConfig())
		if err != nil {
			t.Fatal(err)
		}
		c, err := kafka.Dial(ctx, kafka.Config{Brokers: []string{e.Addr()}, Dial: e.Dial, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.CreateTopics(ctx, kafka.NewTopic{Name: "busy", Partitions: 1, Replication: 1}, kafka.NewTopic{Name: "idle", Partitions: 1, Replication: 1}); err != nil {
			t.Fatal(err)
		}
		came := make(chan kafka.Fetched, 100)
		idle := c.NewFetcher(func(kafka.Fetched) {})
		busy := c.NewFetcher(func(f kafka.Fetched) {
			if len(f.Batches) > 0 {
				came <- f
			}
		})
		for f, topic := range map[*kafka.Fetcher]string{idle: "idle", busy: "busy"} {
			if err := f.Seek(ctx, kafka.Place{Topic: topic}, 0); err != nil {
				t.Fatal(err)
			}
		}
		p, err := kgo.NewClient(kgo.SeedBrokers(e.Addr()), kgo.Dialer(e.Dial), kgo.ProducerLinger(0))
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			synctest.Wait() // both fetchers wait now
			if err := p.ProduceSync(ctx, &kgo.Record{Topic: "busy", Value: []byte("v")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			at := time.Now()
			<-came
			if d := time.Since(at); d != 0 {
				t.Errorf("a record that was there took %v", d)
			}
		}
		p.Close()
		idle.Close()
		busy.Close()
		c.Close()
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
