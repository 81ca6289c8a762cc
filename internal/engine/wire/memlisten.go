package wire

import (
	"context"
	"net"
	"sync"
)

// MemListener accepts connections made inside the process.
type MemListener struct {
	addr  memAddr
	queue chan net.Conn
	once  sync.Once
	done  chan struct{}
}

// NewMemListener returns a listener at the pseudo address addr, in the form host:port.
func NewMemListener(addr string) *MemListener {
	return &MemListener{addr: memAddr(addr), queue: make(chan net.Conn), done: make(chan struct{})}
}

// Accept waits for a Dial.
func (l *MemListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Dial returns the client's end of a new connection.
func (l *MemListener) Dial(ctx context.Context) (net.Conn, error) {
	client, server := memPipe("memory", l.addr)
	select {
	case l.queue <- server:
		return client, nil
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: l.addr, Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: l.addr, Err: ctx.Err()}
	}
}

// Close makes Accept and Dial fail.
func (l *MemListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr returns the pseudo address.
func (l *MemListener) Addr() net.Addr { return l.addr }
