// Package wire is the engine's side of the Kafka protocol: listeners and connections, frames, and one numbered file
// for each API. A handler decodes nothing and waits for nothing it need not: frames are checked against a table of
// shapes before they are decoded, and what a handler has to wait for (the disk, a rebalance, records to arrive) it
// leaves to the connection's writer.
package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/coord"
	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// nodeID is the id of the only broker and of the controller.
const nodeID = 1

// Config of a Server. All fields but the numbers with a meaning of zero are needed.
type Config struct {
	Clock              log.Clock
	Logger             *slog.Logger
	AutoCreate         Creation
	DefaultPartitions  int32
	TransactionVersion int16
	MaxFrame           int32
	ClampReplication   bool
	Legacy             bool     // message sets, in Produce v0-2 and Fetch v0-3, are converted
	ACLs               bool     // what is not allowed by an ACL is refused
	SuperUsers         []string // principals who may do everything
	MaxConnections     int      // open at a time; 0: 10000
	MaxInFlight        int64    // bytes of requests being served, of all connections; 0: 512 MiB
	MaxPipelined       int      // requests of a connection that may wait for the disk at once; 0: 64
}

// Server answers requests on any number of listeners.
type Server struct {
	cfg      Config
	dir      *log.Dir
	meta     *meta.Store
	groups   *coord.Groups
	txns     *coord.Txns
	waiters  *waiters
	sessions *sessions
	budget   *budget
	openers  *openers
	failures auth.Failures
	counters *counters

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	wg     sync.WaitGroup // connections

	mu        sync.Mutex // protects following fields
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	strangers map[string]int // host -> connections whose client has not logged in
}

// NewServer returns a server over the given parts, which the caller closes after it.
func NewServer(cfg Config, dir *log.Dir, store *meta.Store, groups *coord.Groups, txns *coord.Txns) *Server {
	if cfg.MaxConnections == 0 {
		cfg.MaxConnections = 10_000
	}
	if cfg.MaxInFlight == 0 {
		cfg.MaxInFlight = 512 << 20
	}
	if cfg.MaxPipelined == 0 {
		cfg.MaxPipelined = 64
	}
	s := &Server{
		cfg: cfg, dir: dir, meta: store, groups: groups, txns: txns,
		waiters: newWaiters(), sessions: newSessions(cfg.Clock), budget: newBudget(cfg.MaxInFlight), openers: newOpeners(), counters: newCounters(),
		listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{}, strangers: map[string]int{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Advanced wakes the fetches that wait for p. It is called without locks after more of p became readable.
func (s *Server) Advanced(p *log.Partition) { s.waiters.wake(p.ID()) }

// Serve accepts connections from l until Close, then returns nil. Clients on them are told the address of l.
func (s *Server) Serve(l net.Listener, sec Security) error {
	if sec.TLS != nil {
		l = tls.NewListener(l, sec.TLS)
	}
	s.mu.Lock()
	if s.ctx.Err() != nil {
		s.mu.Unlock()
		l.Close()
		return nil
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
		l.Close()
	}()
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			s.start(c, l, sec)
		case s.ctx.Err() != nil:
			return nil
		case isTemporary(err):
			s.cfg.Logger.Warn("accept failed", "listener", l.Addr().String(), "err", err)
			if !s.pause(100 * time.Millisecond) {
				return nil
			}
		default:
			return fmt.Errorf("wire: accept on %s: %w", l.Addr(), err)
		}
	}
}

// isTemporary reports whether Accept may succeed later: file descriptors ran out, a peer was gone too soon.
func isTemporary(err error) bool {
	var ne net.Error
	return !errors.Is(err, net.ErrClosed) && errors.As(err, &ne)
}

// pause waits for d; it returns false if the server closes meanwhile.
func (s *Server) pause(d time.Duration) bool {
	done := make(chan struct{})
	stop := s.cfg.Clock.AfterFunc(d, func() { close(done) })
	defer stop()
	select {
	case <-done:
		return true
	case <-s.ctx.Done():
		return false
	}
}

func (s *Server) start(nc net.Conn, l net.Listener, sec Security) {
	c := newConn(s, nc, l, sec)
	s.mu.Lock()
	if s.ctx.Err() != nil || len(s.conns) >= s.cfg.MaxConnections || sec.SASL && !s.stranger(c) {
		full := s.ctx.Err() == nil
		s.mu.Unlock()
		nc.Close()
		if full {
			s.counters.refused.Add(1)
			s.cfg.Logger.Warn("connection refused: too many are open", "remote", nc.RemoteAddr().String(), "limit", s.cfg.MaxConnections, "limit_before_login", maxStrangers)
		}
		return
	}
	s.counters.accepted.Add(1)
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.wg.Done()
		c.serve()
		s.known(c)
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
}

// Connections returns how many are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Close stops listening, lets requests under way end with what they have, and closes the connections. When ctx ends
// first the connections are cut and Close returns ctx's error.
func (s *Server) Close(ctx context.Context) error {
	s.cancel()
	s.mu.Lock()
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		c.drain()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		c.kill()
	}
	s.mu.Unlock()
	<-done
	return ctx.Err()
}
