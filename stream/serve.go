package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/thalweg/thalweg/internal/engine"
	"github.com/thalweg/thalweg/state"
)

// listen has the bundled engine serve others too: the engine writes the address into the directory's lock file, where tools find it.
func listen(eng *engine.Engine, cfg Config) error {
	switch s := eng.Stats(); {
	case cfg.Access.Login && s.Users == 0:
		return fmt.Errorf("stream: Config.Access.Login, and nobody could log in: add a user first, thalweg users add NAME -dir %s", cfg.Dir)
	case cfg.Access.ACLs && s.ACLs == 0 && len(cfg.Access.Super) == 0:
		return fmt.Errorf("stream: Config.Access.ACLs, and nobody who comes by Listen could do anything: set Access.Super, or add ACLs first, "+
			"thalweg acls allow NAME OPERATION -topic TOPIC -dir %s", cfg.Dir)
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("stream: Config.Listen: %w: choose another address, or stop who has it", err)
	}
	if !loopback(cfg.Listen) && cfg.Access.TLS == nil {
		cfg.Logger.Warn("without Config.Access.TLS, records and logins pass over the network in the clear", "addr", l.Addr())
	}
	go func() {
		if err := eng.ServeSecurely(l, engine.Security{TLS: cfg.Access.TLS, SASL: cfg.Access.Login}); err != nil { // ends with the engine's Close, which waits for it
			cfg.Logger.Error("the bundled engine's listener ended", "addr", l.Addr(), "err", err)
		}
	}()
	return nil
}

// serveOps serves metrics, probes and queries on Config.Ops.Addr.
func (a *App) serveOps() (stop func() error, err error) {
	a.addr = a.cfg.Ops.Advertise
	if !a.cfg.Ops.Queries {
		a.addr = ""
	}
	if a.cfg.Ops.Addr == "" {
		return func() error { return nil }, nil
	}
	l, err := net.Listen("tcp", a.cfg.Ops.Addr)
	if err != nil {
		return nil, fmt.Errorf("stream: Config.Ops.Addr: %w: choose another address, or stop who has it", err)
	}
	if a.cfg.Ops.Queries && a.addr == "" {
		a.addr = l.Addr().String()
	}
	a.cfg.Logger.Info("serving metrics and probes", "addr", l.Addr(), "queries", a.cfg.Ops.Queries)
	if a.cfg.Ops.TLS != nil {
		l = tls.NewListener(l, a.cfg.Ops.TLS)
	}
	ctx, cancel := context.WithCancelCause(context.Background()) // of every request
	s := &http.Server{Handler: a.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	return func() error {
		cancel(fmt.Errorf("%w: this instance stops", state.ErrRebalancing))
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		err := s.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.Close() // connections on which nothing has been asked so far
		}
		if e := <-done; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	}, nil
}
