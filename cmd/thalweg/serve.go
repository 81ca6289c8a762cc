package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine"
	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/engine/wire"
)

// drain is how long connections may take to end after a signal.
const drain = 20 * time.Second

// serve runs the engine until a signal.
type serve struct {
	Dir                string   `help:"Folder of the log (default ${default}). That of a program which has ended serves that program's log." default:"thalweg" placeholder:"DIR"`
	Listen             string   `help:"Address to serve on (default ${default}). Port 0 takes a free one." default:"127.0.0.1:9092" placeholder:"HOST:PORT"`
	Auth               bool     `help:"Ask clients to log in, by SASL SCRAM, or PLAIN over TLS or loopback. thalweg users adds users."`
	ACLs               bool     `help:"Refuse clients what no ACL allows them. thalweg acls adds ACLs." name:"acls"`
	SuperUser          []string `help:"Users who may do everything, whatever the ACLs say." placeholder:"NAME,..."`
	TLSCert            string   `help:"File of the server's certificate with its chain, in PEM: clients connect by TLS." name:"tls-cert" placeholder:"FILE"`
	TLSKey             string   `help:"File of the certificate's key, in PEM." name:"tls-key" placeholder:"FILE"`
	TLSClientCA        string   `help:"File of authorities, in PEM: clients need a certificate of theirs." name:"tls-client-ca" placeholder:"FILE"`
	Insecure           bool     `help:"Allow an address beyond loopback without -auth and -tls-client-ca: anybody who reaches it can read and write everything."`
	Ops                string   `help:"Address of /metrics, for Prometheus, and /health; beyond loopback it needs -ops-token-file." placeholder:"HOST:PORT"`
	OpsTokenFile       string   `help:"File whose first line requests to -ops have to bear as a token." name:"ops-token-file" placeholder:"FILE"`
	AutoCreate         string   `help:"Whether topics are made on first use: loopback, where -listen is a loopback address; always; never." default:"loopback" enum:"loopback,always,never"`
	Partitions         count    `help:"Partitions of topics that do not say how many." default:"1"`
	TransactionVersion int      `help:"Version of the transaction protocol, 1 or 2." default:"2" enum:"1,2"`
	Legacy             bool     `help:"Serve clients older than Kafka 0.11 too, such as pykafka. Their records are converted, which takes time, and loses headers."`
	serveLimits        `embed:""`
	JSON               bool       `help:"Print and log JSON." name:"json"`
	Verbose            bool       `help:"Log more."`
	Config             configFile `help:"TOML file of settings, each named as its flag is. Flags go before it." placeholder:"FILE"`
	PrintConfig        bool       `help:"Print the settings as a file for -config, and end."`
}

// serveLimits are the settings of serve that are seldom touched.
type serveLimits struct {
	ClusterID             string `help:"Id of the cluster; empty: made once and kept." name:"cluster-id" placeholder:"ID"`
	ClampReplication      bool   `help:"Take any replication factor, and make one replica." default:"true" negatable:""`
	InitialRebalanceDelay delay  `help:"Time an empty group waits for more members." default:"0s"`
	MinSessionTimeout     span   `help:"Shortest session a group's member may ask for." default:"6s"`
	MaxSessionTimeout     span   `help:"Longest session a group's member may ask for." default:"30m"`
	ConsumerSession       span   `help:"Session of members of groups by KIP-848; longer than -consumer-heartbeat." default:"45s"`
	ConsumerHeartbeat     span   `help:"Time between heartbeats of members of groups by KIP-848." default:"5s"`
	MaxFrame              frame  `help:"Size of the largest request, below 2GiB." default:"100MiB"`
	MaxConnections        count  `help:"Connections open at a time." default:"10000"`
	MaxInFlight           size   `help:"Memory for requests of all connections; who sends more waits." default:"512MiB"`
	MaxPipelined          count  `help:"Requests of one connection that are served at once, at most 4096." default:"64"`
	WALBytes              size   `help:"Size of one file of the write-ahead log." name:"wal-bytes" default:"64MiB"`
	Flush                 string `help:"When a write counts as durable: commit, once it is synced; interval, once the operating system has it, which syncs each second." default:"commit" enum:"commit,interval"`
	ProducerTTL           span   `help:"Time after which idle producers are forgotten." name:"producer-ttl" default:"24h"`
	CleanInterval         span   `help:"Time between rounds of retention and compaction." default:"15s"`
	CleanerBytes          size   `help:"Memory of compaction's map of keys." default:"32MiB"`
	TailBytes             size   `help:"Memory for recently written batches of all partitions." default:"64MiB"`
}

