package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/kafka"
)

// cluster is where a tool finds its topics.
type cluster struct {
	Brokers     []string `help:"Kafka addresses, comma-separated." placeholder:"HOST:PORT,..."`
	Dir         string   `help:"Without -brokers: folder of a running server, or of a running program that listens (stream.Config.Listen); default ${default}." default:"thalweg" placeholder:"DIR"`
	credentials `embed:""`
}

// contact bounds how long brokers may take to answer at first.
const contact = 10 * time.Second

// dial connects to the brokers, or to the engine that runs on the folder.
func (c *cluster) dial(ctx context.Context) (*kafka.Client, error) {
	addrs, where := c.Brokers, "-brokers "+strings.Join(c.Brokers, ",")
	if len(addrs) == 0 {
		addr, err := running(c.Dir)
		if err != nil {
			return nil, err
		}
		addrs, where = []string{addr}, "-dir "+c.Dir
	}
	cfg := kafka.Config{Brokers: addrs, ClientID: "thalweg", Logger: slog.New(slog.DiscardHandler)}
	var err error
	if cfg.SASL, err = c.sasl(); err != nil {
		return nil, err
	}
	if cfg.TLS, err = c.tls(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, contact)
	defer cancel()
	if err := reachable(ctx, addrs); err != nil {
		return nil, fmt.Errorf("%s: no broker can be reached: %w", where, err)
	}
	client, err := kafka.Dial(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	return client, nil
}

// reachable returns nil if one of the addresses takes a connection. The client itself would try for long.
func reachable(ctx context.Context, addrs []string) error {
	var errs []error
	for _, a := range addrs {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", a)
		if err == nil {
			return conn.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Why there is no server on a folder.
var (
	errNeverRan = errors.New("no engine has run there")
	errEnded    = errors.New("does not run any more")
)

// running returns the address of the engine that runs on a folder.
func running(dir string) (string, error) {
	inner := logDir(dir)
	pid, addr, err := log.Owner(vfs.Default, inner)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("-dir %s: %w: give -brokers, or the folder of a server or program that runs", dir, errNeverRan)
	}
	if err != nil {
		return "", fmt.Errorf("-dir %s: %w", dir, err)
	}
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Signal(syscall.Signal(0))
	}
	if err != nil && !errors.Is(err, syscall.EPERM) {
		return "", fmt.Errorf("-dir %s: its last program (pid %d) %w: start it again, or run thalweg serve -dir %s", dir, pid, errEnded, dir)
	}
	if addr == "" {
		return "", fmt.Errorf("-dir %s: the program there (pid %d) serves nobody else: start it with an address to listen on (stream.Config.Listen)", dir, pid)
	}
	return addr, nil
}
