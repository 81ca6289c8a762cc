package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// request is one request from its frame to its answer.
type request struct {
	*Server
	conn *conn

	frame       []byte
	api         *api
	version     int16
	correlation int32
	client      string
	body        kmsg.Request // bytes in it alias frame

	began time.Time     // when it was read; if one before it had to be answered first, then
	idle  time.Duration // for which nothing could be done for it: what it waited for was to happen elsewhere

	// The handler sets the following, before it returns.
	finish    func(ctx context.Context) error // waits, and completes resp; an error closes the connection
	pipelined bool                            // the next request need not wait for the answer to this one
	failed    error                           // close the connection after the answers before
	final     error                           // close it after the answer to this one
	token     []byte                          // the answer, if that is a bare token

	resp     kmsg.Response // nil: none
	sizeHint int           // of the response
	buffers  [][]byte      // to be recycled after the answer
	done     chan struct{} // closed after the answer
}

// open parses the header of a frame, applies the version gate and decodes the body.
func (c *conn) open(frame []byte) (*request, error) {
	r := &request{Server: c.server, conn: c, frame: frame, done: make(chan struct{})}
	key := int16(binary.BigEndian.Uint16(frame))
	r.version = int16(binary.BigEndian.Uint16(frame[2:]))
	r.correlation = int32(binary.BigEndian.Uint32(frame[4:]))
	r.api = apis[key]
	if r.api == nil {
		return nil, fmt.Errorf("wire: request with unknown api key %d, version %d", key, r.version)
	}
	if c.login.needed && !r.api.early {
		return nil, fmt.Errorf("wire: %s version %d before a login", r.api.name, r.version)
	}
	_, lowest := c.server.lowest(r.api)
	unsupported := r.version < lowest || r.version > r.api.max
	if unsupported && key == int16(kmsg.ApiVersions) {
		// The client asks in a version of ours: it is answered in the oldest, with the error and the table.
		r.version = 0
		r.api = &api{key: key, handle: unsupportedApiVersions}
		r.body = kmsg.NewPtrApiVersionsRequest()
		return r, nil
	}
	rest, err := r.clientID(frame[8:])
	if err != nil {
		return nil, err
	}
	if unsupported {
		return nil, r.notServed(lowest)
	}
	if err := r.decode(rest); err != nil {
		return nil, fmt.Errorf("wire: client %q: %s version %d: %w", r.client, r.api.name, r.version, err)
	}
	return r, nil
}

// notServed says that a version is not, and what can be done where that is the server's setting.
func (r *request) notServed(lowest int16) error {
	way := ""
	if r.api.legacy && r.version >= 0 && r.version < lowest {
		way = ": clients older than Kafka 0.11 are served with -legacy (engine.Config.Legacy)"
	}
	return fmt.Errorf("wire: client %q (%s): %s version %d is not served, only %d to %d are%s", r.client, r.conn.software, r.api.name, r.version, lowest, r.api.max, way)
}

// clientID reads the client's id, the last part of the header that does not depend on the version.
func (r *request) clientID(b []byte) (rest []byte, err error) {
	w := walker{b: b}
	n, err := w.length(2)
	if err != nil {
		return nil, err
	}
	if n > len(w.b) {
		return nil, errShort
	}
	r.client = string(w.b[:max(n, 0)])
	return w.b[max(n, 0):], nil
}

func (r *request) decode(b []byte) error {
	r.body = kmsg.RequestForKey(r.api.key)
	r.body.SetVersion(r.version)
	flexible := r.body.IsFlexible()
	if flexible {
		w := walker{b: b}
		if err := w.tags(); err != nil {
			return err
		}
		b = w.b
	}
	if err := r.api.shape.walk(b, r.version, flexible, r.api.elements(len(r.frame))); err != nil {
		return err
	}
	return r.body.ReadFrom(b)
}

// idles notes that nothing was to be done for r since a time.
func (r *request) idles(since time.Time) { r.idle += r.cfg.Clock.Now().Sub(since) }

// release lets go of the request's memory. Nothing decoded from the frame may be used after it.
func (r *request) release() {
	if r.frame == nil {
		return
	}
	r.budget.give(int64(len(r.frame)))
	putBuffer(r.frame)
	for _, b := range r.buffers {
		putBuffer(b)
	}
	r.frame, r.buffers = nil, nil
}

// isReset reports whether the peer tore the connection down.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