// put sets the engine's configuration.
func (c *serveLimits) put(cfg *engine.Config) {
	cfg.ClusterID, cfg.ClampReplication = c.ClusterID, c.ClampReplication
	cfg.MaxFrame, cfg.MaxConnections, cfg.MaxInFlight, cfg.MaxPipelined = int32(c.MaxFrame), int(c.MaxConnections), int64(c.MaxInFlight), int(c.MaxPipelined)
	cfg.InitialRebalanceDelay = time.Duration(c.InitialRebalanceDelay)
	cfg.MinSessionTimeout, cfg.MaxSessionTimeout = time.Duration(c.MinSessionTimeout), time.Duration(c.MaxSessionTimeout)
	cfg.ConsumerSession, cfg.ConsumerHeartbeat = time.Duration(c.ConsumerSession), time.Duration(c.ConsumerHeartbeat)
	cfg.Log.WALBytes, cfg.Log.CleanerBytes, cfg.Log.TailBytes = int64(c.WALBytes), int64(c.CleanerBytes), int64(c.TailBytes)
	cfg.Log.ProducerTTL, cfg.Log.CleanInterval = time.Duration(c.ProducerTTL), time.Duration(c.CleanInterval)
	if c.Flush == log.FlushInterval.String() {
		cfg.Log.Flush = log.FlushInterval
	}
}

// creations are the values of -auto-create.
var creations = map[string]wire.Creation{"loopback": wire.CreateOnLoopback, "always": wire.CreateAlways, "never": wire.CreateNever}

// config returns the engine's configuration, or what is wrong with it and where that is said.
func (c *serve) config(line *kong.Context) (engine.Config, error) {
	cfg := engine.Defaults()
	c.put(&cfg)
	cfg.ACLs, cfg.SuperUsers = c.ACLs, c.SuperUser
	cfg.AutoCreate, cfg.DefaultPartitions, cfg.TransactionVersion = creations[c.AutoCreate], int32(c.Partitions), c.TransactionVersion
	cfg.Legacy = c.Legacy
	err := cfg.Check()
	var wrong *engine.ConfigError
	if errors.As(err, &wrong) {
		err = fmt.Errorf("%s: %w", strings.Join(c.Config.places(line, wrong.Fields), ", "), err)
	}
	return cfg, err
}

// Help is the long help of the command.
func (*serve) Help() string {
	return "Prints \"serving on ADDRESS\" once clients are answered. SIGINT or SIGTERM ends it in order: what was written is durable, the folder marked clean. " +
		"After kill -9 the next start recovers everything that was acknowledged."
}

// Run carries the command out.
func (c *serve) Run(s session, line *kong.Context) (err error) {
	cfg, err := c.config(line)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	if c.PrintConfig {
		return printConfig(s.out, settings(line.Selected()))
	}
	logger := logTo(s, c.JSON, c.Verbose)
	cfg.Logger = logger
	sec, err := c.security(logger)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	l, err := net.Listen("tcp", c.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("serve: %w: choose another -listen, or stop who has it", err)
	}
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	dir := logDir(c.Dir)
	e, err := engine.Open(vfs.Default, dir, cfg)
	if errors.Is(err, log.ErrLocked) {
		return errors.Join(fmt.Errorf("serve: %w: stop that program, use it through -brokers, or choose another -dir", err), l.Close())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("serve: %w", err), l.Close())
	}
	served, accepts := make(chan error, 1), &acceptor{Listener: l, first: make(chan struct{})}
	go func() { served <- e.ServeSecurely(accepts, sec) }()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		err = errors.Join(err, e.Close(ctx))
		logger.Info("closed", "dir", dir)
	}()
	if err := c.usable(e.Stats()); err != nil {
		return err
	}
	ops, stop, err := c.serveOps(e)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	c.warn(logger, l.Addr())
	select {
	case <-accepts.first:
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-s.ctx.Done():
		return nil
	}
	if err := c.announce(s, l.Addr().String(), dir, ops); err != nil {
		return err
	}
	select {
	case <-s.ctx.Done():
		logger.Info("closing", "why", context.Cause(s.ctx))
		return nil
	case err := <-served:
		return fmt.Errorf("serve: the listener ended: %w", err)
	}
}

