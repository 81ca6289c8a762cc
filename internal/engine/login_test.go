package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/wire"
)

// serveSecurely serves a listener of loopback that asks for what sec says, and returns its address.
func serveSecurely(t *testing.T, e *Engine, sec Security) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- e.ServeSecurely(l, sec) }()
	t.Cleanup(func() {
		closeEngine(t, e)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// addUser gives a user a password for a mechanism, through the memory connection.
func addUser(t *testing.T, e *Engine, user, password string, m kadm.ScramMechanism) {
	t.Helper()
	c := client(t, e)
	defer c.Close()
	as, err := kadm.NewClient(c).AlterUserSCRAMs(testContext(t), nil, []kadm.UpsertSCRAM{{User: user, Mechanism: m, Iterations: 4096, Password: password}})
	if err == nil {
		err = as.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func mechanisms(user, password string) map[string]sasl.Mechanism {
	return map[string]sasl.Mechanism{
		"PLAIN":         plain.Auth{User: user, Pass: password}.AsMechanism(),
		"SCRAM-SHA-256": scram.Auth{User: user, Pass: password}.AsSha256Mechanism(),
		"SCRAM-SHA-512": scram.Auth{User: user, Pass: password}.AsSha512Mechanism(),
	}
}

// serveInMemory serves a listener in memory that asks for a login, and returns how to dial it.
func serveInMemory(t *testing.T, e *Engine) func(ctx context.Context, network, addr string) (net.Conn, error) {
	l := wire.NewMemListener("secure:9092")
	var served sync.WaitGroup
	served.Go(func() {
		if err := e.ServeSecurely(l, Security{SASL: true}); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		closeEngine(t, e)
		served.Wait()
	})
	return func(ctx context.Context, _, _ string) (net.Conn, error) { return l.Dial(ctx) }
}

// dialRaw dials for a test that sends frames of its own making.
func dialRaw(t *testing.T, dial func(ctx context.Context, network, addr string) (net.Conn, error)) *rawConn {
	t.Helper()
	c, err := dial(testContext(t), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &rawConn{t, c}
}

// TestLogin logs in by every mechanism, right and wrong, after a restart, and works with the connection. Time is virtual,
// as failures wait for their answers.
func TestLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		e := openAt(t, fs, "data", testConfig())
		addUser(t, e, "ann, of=house", "pass=wörd,", kadm.ScramSha256)
		addUser(t, e, "ann, of=house", "pass=wörd,", kadm.ScramSha512)
		createTopic(t, e, "words", 1, nil)
		closeEngine(t, e)

		e = openAt(t, fs, "data", testConfig())
		dial := serveInMemory(t, e)
		for _, m := range mechanisms("ann, of=house", "pass=wörd,") {
			produce(t, client(t, e, kgo.Dialer(dial), kgo.SASL(m)), "words", 10)
		}
		for _, who := range []struct{ user, password string }{{"ann, of=house", "other"}, {"bob", "pass=wörd,"}} {
			for name, m := range mechanisms(who.user, who.password) {
				c := client(t, e, kgo.Dialer(dial), kgo.SASL(m), kgo.RequestRetries(0))
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := c.Ping(ctx); !errors.Is(err, kerr.SaslAuthenticationFailed) {
					t.Errorf("%s as %q: %v", name, who.user, err)
				}
			}
		}
	})
}

// TestBeforeLogin checks what a client can do that has not logged in: ask for versions, and try to.
func TestBeforeLogin(t *testing.T) {
	e := open(t, testConfig())
	addr := serveSecurely(t, e, Security{SASL: true})
	dial := func() *rawConn {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		return &rawConn{t, c}
	}
	versions := kmsg.NewPtrApiVersionsRequest()
	versions.ClientSoftwareName, versions.ClientSoftwareVersion = "raw", "1"
	all := map[int16]bool{}
	c := dial()
	c.request(versions, 3, 1)
	for _, k := range c.response(versions).(*kmsg.ApiVersionsResponse).ApiKeys {
		all[k.ApiKey] = true
	}
	for _, key := range []int16{17, 18, 36, 50, 51} {
		if !all[key] {
			t.Errorf("api %d is not listed", key)
		}
		delete(all, key)
	}
	delete(all, 0) // below its lowest version served it is refused in any case
	for key := range all {
		c := dial()
		req := kmsg.RequestForKey(key)
		c.request(req, req.MaxVersion(), 1)
		c.closes(fmt.Sprintf("api %d before a login", key))
	}
	c = dial()
	c.request(&kmsg.SASLAuthenticateRequest{SASLAuthBytes: []byte("\x00ann\x00secret")}, 2, 1)
	if got := c.response(&kmsg.SASLAuthenticateRequest{Version: 2}).(*kmsg.SASLAuthenticateResponse).ErrorCode; code.Code(got) != code.IllegalSASLState {
		t.Errorf("SASLAuthenticate without a handshake: %v", code.Code(got))
	}
	c.closes("what followed")

	c = dial()
	c.request(&kmsg.SASLHandshakeRequest{Mechanism: "GSSAPI"}, 1, 1)
	hs := c.response(&kmsg.SASLHandshakeRequest{Version: 1}).(*kmsg.SASLHandshakeResponse)
	if code.Code(hs.ErrorCode) != code.UnsupportedSASLMechanism || strings.Join(hs.SupportedMechanisms, " ") != "SCRAM-SHA-256 SCRAM-SHA-512 PLAIN" {
		t.Errorf("a handshake for GSSAPI: %v, %v", code.Code(hs.ErrorCode), hs.SupportedMechanisms)
	}
	c.closes("what followed")
}

// TestLoginByBareTokens is the way of SASLHandshake v0.
func TestLoginByBareTokens(t *testing.T) {
	e := open(t, testConfig())
	addUser(t, e, "a", "b", kadm.ScramSha256)
	addr := serveSecurely(t, e, Security{SASL: true})
	for password, works := range map[string]bool{"b": true, "c": false} {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(20 * time.Second))
		c := &rawConn{t, nc}
		c.request(&kmsg.SASLHandshakeRequest{Mechanism: "PLAIN"}, 0, 1)
		if got := c.response(&kmsg.SASLHandshakeRequest{}).(*kmsg.SASLHandshakeResponse).ErrorCode; got != 0 {
			t.Fatal(code.Code(got))
		}
		c.send([]byte("\x00a\x00" + password))
		if !works {
			c.closes("a wrong password")
			continue
		}
		var size [4]byte
		if _, err := c.Read(size[:]); err != nil || binary.BigEndian.Uint32(size[:]) != 0 {
			t.Fatalf("answer %v, %v", size, err)
		}
		c.request(kmsg.NewPtrMetadataRequest(), 1, 2)
		c.response(&kmsg.MetadataRequest{Version: 1})
	}
}

// authenticate begins a login over c and returns the answer to its first token.
func authenticate(c *rawConn, mechanism, token string) *kmsg.SASLAuthenticateResponse {
	c.t.Helper()
	c.request(&kmsg.SASLHandshakeRequest{Mechanism: mechanism}, 1, 1)
	c.response(&kmsg.SASLHandshakeRequest{Version: 1})
	return next(c, token)
}

// next sends the next token.
func next(c *rawConn, token string) *kmsg.SASLAuthenticateResponse {
	c.t.Helper()
	c.request(&kmsg.SASLAuthenticateRequest{SASLAuthBytes: []byte(token)}, 2, 2)
	return c.response(&kmsg.SASLAuthenticateRequest{Version: 2}).(*kmsg.SASLAuthenticateResponse)
}

// TestLoginInTime checks, in virtual time, that a client that does not log in, or sends much before, is cut off, that failures are
// answered late and the later the more there are, and that nothing tells an unknown user from a wrong password.
func TestLoginInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, testConfig())
		addUser(t, e, "ann", "secret", kadm.ScramSha256)
		by := serveInMemory(t, e)
		dial := func() *rawConn { return dialRaw(t, by) }
		began := time.Now()
		c := dial()
		c.closes("nothing")
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("a client that says nothing was cut off after %v", d)
		}

		began = time.Now()
		c = dial()
		c.Write([]byte{0, 1, 0, 1})
		c.closes("a frame of 64 KiB and one byte")
		if d := time.Since(began); d != 0 {
			t.Errorf("a frame of 64 KiB and one byte was refused after %v", d)
		}

		var texts []string
		for i, want := range []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second} {
			began := time.Now()
			user := []string{"ann", "bob"}[i%2]
			c := dial()
			resp := authenticate(c, "PLAIN", "\x00"+user+"\x00wrong")
			if d := time.Since(began); d != want {
				t.Errorf("failure %d was answered after %v, want %v", i+1, d, want)
			}
			if code.Code(resp.ErrorCode) != code.SASLAuthenticationFailed {
				t.Errorf("failure %d is %v", i+1, code.Code(resp.ErrorCode))
			}
			texts = append(texts, *resp.ErrorMessage)
			c.closes("what followed a failure")
		}
		if texts[0] != texts[1] {
			t.Errorf("a wrong password is %q, an unknown user %q", texts[0], texts[1])
		}
		began = time.Now()
		if resp := authenticate(dial(), "PLAIN", "\x00ann\x00secret"); resp.ErrorCode != 0 || time.Since(began) != 0 {
			t.Errorf("the right password: %v after %v", code.Code(resp.ErrorCode), time.Since(began))
		}
	})
}

