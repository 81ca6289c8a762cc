package engine

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/thalweg/thalweg/internal/engine/log"
)

// testConfig is Defaults with little files, as the memory file system copies a file at every sync.
func testConfig() Config {
	cfg := Defaults()
	cfg.Log = log.Config{WALBytes: 1 << 20}
	cfg.MinSessionTimeout = 100 * time.Millisecond
	return cfg
}

// openAt opens an engine that is closed with the test.
func openAt(t *testing.T, fs vfs.FS, dir string, cfg Config) *Engine {
	t.Helper()
	e, err := Open(fs, dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeEngine(t, e) })
	return e
}

func open(t *testing.T, cfg Config) *Engine {
	t.Helper()
	return openAt(t, vfs.NewMem(), "data", cfg)
}

func closeEngine(t *testing.T, e *Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Error(err)
	}
}

// client returns a client over the memory connection.
func client(t *testing.T, e *Engine, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(e.Addr()), kgo.Dialer(e.Dial), kgo.MetadataMinAge(10 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func createTopic(t *testing.T, e *Engine, name string, partitions int32, configs map[string]*string) {
	t.Helper()
	c := client(t, e)
	defer c.Close()
	if _, err := kadm.NewClient(c).CreateTopic(testContext(t), partitions, 1, configs, name); err != nil {
		t.Fatal(err)
	}
}

// produce writes n records and returns their values.
func produce(t *testing.T, c *kgo.Client, topic string, n int) []string {
	t.Helper()
	var values []string
	var records []*kgo.Record
	for i := range n {
		v := fmt.Sprintf("%s-%d", topic, i)
		values = append(values, v)
		records = append(records, &kgo.Record{Topic: topic, Key: []byte(v), Value: []byte(v)})
	}
	if err := c.ProduceSync(testContext(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return values
}

// consume polls until it has n records.
func consume(t *testing.T, c *kgo.Client, n int) map[string]int {
	t.Helper()
	ctx := testContext(t)
	got := map[string]int{}
	for seen := 0; seen < n; {
		fs := c.PollFetches(ctx)
		if err := fs.Err0(); err != nil {
			t.Fatalf("after %d of %d: %v", seen, n, err)
		}
		fs.EachError(func(topic string, p int32, err error) { t.Fatalf("%s-%d: %v", topic, p, err) })
		fs.EachRecord(func(r *kgo.Record) { got[string(r.Value)]++; seen++ })
	}
	return got
}

func checkOnce(t *testing.T, want []string, got map[string]int) {
	t.Helper()
	for _, v := range want {
		if got[v] != 1 {
			t.Errorf("%s seen %d times", v, got[v])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d values, want %d", len(got), len(want))
	}
}

func TestProduceAndConsumeInMemory(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "words", 3, nil)
	want := produce(t, client(t, e), "words", 1000)
	got := consume(t, client(t, e, kgo.ConsumeTopics("words"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), len(want))
	checkOnce(t, want, got)
}

func TestProduceAndConsumeOverTCP(t *testing.T) {
	e := open(t, testConfig())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- e.Serve(l) }()
	createTopic(t, e, "words", 3, nil)
	tcp := []kgo.Opt{kgo.SeedBrokers(l.Addr().String()), kgo.Dialer((&net.Dialer{}).DialContext)}
	want := produce(t, client(t, e, tcp...), "words", 1000)
	c := client(t, e, append(tcp, kgo.ConsumeTopics("words"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	checkOnce(t, want, consume(t, c, len(want)))
	closeEngine(t, e)
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// What is not said counts by its default, also beside what is.
func TestConfigMistakes(t *testing.T) {
	for want, cfg := range map[string]Config{
		"session of 3s with heartbeats each 5s":   {ConsumerSession: 3 * time.Second},
		"session of 45s with heartbeats each 1m0": {ConsumerHeartbeat: time.Minute},
		"timeouts from 6s to 1s":                  {MaxSessionTimeout: time.Second},
		"-1 partitions":                           {DefaultPartitions: -1},
	} {
		if err := cfg.fill(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}
