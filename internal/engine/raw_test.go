package engine

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// rawConn is a connection on which tests send frames of their own making.
type rawConn struct {
	t *testing.T
	net.Conn
}

func rawDial(t *testing.T, e *Engine) *rawConn {
	t.Helper()
	c, err := e.Dial(testContext(t), "tcp", e.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return &rawConn{t, c}
}

// header returns the header of a request of the given version.
func header(key, version int16, correlation int32, flexible bool) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, uint32(correlation))
	b = append(b, 0, 3, 'r', 'a', 'w')
	if flexible {
		b = append(b, 0)
	}
	return b
}

func (c *rawConn) send(frame []byte) {
	c.t.Helper()
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *rawConn) request(req kmsg.Request, version int16, correlation int32) {
	c.t.Helper()
	req.SetVersion(version)
	c.send(req.AppendTo(header(req.Key(), version, correlation, req.IsFlexible())))
}

// receive returns the next frame: its correlation id and what follows it.
func (c *rawConn) receive() (int32, []byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return 0, nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:])-4)
	if _, err := io.ReadFull(c, body); err != nil {
		return 0, nil, err
	}
	return int32(binary.BigEndian.Uint32(head[4:])), body, nil
}

func (c *rawConn) response(req kmsg.Request) kmsg.Response {
	c.t.Helper()
	_, body, err := c.receive()
	if err != nil {
		c.t.Fatal(err)
	}
	resp := req.ResponseKind()
	if resp.IsFlexible() && req.Key() != int16(kmsg.ApiVersions) {
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		c.t.Fatal(err)
	}
	return resp
}

// rawRequest sends a request in a version of the test's choosing.
func rawRequest(t *testing.T, e *Engine, req kmsg.Request, version int16) kmsg.Response {
	t.Helper()
	c := rawDial(t, e)
	c.request(req, version, 1)
	return c.response(req)
}