// TestStrangersAreLimited opens as many connections without a login as there may be, and one more; who logs in is no
// stranger any more and makes room.
func TestStrangersAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, testConfig())
		addUser(t, e, "ann", "secret", kadm.ScramSha256)
		dial := serveInMemory(t, e)
		answered := func(c *rawConn) bool {
			c.request(kmsg.NewPtrApiVersionsRequest(), 0, 1)
			_, _, err := c.receive()
			return err == nil
		}
		var all []*rawConn
		for i := range 128 {
			all = append(all, dialRaw(t, dial))
			if !answered(all[i]) {
				t.Fatalf("connection %d was refused", i+1)
			}
		}
		dialRaw(t, dial).closes("one connection too many")
		if resp := authenticate(all[0], "PLAIN", "\x00ann\x00secret"); resp.ErrorCode != 0 {
			t.Fatal(*resp.ErrorMessage)
		}
		if !answered(dialRaw(t, dial)) {
			t.Error("a login made no room")
		}
		all[1].Close()
		synctest.Wait()
		if !answered(dialRaw(t, dial)) {
			t.Error("the end of a connection made no room")
		}
		if !answered(all[0]) {
			t.Error("who has logged in was cut off")
		}
	})
}

// challenge is the server's first message of SCRAM without its nonce.
func challenge(t *testing.T, addr, user string) string {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	resp := authenticate(&rawConn{t, nc}, "SCRAM-SHA-256", "n,,n="+user+",r=clientnonce")
	if resp.ErrorCode != 0 {
		t.Fatalf("%s: %s", user, *resp.ErrorMessage)
	}
	_, rest, _ := strings.Cut(string(resp.SASLAuthBytes), ",")
	return rest
}

