// Package kafka is the client side of the protocol, in batches: fetch, produce, transactions, groups, topics. It is the
// only importer of franz-go, over whose connections, metadata and coordinators it sends its own requests.
//
// There are few types: a [Client] is the way to a cluster, a [Fetcher] reads partitions ahead of their tasks, a
// [Producer] writes transactions, a [Member] is this instance's place in its group.
package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Config says where the cluster is.
type Config struct {
	Brokers  []string
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error) // nil: TCP, with TLS if set
	TLS      *tls.Config
	SASL     SASL
	ClientID string
	Rack     string
	Logger   *slog.Logger
	Wait     bool // Dial waits for brokers that do not answer yet, within its limit
}

// Client is the way to a cluster. Its methods may be called by many goroutines.
type Client struct {
	cfg   Config
	cl    *kgo.Client
	admin *kadm.Client
	// transactions is the version of the protocol the cluster has finalized: from 2 on every transaction has an epoch of
	// its own and partitions join by being written to. The version of the requests is the mode, so it is chosen once.
	transactions int

	mu     sync.Mutex // protects topics
	topics map[string]*Topic
}

// Topic is what is known of a topic.
type Topic struct {
	Name    string
	ID      [16]byte
	Leaders []int32 // by partition; -1: none at the moment
}

// dialTimeout bounds the first contact with a cluster.
const dialTimeout = 30 * time.Second

// Dial connects to a cluster and learns what it can do.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := cfg.SASL.Check(); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	c := &Client{cfg: cfg, topics: map[string]*Topic{}}
	first, err := kgo.NewClient(c.options()...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	version, err := c.reach(ctx, first)
	first.Close()
	if err != nil {
		return nil, fmt.Errorf("kafka: brokers %v: %w", cfg.Brokers, err)
	}
	c.transactions = version
	if c.cl, err = c.connections(); err != nil {
		return nil, err
	}
	c.admin = kadm.NewClient(c.cl)
	return c, nil
}

// connections returns a set of connections of its own to the cluster.
func (c *Client) connections() (*kgo.Client, error) {
	cl, err := kgo.NewClient(append(c.options(), kgo.MaxVersions(versions(c.transactions)))...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return cl, nil
}

// reach asks what the cluster can do, again while nobody answers and the configuration says to wait.
func (c *Client) reach(ctx context.Context, cl *kgo.Client) (version int, _ error) {
	for told := false; ; told = true {
		v, err := transactionVersion(ctx, cl)
		if err == nil || !c.cfg.Wait || !retriable(err) {
			return v, err
		}
		if !told {
			c.cfg.Logger.Warn("waiting for the brokers", "brokers", c.cfg.Brokers, "err", err)
		}
		if sleep(ctx, 200*time.Millisecond) != nil {
			return 0, err
		}
	}
}

// options are those of every kgo client here.
func (c *Client) options() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.cfg.Brokers...), kgo.ClientID(c.cfg.ClientID), kgo.SoftwareNameAndVersion("thalweg", "1"),
		kgo.DisableClientMetrics(), kgo.RetryTimeout(30 * time.Second), kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.ConnIdleTimeout(5 * time.Minute), kgo.BrokerMaxReadBytes(1 << 30), kgo.BrokerMaxWriteBytes(1 << 30),
	}
	if c.cfg.Rack != "" {
		opts = append(opts, kgo.Rack(c.cfg.Rack))
	}
	if m := c.cfg.SASL.mechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	switch {
	case c.cfg.Dial != nil:
		opts = append(opts, kgo.Dialer(c.cfg.Dial))
	case c.cfg.TLS != nil:
		opts = append(opts, kgo.DialTLSConfig(c.cfg.TLS))
	}
	return opts
}

// transactionVersion asks for the finalized feature transaction.version; a cluster without it is at 0.
func transactionVersion(ctx context.Context, cl *kgo.Client) (int, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "thalweg", "1"
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return 0, err
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" {
			return int(f.MaxVersionLevel), nil
		}
	}
	return 0, nil
}

// Close ends all connections.
func (c *Client) Close() { c.cl.Close() }

// Topics returns what is known of the named topics, asked anew if fresh or if one is not known. Topics that do not
// exist are left out.
func (c *Client) Topics(ctx context.Context, fresh bool, names ...string) (map[string]*Topic, error) {
	found := map[string]*Topic{}
	if !fresh {
		c.mu.Lock()
		for _, n := range names {
			if t := c.topics[n]; t != nil {
				found[n] = t
			}
		}
		c.mu.Unlock()
		if len(found) == len(names) {
			return found, nil
		}
	}
	return c.askTopics(ctx, c.cl, names)
}

// askTopics asks by cl, which learns with that where the brokers are.
func (c *Client) askTopics(ctx context.Context, cl *kgo.Client, names []string) (map[string]*Topic, error) {
	found := map[string]*Topic{}
	req := kmsg.NewPtrMetadataRequest()
	for _, n := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(n)
		req.Topics = append(req.Topics, t)
	}
	if len(names) == 0 {
		return found, nil
	}
	var resp *kmsg.MetadataResponse
	err := patiently(ctx, func() (err error) {
		resp, err = req.RequestWith(ctx, cl)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("kafka: metadata: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rt := range resp.Topics {
		if rt.Topic == nil {
			continue
		}
		switch err := kerr.ErrorForCode(rt.ErrorCode); {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			delete(c.topics, *rt.Topic)
			continue
		case err != nil && !kerr.IsRetriable(err):
			return nil, fmt.Errorf("kafka: topic %q: %w", *rt.Topic, err)
		}
		t := &Topic{Name: *rt.Topic, ID: rt.TopicID, Leaders: make([]int32, len(rt.Partitions))}
		for _, p := range rt.Partitions {
			if int(p.Partition) < len(t.Leaders) {
				t.Leaders[p.Partition] = p.Leader
			}
		}
		if len(t.Leaders) > 0 {
			c.topics[t.Name], found[t.Name] = t, t
		}
	}
	return found, nil
}

// topic returns one topic, which must exist.
func (c *Client) topic(ctx context.Context, name string, fresh bool) (*Topic, error) {
	ts, err := c.Topics(ctx, fresh, name)
	if err != nil {
		return nil, err
	}
	if ts[name] == nil {
		return nil, fmt.Errorf("kafka: topic %q: %w", name, ErrNoTopic)
	}
	return ts[name], nil
}

// leader returns the broker that leads a partition.
func (c *Client) leader(ctx context.Context, topic string, partition int32, fresh bool) (*Topic, int32, error) {
	t, err := c.topic(ctx, topic, fresh)
	if err != nil {
		return nil, 0, err
	}
	if int(partition) >= len(t.Leaders) {
		return nil, 0, fmt.Errorf("kafka: topic %q has %d partitions, asked for %d", topic, len(t.Leaders), partition)
	}
	return t, t.Leaders[partition], nil
}

// patience is how long brokers may be away before a request fails for it.
const patience = 30 * time.Second

// patiently calls ask again while brokers cannot be reached: kgo gives up at once when it cannot dial.
func patiently(ctx context.Context, ask func() error) error {
	began := time.Now()
	for {
		err := ask()
		if err == nil || !retriable(err) || time.Since(began) > patience || sleep(ctx, 100*time.Millisecond) != nil {
			return err
		}
	}
}

// ErrNoTopic is of a topic that does not exist.
var ErrNoTopic = errors.New("it does not exist")

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