// announce says that the server is ready.
func (c *serve) announce(s session, addr, dir, ops string) error {
	if c.JSON {
		return printJSON(s.out, struct {
			Serving string `json:"serving"`
			Dir     string `json:"dir"`
			PID     int    `json:"pid"`
			Ops     string `json:"ops,omitempty"`
		}{addr, dir, os.Getpid(), ops})
	}
	text := fmt.Sprintf("serving on %s\n", addr)
	if ops != "" {
		text += fmt.Sprintf("metrics on http://%s/metrics\n", ops)
	}
	_, err := io.WriteString(s.out, text)
	return err
}

// logTo returns the logger of a server.
func logTo(s session, asJSON, verbose bool) *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelInfo}
	if verbose {
		opts.Level = slog.LevelDebug
	}
	if asJSON {
		return slog.New(slog.NewJSONHandler(s.err, opts))
	}
	return slog.New(slog.NewTextHandler(s.err, opts))
}

// security returns what clients have to do, and refuses to serve strangers without being told to.
func (c *serve) security(logger *slog.Logger) (sec engine.Security, err error) {
	if !loopback(c.Listen) && !c.Auth && c.TLSClientCA == "" && !c.Insecure {
		return sec, fmt.Errorf("%s is beyond loopback, and clients are asked for nothing: say -auth or -tls-client-ca, listen on 127.0.0.1, or say -insecure", c.Listen)
	}
	if c.ACLs && !c.Auth && c.TLSClientCA == "" {
		return sec, errors.New("-acls is about users, and clients do not say who they are: say -auth or -tls-client-ca")
	}
	if len(c.SuperUser) > 0 && !c.ACLs {
		return sec, errors.New("-super-user without -acls: everybody may do everything")
	}
	sec.SASL = c.Auth
	if c.TLSCert == "" && c.TLSKey == "" && c.TLSClientCA == "" {
		return sec, nil
	}
	sec.TLS, err = renewed(c.TLSCert, c.TLSKey, c.TLSClientCA, logger)
	return sec, err
}

// usable refuses to serve where no client could do anything.
func (c *serve) usable(s engine.Stats) error {
	switch {
	case c.Auth && s.Users == 0:
		return fmt.Errorf("serve: -auth, and nobody could log in: add a user first, thalweg users add NAME -dir %s", c.Dir)
	case c.ACLs && s.ACLs == 0 && len(c.SuperUser) == 0:
		return fmt.Errorf("serve: -acls, and nobody could do anything: name a -super-user, or add ACLs first, thalweg acls allow NAME OPERATION -topic TOPIC -dir %s", c.Dir)
	}
	return nil
}

// warn says aloud what is open to others.
func (c *serve) warn(logger *slog.Logger, addr net.Addr) {
	switch {
	case loopback(c.Listen):
	case !c.Auth && c.TLSClientCA == "":
		logger.Warn("insecure: anybody who reaches this address can read and write everything", "addr", addr)
	case c.TLSCert == "":
		logger.Warn("without -tls-cert, records and logins pass over the network in the clear", "addr", addr)
	}
}

// acceptor is a listener that says when it is first asked for a client: by then the server's address stands in the
// lock file.
type acceptor struct {
	net.Listener
	once  sync.Once
	first chan struct{}
}

func (a *acceptor) Accept() (net.Conn, error) {
	a.once.Do(func() { close(a.first) })
	return a.Listener.Accept()
}

// logDir returns the folder of the log itself: dir, or the one a program that embeds the engine has in it.
func logDir(dir string) string {
	inner := filepath.Join(dir, "log")
	if exists(filepath.Join(inner, "LOCK")) && !exists(filepath.Join(dir, "LOCK")) {
		return inner
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// loopback reports whether an address to listen on is of this machine alone.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
