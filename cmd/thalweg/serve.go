package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine"
	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/kafka"
)

// drain is how long connections may take to end after a signal.
const drain = 20 * time.Second

// serve runs the engine until a signal.
type serve struct {
	Dir                string `help:"Folder of the log (default ${default}). That of a program which has ended serves that program's log." default:"thalweg" placeholder:"DIR"`
	Listen             string `help:"Address to serve on (default ${default}). Port 0 takes a free one." default:"127.0.0.1:9092" placeholder:"HOST:PORT"`
	Insecure           bool   `help:"Allow an address beyond loopback, where anybody who reaches it can read and write everything."`
	AutoCreate         bool   `help:"Make topics on first use."`
	Partitions         int32  `help:"Partitions of topics that do not say how many." default:"1"`
	TransactionVersion int    `help:"Version of the transaction protocol, 1 or 2." default:"2" enum:"1,2"`
	JSON               bool   `help:"Print and log JSON." name:"json"`
	Verbose            bool   `help:"Log more."`
}

// Help is the long help of the command.
func (*serve) Help() string {
	return "Prints \"serving on ADDRESS\" once clients are answered. SIGINT or SIGTERM ends it in order: what was written is durable, the folder marked clean. " +
		"After kill -9 the next start recovers everything that was acknowledged."
}

// Run carries the command out.
func (c *serve) Run(s session) (err error) {
	if !loopback(c.Listen) && !c.Insecure {
		return fmt.Errorf("serve: %s is beyond loopback, and the engine asks nobody for credentials: listen on 127.0.0.1, or say -insecure", c.Listen)
	}
	logger := logTo(s, c.JSON, c.Verbose)
	cfg := engine.Defaults()
	cfg.Logger, cfg.AutoCreate, cfg.DefaultPartitions, cfg.TransactionVersion = logger, c.AutoCreate, c.Partitions, c.TransactionVersion
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
	served := make(chan error, 1)
	go func() { served <- e.Serve(l) }()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		err = errors.Join(err, e.Close(ctx))
		logger.Info("closed", "dir", dir)
	}()
	if c.Insecure {
		logger.Warn("insecure: anybody who reaches this address can read and write everything", "addr", l.Addr())
	}
	if err := answers(s.ctx, l.Addr().String()); err != nil {
		select {
		case err := <-served:
			return fmt.Errorf("serve: %w", err)
		case <-s.ctx.Done():
			return nil
		default:
			return fmt.Errorf("serve: %w", err)
		}
	}
	if err := c.announce(s, l.Addr().String(), dir); err != nil {
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
func (c *serve) announce(s session, addr, dir string) error {
	if c.JSON {
		return printJSON(s.out, struct {
			Serving string `json:"serving"`
			Dir     string `json:"dir"`
			PID     int    `json:"pid"`
		}{addr, dir, os.Getpid()})
	}
	_, err := fmt.Fprintf(s.out, "serving on %s\n", addr)
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

// answers returns once the server answers, by which time its address stands in the lock file.
func answers(ctx context.Context, addr string) error {
	c, err := kafka.Dial(ctx, kafka.Config{Brokers: []string{addr}, ClientID: "thalweg-serve", Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		c.Close()
	}
	return err
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
