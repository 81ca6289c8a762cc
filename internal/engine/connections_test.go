package engine

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
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

// heldConn holds back what a broker answers while it is told to.
type heldConn struct {
	net.Conn
	gate *gate
}

func (c heldConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.gate.pass()
	return n, err
}

// gate lets answers pass unless it is shut.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // closed when the gate opens; nil: open
}

func (g *gate) pass() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

// close shuts the gate until open is called.
func (g *gate) close() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	shut := make(chan struct{})
	g.shut = shut
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.shut = nil
		close(shut)
	}
}

// A producer that waits for its answers holds up no other: brokers answer the requests of one connection in turn, so each has its
// own.
func TestProducersDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		e, err := Open(vfs.NewMem(), "data", testConfig())
		if err != nil {
			t.Fatal(err)
		}
		gates := map[string]*gate{"dial": {}, "slow": {}, "quick": {}}
		var dialing atomic.Pointer[gate] // of the connections that are opened
		dialing.Store(gates["dial"])
		c, err := kafka.Dial(ctx, kafka.Config{Brokers: []string{e.Addr()}, Logger: slog.New(slog.DiscardHandler), Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := e.Dial(ctx, network, addr)
			return heldConn{nc, dialing.Load()}, err
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.CreateTopics(ctx, kafka.NewTopic{Name: "out", Partitions: 1, Replication: 1}); err != nil {
			t.Fatal(err)
		}
		transact := map[string]func() error{}
		var producers []*kafka.Producer
		for _, name := range []string{"slow", "quick"} {
			dialing.Store(gates[name])
			p := c.NewProducer(name, time.Minute)
			producers = append(producers, p)
			if err := p.Init(ctx); err != nil {
				t.Fatal(err)
			}
			out, err := p.Out(ctx, "out")
			if err != nil {
				t.Fatal(err)
			}
			transact[name] = func() error {
				if err := out.Append(0, 1, nil, []byte(name), nil); err != nil {
					return err
				}
				return errors.Join(p.Flush(ctx), p.Commit(ctx))
			}
			if err := transact[name](); err != nil { // opens the connections
				t.Fatal(err)
			}
		}
		open := gates["slow"].close()
		slow := make(chan error, 1)
		go func() { slow <- transact["slow"]() }()
		synctest.Wait()
		opened := time.AfterFunc(time.Second, open)
		began := time.Now()
		if err := transact["quick"](); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("a transaction beside one that waits took %v", d)
		}
		if err := <-slow; err != nil || opened.Stop() {
			t.Errorf("the other transaction did not wait for its answers: %v", err)
		}
		for _, p := range producers {
			p.Close()
		}
		c.Close()
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