// TestUnknownUserIsChallenged checks that SCRAM asks an unknown user for a proof as it does a known one, with the same
// salt each time, also after a restart.
func TestUnknownUserIsChallenged(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	addUser(t, e, "ann", "secret", kadm.ScramSha256)
	addr := serveSecurely(t, e, Security{SASL: true})
	known, bob, eve := challenge(t, addr, "ann"), challenge(t, addr, "bob"), challenge(t, addr, "eve")
	if len(known) != len(bob) || bob == eve {
		t.Errorf("ann is asked %q, bob %q, eve %q", known, bob, eve)
	}
	closeEngine(t, e)
	e = openAt(t, fs, "data", testConfig())
	addr = serveSecurely(t, e, Security{SASL: true})
	if again := challenge(t, addr, "bob"); again != bob {
		t.Errorf("bob is asked %q, then %q", bob, again)
	}
	if again := challenge(t, addr, "ann"); again != known {
		t.Errorf("ann is asked %q, then %q", known, again)
	}
}

// TestMalformedTokens are refused, whatever the mechanism. Time is virtual, as each answer waits.
func TestMalformedTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, testConfig())
		addUser(t, e, "ann", "secret", kadm.ScramSha256)
		dial := serveInMemory(t, e)
		for mechanism, tokens := range map[string][]string{
			"PLAIN":         {"", "ann", "\x00ann", "\x00\x00secret", "\x00ann\x00", "bob\x00ann\x00secret", "\x00ann\x00secret\x00"},
			"SCRAM-SHA-256": {"", "n", "n,,", "n,,n=,r=x", "n,a=bob,n=ann,r=x", "p=tls-unique,,n=ann,r=x", "n,,m=ext,n=ann,r=x", "n,,r=x,n=ann", "n,,n=a=nn,r=x"},
		} {
			for _, token := range tokens {
				if resp := authenticate(dialRaw(t, dial), mechanism, token); code.Code(resp.ErrorCode) != code.SASLAuthenticationFailed {
					t.Errorf("%s %q: %v", mechanism, token, code.Code(resp.ErrorCode))
				}
			}
		}
		for _, final := range []string{"", "c=biws", "c=biws,r=clientnonce,p=AAAA", "c=AAAA,r=%s,p=AAAA", "c=biws,r=%s,p=AAAA", "c=biws,r=%s"} {
			c := dialRaw(t, dial)
			first := authenticate(c, "SCRAM-SHA-256", "n,,n=ann,r=clientnonce")
			nonce, _, _ := bytes.Cut(first.SASLAuthBytes[2:], []byte(","))
			resp := next(c, strings.ReplaceAll(final, "%s", string(nonce)))
			if code.Code(resp.ErrorCode) != code.SASLAuthenticationFailed || len(resp.SASLAuthBytes) > 0 {
				t.Errorf("final %q: %v, %q", final, code.Code(resp.ErrorCode), resp.SASLAuthBytes)
			}
		}
	})
}
