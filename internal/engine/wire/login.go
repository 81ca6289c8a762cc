package wire

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/thalweg/thalweg/internal/engine/auth"
)

// Security is what a listener asks of its clients. The zero value asks for nothing.
type Security struct {
	TLS  *tls.Config // nil: none; it also says whether clients need certificates
	SASL bool        // clients log in before anything else

	Super bool // clients may do everything, whatever the ACLs say
}

// Limits of a connection whose client has not logged in.
const (
	loginTimeout = 10 * time.Second // from the connection's begin to the login, and of a TLS handshake
	maxEarly     = 64 << 10         // bytes of a frame
	maxStrangers = 128              // such connections of one host
)

// login is where a connection stands with who its client is. It is the reader's.
type login struct {
	needed   bool          // nothing but a login is served
	deadline time.Time     // of the login
	raw      bool          // tokens come as bare frames (SASLHandshake v0)
	name     string        // of the mechanism agreed on
	exchange auth.Exchange // nil: no mechanism has been agreed on
}

// mechanisms are those a client may use. A password is not asked for in the clear over a network.
func (c *conn) mechanisms() []string {
	scram := []string{auth.NameScramSHA256, auth.NameScramSHA512}
	ip := net.ParseIP(c.host)
	if _, secret := c.nc.(*tls.Conn); secret || ip == nil || ip.IsLoopback() { // without an IP, it is a client in this process
		return append(scram, auth.NamePlain)
	}
	return scram
}

// handshake does that of TLS, if there is one, and takes the subject of the client's certificate for its name.
func (c *conn) handshake() error {
	t, ok := c.nc.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, loginTimeout)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("wire: TLS handshake: %w", err)
	}
	if chains := t.ConnectionState().VerifiedChains; len(chains) > 0 {
		c.loggedIn(chains[0][0].Subject.String())
	}
	return nil
}

// loggedIn notes who the client is.
func (c *conn) loggedIn(user string) { c.user.Store(&user) }

// within returns the time in d, or the deadline of the login if that comes first.
func (c *conn) within(d time.Duration) time.Time {
	t := time.Now().Add(d)
	if c.login.needed && t.After(c.login.deadline) {
		return c.login.deadline
	}
	return t
}

// maxFrame is the largest frame taken now.
func (c *conn) maxFrame() int32 {
	if c.login.needed {
		return min(maxEarly, c.server.cfg.MaxFrame)
	}
	return c.server.cfg.MaxFrame
}

// minFrame is the smallest: a header up to the client's id.
func (c *conn) minFrame() int32 {
	if c.login.raw {
		return 1
	}
	return 8
}

// tokenAPI stands in for one where frames are bare tokens.
var tokenAPI = &api{name: "SASL token", handle: saslToken}

// openToken makes a request of a frame that is a bare token.
func (c *conn) openToken(frame []byte) *request {
	return &request{Server: c.server, conn: c, frame: frame, api: tokenAPI, done: make(chan struct{})}
}

// step goes on with the login. If it fails, the answer waits, and the connection ends with it.
func (r *request) step(token []byte) (answer []byte, ok bool) {
	began := r.cfg.Clock.Now()
	c := r.conn
	answer, err := c.login.exchange.Step(token)
	clear(token) // it may be a password, and its memory is used again
	if err != nil {
		r.final = fmt.Errorf("wire: login by %s failed: %w", c.login.name, err)
		r.counters.failedLogins.Add(1)
		answerAt := began.Add(r.failures.Add(c.host, began))
		r.finish = func(context.Context) error {
			defer r.idles(r.cfg.Clock.Now())
			r.pause(answerAt.Sub(r.cfg.Clock.Now()))
			return nil
		}
		return nil, false
	}
	if user := c.login.exchange.User(); user != "" {
		c.login = login{}
		c.loggedIn(user)
		r.known(c)
		if r.meta.User(user) == nil { // deleted since the exchange began: dismiss may have come before this connection had a name
			c.drain()
		}
	}
	return answer, true
}

// stranger counts a connection whose client has to log in; it returns false if there are too many of the same host. mu
// must be held.
func (s *Server) stranger(c *conn) bool {
	if s.strangers[c.host] >= maxStrangers {
		return false
	}
	s.strangers[c.host]++
	c.stranger = true
	return true
}

// known ends what stranger began, once.
func (s *Server) known(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.stranger {
		return
	}
	c.stranger = false
	if s.strangers[c.host]--; s.strangers[c.host] == 0 {
		delete(s.strangers, c.host)
	}
}

// dismiss ends the connections of a user, after the requests they have sent.
func (s *Server) dismiss(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if u := c.user.Load(); u != nil && *u == user {
			c.drain()
		}
	}
}
