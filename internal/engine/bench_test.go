package engine

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/thalweg/thalweg/internal/engine/wire"
)

// BenchmarkProduce and BenchmarkConsume move 100-byte records through a client in the same process and an engine on
// disk; BenchmarkProduceSync waits for each record.
func BenchmarkProduce(b *testing.B) {
	e := benchEngine(b)
	c := benchClient(b, e, kgo.DefaultProduceTopic("t"))
	b.SetBytes(100)
	b.ResetTimer()
	benchProduce(b, c, b.N)
}

func BenchmarkProduceSync(b *testing.B) {
	e := benchEngine(b)
	c := benchClient(b, e, kgo.DefaultProduceTopic("t"), kgo.ProducerLinger(0))
	value := make([]byte, 100)
	b.ResetTimer()
	for range b.N {
		if err := c.ProduceSync(context.Background(), &kgo.Record{Value: value}).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConsume(b *testing.B) {
	e := benchEngine(b)
	benchProduce(b, benchClient(b, e, kgo.DefaultProduceTopic("t")), b.N)
	c := benchClient(b, e, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	b.SetBytes(100)
	b.ResetTimer()
	for n := 0; n < b.N; {
		fs := c.PollFetches(context.Background())
		if err := fs.Err(); err != nil {
			b.Fatal(err)
		}
		n += fs.NumRecords()
	}
}

func benchEngine(b *testing.B) *Engine {
	b.Helper()
	cfg := Defaults()
	cfg.AutoCreate, cfg.DefaultPartitions = wire.CreateAlways, 4
	e, err := Open(vfs.Default, b.TempDir(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close(context.Background()) })
	return e
}

func benchClient(b *testing.B, e *Engine, opts ...kgo.Opt) *kgo.Client {
	b.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(e.Addr()), kgo.Dialer(e.Dial), kgo.AllowAutoTopicCreation(), kgo.ProducerBatchCompression(kgo.NoCompression()),
	}, opts...)...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

func benchProduce(b *testing.B, c *kgo.Client, n int) {
	b.Helper()
	value := make([]byte, 100)
	for range n {
		c.Produce(context.Background(), &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	if err := c.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
}
