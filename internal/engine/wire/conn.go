package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Times a connection is given, by the clock of the machine: they guard against dead peers alone.
const (
	idleTimeout  = 10 * time.Minute // between two requests
	frameTimeout = 30 * time.Second // from a frame's length to its end
	writeTimeout = 60 * time.Second // of one response
)

// conn is one connection. A reader takes requests in their order and calls their handlers; a writer finishes them in
// the same order and answers. A request that must see its predecessor answered waits for it in the reader, which by
// then holds one frame and so would have noticed the peer's going away while the predecessor waited.
type conn struct {
	server   *Server
	nc       net.Conn
	listener net.Listener
	host     string // of the client
	addr     address

	ctx    context.Context // ends with the connection; while the server drains it goes on
	cancel context.CancelFunc

	queue       chan *request
	outstanding atomic.Int32
	last        *request // reader's: the request handled before
	draining    atomic.Bool

	software string                 // reader's: what ApiVersions said of the client
	login    login                  // reader's
	user     atomic.Pointer[string] // who the client is; nil: nobody has asked, or not yet
	access   access
	stranger bool // under the server's mu: counted as one
}

// address is what the clients of a listener are told.
type address struct {
	host string
	port int32
}

func newConn(s *Server, nc net.Conn, l net.Listener, sec Security) *conn {
	c := &conn{server: s, nc: nc, listener: l, queue: make(chan *request, s.cfg.MaxPipelined)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.host, _, _ = net.SplitHostPort(nc.RemoteAddr().String())
	c.addr = advertised(l.Addr(), nc.LocalAddr())
	c.access.all = sec.Super
	c.login = login{needed: sec.SASL, deadline: time.Now().Add(loginTimeout)}
	return c
}

// advertised returns the address of the listener; one that listens everywhere is known by the address the client
// reached it at.
func advertised(listener, local net.Addr) address {
	a := split(listener)
	if ip := net.ParseIP(a.host); ip != nil && ip.IsUnspecified() || a.host == "" {
		a.host = split(local).host
	}
	return a
}

func split(a net.Addr) address {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return address{host: a.String()}
	}
	n, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		return address{host: host}
	}
	return address{host: host, port: int32(n)}
}

// serve runs the connection to its end.
func (c *conn) serve() {
	var writer sync.WaitGroup
	writer.Go(c.write)
	err := c.handshake()
	if err == nil {
		err = c.read()
	}
	close(c.queue)
	if !c.draining.Load() {
		c.cancel() // whoever waits for records or members waits no more
	}
	writer.Wait()
	c.cancel()
	told := !isGone(err) && !c.draining.Load() // before the client sees the end: the server may be closed for it
	c.nc.Close()
	if told {
		c.server.cfg.Logger.Warn("connection closed", "remote", c.nc.RemoteAddr().String(), "client", c.software, "err", err)
	}
}

// isGone reports whether err is only the peer's or our own closing.
func isGone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded) || isReset(err)
}

// drain ends the connection after the requests already read.
func (c *conn) drain() {
	c.draining.Store(true)
	c.nc.SetReadDeadline(time.Unix(1, 0))
}

// kill ends the connection at once.
func (c *conn) kill() {
	c.cancel()
	c.nc.Close()
}

func (c *conn) read() error {
	for {
		frame, err := c.frame()
		if err != nil {
			return err
		}
		began := c.server.cfg.Clock.Now()
		var r *request
		if c.login.raw {
			r = c.openToken(frame)
		} else if r, err = c.open(frame); err != nil {
			c.server.budget.give(int64(len(frame)))
			return err
		}
		r.began = began
		if err := c.follow(r); err != nil {
			return err
		}
	}
}

// follow handles r once its predecessor allows it and queues it for the writer.
func (c *conn) follow(r *request) error {
	if p := c.last; p != nil && p.finish != nil && !p.pipelined {
		if err := c.turn(r, p); err != nil {
			r.release()
			return err
		}
	}
	r.resp = r.api.handle(r)
	c.last = r
	c.outstanding.Add(1)
	select {
	case c.queue <- r:
	case <-c.ctx.Done():
		c.outstanding.Add(-1)
		r.release()
		return c.ctx.Err()
	}
	if r.final != nil {
		select {
		case <-r.done:
		case <-c.ctx.Done():
		}
		return r.final
	}
	return r.failed
}

