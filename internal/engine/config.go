package engine

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/engine/wire"
)

// Config of an Engine. [Defaults] is a good one; the zero value serves, too, but takes replication factors other than 1
// for mistakes and makes no topics on first use.
type Config struct {
	Clock     log.Clock    // nil: the system's
	Logger    *slog.Logger // nil: none
	ClusterID string       // empty: made once and kept

	AutoCreate            wire.Creation // whether topics are made on first use (auto.create.topics.enable)
	DefaultPartitions     int32         // of topics that do not say (num.partitions); 0: 1
	InitialRebalanceDelay time.Duration // group.initial.rebalance.delay.ms; 0: none
	MinSessionTimeout     time.Duration // group.min.session.timeout.ms; 0: 6 s
	MaxSessionTimeout     time.Duration // group.max.session.timeout.ms; 0: 30 min
	ConsumerSession       time.Duration // group.consumer.session.timeout.ms, of groups by KIP-848; 0: 45 s
	ConsumerHeartbeat     time.Duration // group.consumer.heartbeat.interval.ms; 0: 5 s
	TransactionVersion    int           // the finalized feature transaction.version, 1 or 2; 0: 2
	Legacy                bool          // clients older than Kafka 0.11 are served: what they produce and fetch is converted
	MaxFrame              int32         // bytes of a request (socket.request.max.bytes); 0: 100 MiB
	MaxConnections        int           // open at a time, those of this process too (max.connections); 0: 10000
	MaxInFlight           int64         // bytes of requests in memory, of all connections (queued.max.request.bytes): who sends more waits; 0: 512 MiB
	MaxPipelined          int           // requests of one connection that are served at once, at most 4096; 0: 64
	ACLs                  bool          // what no ACL allows is refused; clients of this process may do everything
	SuperUsers            []string      // who may do everything: names they log in by, or subjects of certificates
	Log                   log.Config    // of the storage; its clock and callbacks are filled in
	ClampReplication      bool          // any replication factor is taken, and one replica made
}

// Defaults returns the configuration the engine is embedded with.
func Defaults() Config { return Config{AutoCreate: wire.CreateOnLoopback, ClampReplication: true} }

// mostPipelined bounds MaxPipelined: each connection has room for so many.
const mostPipelined = 4096

// ConfigError is why no engine can be opened with a Config.
type ConfigError struct {
	Fields []string // that are out of range, or at odds with each other
	Text   string
}

// Error returns the text.
func (e *ConfigError) Error() string { return "engine: " + e.Text }

// Check returns what Open would say of c, a *ConfigError.
func (c Config) Check() error { return c.fill() }

// fill puts defaults in place of zeros and checks the rest.
func (c *Config) fill() error {
	if c.Clock == nil {
		c.Clock = systemClock{}
	}
	if c.Logger == nil {
		c.Logger = discard
	}
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{
		{&c.MinSessionTimeout, 6 * time.Second}, {&c.MaxSessionTimeout, 30 * time.Minute},
		{&c.ConsumerSession, 45 * time.Second}, {&c.ConsumerHeartbeat, 5 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	if c.DefaultPartitions == 0 {
		c.DefaultPartitions = 1
	}
	if c.TransactionVersion == 0 {
		c.TransactionVersion = 2
	}
	if c.MaxFrame == 0 {
		c.MaxFrame = 100 << 20
	}
	return c.check()
}

// check returns a *ConfigError about what is set.
func (c *Config) check() error {
	wrong := func(text string, fields ...string) error { return &ConfigError{fields, text} }
	switch {
	case c.TransactionVersion < 1 || c.TransactionVersion > 2:
		return wrong(fmt.Sprintf("TransactionVersion %d: 1 and 2 are known", c.TransactionVersion), "TransactionVersion")
	case c.ConsumerHeartbeat < 0 || c.ConsumerSession <= c.ConsumerHeartbeat:
		return wrong(fmt.Sprintf("a consumer's session of %s with heartbeats each %s", c.ConsumerSession, c.ConsumerHeartbeat), "ConsumerSession", "ConsumerHeartbeat")
	case c.MinSessionTimeout < 0 || c.MaxSessionTimeout < c.MinSessionTimeout:
		return wrong(fmt.Sprintf("session timeouts from %s to %s", c.MinSessionTimeout, c.MaxSessionTimeout), "MinSessionTimeout", "MaxSessionTimeout")
	case c.DefaultPartitions < 0:
		return wrong(fmt.Sprintf("%d partitions for topics that do not say how many", c.DefaultPartitions), "DefaultPartitions")
	case c.MaxFrame < 0:
		return wrong(fmt.Sprintf("requests of %d bytes at most", c.MaxFrame), "MaxFrame")
	case c.MaxConnections < 0:
		return wrong(fmt.Sprintf("%d connections at most", c.MaxConnections), "MaxConnections")
	case c.MaxInFlight < 0:
		return wrong(fmt.Sprintf("%d bytes of requests in memory at most", c.MaxInFlight), "MaxInFlight")
	case c.MaxPipelined < 0 || c.MaxPipelined > mostPipelined:
		return wrong(fmt.Sprintf("%d requests of a connection at once, want at most %d", c.MaxPipelined, mostPipelined), "MaxPipelined")
	case c.InitialRebalanceDelay < 0:
		return wrong(fmt.Sprintf("a first rebalance delayed by %s", c.InitialRebalanceDelay), "InitialRebalanceDelay")
	}
	return nil
}

// systemClock is the computer's.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}
