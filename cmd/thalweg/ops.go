package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/thalweg/thalweg/internal/engine"
	"github.com/thalweg/thalweg/internal/engine/metrics"
)

// serveOps serves metrics and health on -ops, until stop, and returns where.
func (c *serve) serveOps(e *engine.Engine) (addr string, stop func() error, err error) {
	if c.Ops == "" {
		if c.OpsTokenFile != "" {
			return "", nil, errors.New("-ops-token-file without -ops")
		}
		return "", func() error { return nil }, nil
	}
	token, err := c.opsToken()
	if err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", c.Ops)
	if err != nil {
		return "", nil, fmt.Errorf("-ops: %w", err)
	}
	s := &http.Server{Handler: metrics.Handler(e, token), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	return l.Addr().String(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		err := s.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.Close() // connections on which nothing has been asked so far
		}
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	}, nil
}

// opsToken returns the token of -ops, "" for none, which beyond loopback there has to be.
func (c *serve) opsToken() (string, error) {
	if c.OpsTokenFile == "" {
		if !loopback(c.Ops) && !c.Insecure {
			return "", fmt.Errorf("-ops %s is beyond loopback: say -ops-token-file, listen on 127.0.0.1, or say -insecure", c.Ops)
		}
		return "", nil
	}
	f, err := os.Open(c.OpsTokenFile)
	if err != nil {
		return "", fmt.Errorf("-ops-token-file: %w", err)
	}
	defer f.Close()
	line := bufio.NewScanner(f)
	if line.Scan(); line.Err() != nil {
		return "", fmt.Errorf("-ops-token-file: %w", line.Err())
	}
	token := strings.TrimSpace(line.Text())
	if token == "" {
		return "", fmt.Errorf("-ops-token-file %s: its first line is empty", c.OpsTokenFile)
	}
	return token, nil
}