// turn waits until the answer to p is written: what r takes is counted from then on.
func (c *conn) turn(r, p *request) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	select {
	case <-p.done:
		r.began = c.server.cfg.Clock.Now()
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// frame reads one frame without its length.
func (c *conn) frame() ([]byte, error) {
	var head [4]byte
	if err := c.head(head[:]); err != nil {
		return nil, err
	}
	size := int32(binary.BigEndian.Uint32(head[:]))
	if size < c.minFrame() || size > c.maxFrame() {
		return nil, fmt.Errorf("wire: frame of %d bytes, the most is %d", size, c.maxFrame())
	}
	if err := c.server.budget.take(c.ctx, int64(size)); err != nil {
		return nil, err
	}
	c.nc.SetReadDeadline(c.within(frameTimeout))
	b, err := readGrowing(c.nc, int(size))
	if err != nil {
		c.server.budget.give(int64(size))
		return nil, err
	}
	c.server.counters.received.Add(int64(len(head)) + int64(size))
	return b, nil
}

// head reads the length of a frame; a connection that waits for an answer of ours is not idle.
func (c *conn) head(b []byte) error {
	for {
		if c.draining.Load() {
			return net.ErrClosed
		}
		c.nc.SetReadDeadline(c.within(idleTimeout))
		if c.draining.Load() { // drain's deadline may have come before ours
			return net.ErrClosed
		}
		n, err := io.ReadFull(c.nc, b)
		if err == nil {
			return nil
		}
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.outstanding.Load() > 0 && !c.draining.Load() && !c.login.needed {
			continue
		}
		return err
	}
}

// grownFrom is the largest frame whose memory is taken before its bytes have come.
const grownFrom = 1 << 20

// readGrowing reads size bytes; it takes memory as they arrive.
func readGrowing(r io.Reader, size int) ([]byte, error) {
	b := getBuffer(min(size, grownFrom))[:min(size, grownFrom)]
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	for len(b) < size {
		n := min(size, 2*len(b))
		grown := make([]byte, n)
		copy(grown, b)
		if _, err := io.ReadFull(r, grown[len(b):]); err != nil {
			return nil, err
		}
		b = grown
	}
	return b, nil
}

// write finishes and answers requests until the reader has ended. After an error it only lets go of them.
func (c *conn) write() {
	broken := false
	for r := range c.queue {
		if !broken {
			if err := c.answer(r); err != nil {
				broken = true
				c.cancel()
				c.nc.Close()
			} else {
				c.server.counters.took(r, c.server.cfg.Clock.Now())
			}
		}
		c.outstanding.Add(-1)
		r.release()
		close(r.done)
	}
}

// answer waits for what r waits for and writes its response.
func (c *conn) answer(r *request) error {
	if r.finish != nil {
		if err := r.finish(c.ctx); err != nil {
			return err
		}
	}
	c.server.counters.answered(r)
	if r.failed != nil {
		return r.failed
	}
	if r.resp == nil && r.token == nil {
		return nil // acks=0
	}
	b := getBuffer(r.sizeHint)
	frame := r.encode(b)
	c.nc.SetWriteDeadline(time.Now().Add(writeTimeout))
	n, err := frame.WriteTo(c.nc)
	c.server.counters.sent.Add(n)
	putBuffer(b)
	return err
}

// encode returns the frame of the response. What is not in buffers of its own is appended to b.
func (r *request) encode(b []byte) net.Buffers {
	if r.token != nil {
		return net.Buffers{append(binary.BigEndian.AppendUint32(b, uint32(len(r.token))), r.token...)}
	}
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(r.correlation))
	if r.resp.IsFlexible() && r.resp.Key() != int16(kmsg.ApiVersions) {
		b = append(b, 0) // no tagged fields in the header
	}
	s := spliced{head: b}
	if resp, ok := r.resp.(*kmsg.FetchResponse); ok {
		s.appendFetch(resp)
	} else {
		s.head = r.resp.AppendTo(b)
	}
	return s.pieces()
}
