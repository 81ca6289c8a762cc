package wire

import (
	"log/slog"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine/coord"
	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// realClock is the computer's.
type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }

// testTopics are the topics of a test server, each of one partition, by what is done with what is written to them.
var testTopics = map[string]map[string]string{
	"t":       nil,
	"compact": {"cleanup.policy": "compact"},
	"recent":  {"message.timestamp.before.max.ms": "3600000"},
	"plain":   {"compression.type": "uncompressed"},
	"gzip":    {"compression.type": "gzip"},
	"snappy":  {"compression.type": "snappy"},
	"lz4":     {"compression.type": "lz4"},
	"zstd":    {"compression.type": "zstd"},
}

// newTestServer returns a server over a directory of its own, with testTopics.
func newTestServer(tb testing.TB, options ...func(*Config)) *Server {
	tb.Helper()
	dir, err := log.Open(vfs.Default, tb.TempDir(), log.Config{
		WALBytes: 1 << 20, TailBytes: 1, // memory that is the server's, whoever fills it
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { dir.Close() })
	next := byte(0)
	store, err := meta.Open(dir, realClock{}, "cluster", func() [16]byte { next++; return [16]byte{15: next} })
	if err != nil {
		tb.Fatal(err)
	}
	topic := func(name string) []*log.Partition {
		t, err := store.Create(meta.Spec{Name: name, Partitions: 1, Replicas: 1, Configs: testTopics[name]})
		if err != nil {
			tb.Fatal(err)
		}
		return []*log.Partition{store.Partition(t, 0)}
	}
	for name := range testTopics {
		topic(name)
	}
	quiet := func(string, ...any) {}
	groups, err := coord.OpenGroups(coord.GroupConfig{
		Clock: realClock{}, MinSession: time.Millisecond, MaxSession: time.Hour, OffsetRetention: time.Hour, Logf: quiet,
	}, dir, topic(meta.OffsetsTopic))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(groups.Close)
	txns, err := coord.OpenTxns(coord.TxnConfig{
		Clock: realClock{}, MaxTimeout: time.Hour, IDExpiration: time.Hour, Logf: quiet, OffsetsTopic: meta.OffsetsTopic,
		NextProducerID: store.NextProducerID,
		Partition: func(tp coord.TopicPartition) *log.Partition {
			return store.Partition(store.Topic(tp.Topic), tp.Partition)
		},
	}, dir, groups, topic(meta.TransactionsTopic))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(txns.Close)
	cfg := Config{
		Clock: realClock{}, Logger: slog.New(slog.DiscardHandler), DefaultPartitions: 1, TransactionVersion: 2, MaxFrame: 1 << 20, AutoCreate: CreateAlways,
	}
	for _, set := range options {
		set(&cfg)
	}
	return NewServer(cfg, dir, store, groups, txns)
}

// withLegacy has message sets converted.
func withLegacy(c *Config) { c.Legacy = true }
