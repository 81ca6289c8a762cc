package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/thalweg/thalweg/internal/registry"
	"github.com/thalweg/thalweg/internal/registry/topic"
)

// schemaRegistry serves a schema registry until a signal.
type schemaRegistry struct {
	cluster     `embed:""`
	Listen      string `help:"Address to serve on (default ${default}). Port 0 takes a free one." default:"127.0.0.1:8081" placeholder:"HOST:PORT"`
	Insecure    bool   `help:"Allow an address beyond loopback, where anybody who reaches it can read and change schemas."`
	Topic       string `help:"Compacted topic of the schemas (default ${default}); it is made if there is none." default:"_schemas"`
	Replication int16  `help:"Replication of a new topic; -1: the cluster's default." default:"-1"`
	JSON        bool   `help:"Print and log JSON." name:"json"`
	Verbose     bool   `help:"Log more."`
}

// Help is the long help of the command.
func (*schemaRegistry) Help() string {
	return "Speaks the HTTP interface of the Confluent Schema Registry, and keeps the schemas in that one's layout: an existing _schemas topic is taken over as it is. " +
		"Prints \"registry on URL\" once it answers. A second registry on the same topic takes over from the first, which then ends."
}

// Limits of connections.
const (
	headerTime  = 10 * time.Second
	requestTime = 30 * time.Second
	idleTime    = 2 * time.Minute
)

// Run carries the command out.
func (c *schemaRegistry) Run(s session) (err error) {
	if !loopback(c.Listen) && !c.Insecure {
		return fmt.Errorf("registry: %s is beyond loopback, and the registry asks nobody for credentials: listen on 127.0.0.1, or say -insecure", c.Listen)
	}
	client, err := c.dial(s.ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	l, err := net.Listen("tcp", c.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("registry: %w: choose another -listen, or stop who has it", err)
	}
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	log, err := topic.Open(s.ctx, client, c.Topic, c.Replication)
	if err != nil {
		return errors.Join(fmt.Errorf("registry: %w", err), l.Close())
	}
	defer log.Close()
	r, err := registry.Open(s.ctx, log)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	return c.serve(s, l, r)
}

// serve answers requests until the session ends or the registry cannot go on.
func (c *schemaRegistry) serve(s session, l net.Listener, r *registry.Registry) error {
	logger := logTo(s, c.JSON, c.Verbose)
	server := &http.Server{
		Handler: registry.Handler(r, logger), ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: requestTime, IdleTimeout: idleTime,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	if err := c.announce(s, "http://"+l.Addr().String()); err != nil {
		return errors.Join(err, server.Close())
	}
	var why error
	select {
	case <-s.ctx.Done():
	case why = <-r.Failed():
	case err := <-served:
		return fmt.Errorf("registry: the listener ended: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	err := errors.Join(why, server.Shutdown(ctx))
	<-served
	return err
}

func (c *schemaRegistry) announce(s session, url string) error {
	if c.JSON {
		return printJSON(s.out, struct {
			Registry string `json:"registry"`
			Topic    string `json:"topic"`
		}{url, c.Topic})
	}
	_, err := fmt.Fprintf(s.out, "registry on %s\n", url)
	return err
}
