package wire

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// ringBytes is the buffer of each direction of a memory connection.
const ringBytes = 128 << 10

// memAddr is the address of a memory connection's end.
type memAddr string

func (memAddr) Network() string  { return "memory" }
func (a memAddr) String() string { return string(a) }

// ring carries bytes one way: a bounded buffer that a writer fills and a reader drains.
type ring struct {
	mu       sync.Mutex
	readable sync.Cond // bytes arrived, the writer closed, or the read deadline changed
	writable sync.Cond // room was made, the reader closed, or the write deadline changed

	// mu protects the following fields.
	buf          []byte // allocated by the first write
	start, used  int
	writerClosed bool // what is buffered can still be read
	readerClosed bool // writes fail
	read, write  deadline
}

// deadline is one side's deadline. gen tells an outdated timer from the current one.
type deadline struct {
	passed bool
	gen    int
	timer  *time.Timer
}

func newRing() *ring {
	r := &ring{}
	r.readable.L, r.writable.L = &r.mu, &r.mu
	return r
}

func (r *ring) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		switch {
		case r.readerClosed:
			return 0, io.ErrClosedPipe
		case r.read.passed:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case r.used > 0:
			n := r.take(p)
			r.writable.Signal()
			return n, nil
		case r.writerClosed:
			return 0, io.EOF
		}
		r.readable.Wait()
	}
}

// take copies buffered bytes to p.
func (r *ring) take(p []byte) int {
	n := 0
	for r.used > 0 && n < len(p) {
		end := min(r.start+r.used, len(r.buf))
		c := copy(p[n:], r.buf[r.start:end])
		n += c
		r.used -= c
		if r.start += c; r.start == len(r.buf) {
			r.start = 0
		}
	}
	return n
}

func (r *ring) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for {
		switch {
		case r.readerClosed || r.writerClosed:
			return n, io.ErrClosedPipe
		case r.write.passed:
			return n, os.ErrDeadlineExceeded
		case n == len(p):
			return n, nil
		case r.used < ringBytes:
			n += r.give(p[n:])
			r.readable.Signal()
			continue
		}
		r.writable.Wait()
	}
}

// give copies p into the free room.
func (r *ring) give(p []byte) int {
	if r.buf == nil {
		r.buf = make([]byte, ringBytes)
	}
	n := 0
	for r.used < len(r.buf) && n < len(p) {
		at := (r.start + r.used) % len(r.buf)
		end := len(r.buf)
		if at < r.start {
			end = r.start
		}
		c := copy(r.buf[at:end], p[n:])
		n += c
		r.used += c
	}
	return n
}

// close ends one side and wakes both.
func (r *ring) close(reader bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if reader {
		r.readerClosed, r.buf, r.used = true, nil, 0
	} else {
		r.writerClosed = true
	}
	r.readable.Broadcast()
	r.writable.Broadcast()
}

// setDeadline changes one side's deadline and wakes whoever waits there.
func (r *ring) setDeadline(d *deadline, c *sync.Cond, t time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d.gen++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.passed = false
	if !t.IsZero() {
		if left := time.Until(t); left <= 0 {
			d.passed = true
		} else {
			gen := d.gen
			d.timer = time.AfterFunc(left, func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				if d.gen == gen {
					d.passed = true
					c.Broadcast()
				}
			})
		}
	}
	c.Broadcast()
}

// memConn is one end of a connection inside the process.
type memConn struct {
	in, out       *ring
	local, remote memAddr
}

// memPipe returns the two ends of a connection.
func memPipe(client, server memAddr) (clientEnd, serverEnd net.Conn) {
	up, down := newRing(), newRing()
	return &memConn{in: down, out: up, local: client, remote: server}, &memConn{in: up, out: down, local: server, remote: client}
}

func (c *memConn) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	return n, c.wrap("read", err)
}

func (c *memConn) Write(p []byte) (int, error) {
	n, err := c.out.Write(p)
	return n, c.wrap("write", err)
}

func (c *memConn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "memory", Source: c.local, Addr: c.remote, Err: err}
}

// Close closes both directions. The peer can still read what was written before.
func (c *memConn) Close() error {
	c.in.close(true)
	c.out.close(false)
	c.in.setDeadline(&c.in.read, &c.in.readable, time.Time{})
	c.out.setDeadline(&c.out.write, &c.out.writable, time.Time{})
	return nil
}

func (c *memConn) LocalAddr() net.Addr  { return c.local }
func (c *memConn) RemoteAddr() net.Addr { return c.remote }

func (c *memConn) SetDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.read, &c.in.readable, t)
	c.out.setDeadline(&c.out.write, &c.out.writable, t)
	return nil
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.read, &c.in.readable, t)
	return nil
}

func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.write, &c.out.writable, t)
	return nil
}
