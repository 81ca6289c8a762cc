package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/wire"
)

// authority signs certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

// issue returns a certificate for a server on loopback, or for a client.
func (a *authority) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestTLS produces and consumes over TLS, with a login in it; who does not trust the server, or speaks plainly, gets nowhere.
func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	e := open(t, testConfig())
	addUser(t, e, "ann", "secret", kadm.ScramSha256)
	createTopic(t, e, "words", 3, nil)
	addr := serveSecurely(t, e, Security{TLS: &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "server")}}, SASL: true})
	m := mechanisms("ann", "secret")
	secure := []kgo.Opt{kgo.SeedBrokers(addr), kgo.Dialer((&tls.Dialer{Config: &tls.Config{RootCAs: ca.pool}}).DialContext)}
	want := produce(t, client(t, e, append(secure, kgo.SASL(m["PLAIN"]))...), "words", 1000)
	c := client(t, e, append(secure, kgo.SASL(m["SCRAM-SHA-256"]), kgo.ConsumeTopics("words"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	checkOnce(t, want, consume(t, c, len(want)))

	if c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: newAuthority(t).pool}); err == nil {
		t.Error("a client trusts a server whose authority it does not know")
		c.Close()
	}
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	plainly := &rawConn{t, nc}
	plainly.request(kmsg.NewPtrApiVersionsRequest(), 0, 1)
	plainly.closes("a client without TLS")
}

// TestClientCertificates asks clients for certificates.
func TestClientCertificates(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	e := open(t, testConfig())
	addr := serveSecurely(t, e, Security{TLS: &tls.Config{
		Certificates: []tls.Certificate{ca.issue(t, "server")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool,
	}})
	for name, test := range map[string]struct {
		certs []tls.Certificate
		works bool
	}{
		"of the authority":     {[]tls.Certificate{ca.issue(t, "ann")}, true},
		"none":                 {nil, false},
		"of another authority": {[]tls.Certificate{other.issue(t, "ann")}, false},
	} {
		nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.pool, Certificates: test.certs})
		if err != nil {
			t.Fatal(err) // in TLS 1.3 the server's refusal comes after the client's handshake
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(20 * time.Second))
		c := &rawConn{t, nc}
		c.request(kmsg.NewPtrMetadataRequest(), 1, 1)
		if test.works {
			c.response(&kmsg.MetadataRequest{Version: 1})
		} else {
			c.closes("a certificate: " + name)
		}
	}
}

// TestSilentHandshakeEnds checks, in virtual time, that who connects and does not begin TLS is cut off.
func TestSilentHandshakeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, testConfig())
		l := wire.NewMemListener("secure:9092")
		go e.ServeSecurely(l, Security{TLS: &tls.Config{}})
		c, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		(&rawConn{t, c}).closes("silence")
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("cut off after %v", d)
		}
	})
}
