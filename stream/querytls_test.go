package stream_test

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
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// authority signs certificates that are good for an hour.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	a := authority{}
	c := a.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.key = c.PrivateKey.(*ecdsa.PrivateKey)
	var err error
	if a.cert, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue signs a certificate; without a key of its own, by itself.
func (a authority) issue(t *testing.T, c *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if signer == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// mutual is a configuration that shows a certificate of the authority, and wants one.
func (a authority) mutual(t *testing.T) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	leaf := a.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "instance"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return &tls.Config{
		Certificates: []tls.Certificate{leaf}, RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}
}

// TestQueriesByCertificate has two instances ask each other by certificates alone. Who has none, or one of another authority,
// is not answered.
func TestQueriesByCertificate(t *testing.T) {
	ctx, broker, at := limit(t), freePort(t), freePort(t)
	ours, others := newAuthority(t), newAuthority(t)
	var s, s2 summed
	a, _ := start(t, s.topology, stream.Config{Dir: t.TempDir(), Workers: 1, Listen: broker, Ops: stream.Ops{Addr: at, Queries: true, TLS: ours.mutual(t)}})
	putSums(t, ctx, a, 30, 7)
	b, _ := start(t, s2.topology, stream.Config{Dir: t.TempDir(), Workers: 1, Brokers: []string{broker},
		Ops: stream.Ops{Addr: "127.0.0.1:0", Queries: true, TLS: ours.mutual(t)}})
	hosts := map[string]string{}
	until(t, ctx, func() (bool, error) { return twoOwners(ctx, s.total.Query(a), 30, hosts) })
	check(t, s.total.Query(a), 7)
	check(t, s.total.Query(b), 7)
	for _, c := range []struct {
		name string
		tls  *tls.Config
		ok   bool
	}{
		{"ours", ours.mutual(t), true},
		{"others", others.mutual(t), false},
		{"none shown", &tls.Config{RootCAs: ours.mutual(t).RootCAs, MinVersion: tls.VersionTLS13}, false},
		{"server not trusted", &tls.Config{Certificates: ours.mutual(t).Certificates, MinVersion: tls.VersionTLS13}, false},
		{"no TLS", nil, false},
	} {
		client, err := stream.Dial(stream.Ops{TLS: c.tls}, at)
		if err != nil {
			t.Fatal(err)
		}
		n, _, err := s.total.Query(client).Get(ctx, "k1")
		if (err == nil) != c.ok || c.ok && n != 7 {
			t.Errorf("%s: k1 = %d, %v", c.name, n, err)
		}
	}
}

// TestAGlobalTableIsWatched follows a table that every instance has, here and through a client outside.
func TestAGlobalTableIsWatched(t *testing.T) {
	ctx, at := limit(t), freePort(t)
	currencies := topology.NewTopic("currencies", serde.String, serde.Int64)
	var all table.Global[string, int64]
	a, _ := start(t, func(b *topology.Builder) {
		all = table.GlobalFrom(b, currencies)
		stream.From(b, amounts).JoinGlobal(all, func(k string, _ int64) (string, bool) { return k, true }, func(a, b int64) int64 { return a * b }).To(sums)
	}, stream.Config{Dir: t.TempDir(), Workers: 1, Ops: stream.Ops{Addr: at, Queries: true}})
	w := stream.NewWriter(a, topology.Nullable(currencies))
	put := func(k string, v serde.Opt[int64]) {
		if err := w.Put(ctx, k, v); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	put("eur", serde.Some[int64](2))
	<-a.Ready()
	here, outside := follow(t, all.Query(a)), follow(t, all.Query(dial(t, "", at)))
	for _, c := range []*copied{here, outside} {
		c.wait(t, ctx, map[string]int64{"eur": 2})
	}
	put("jpy", serde.Some[int64](3))
	put("eur", serde.Opt[int64]{})
	for _, c := range []*copied{here, outside} {
		c.wait(t, ctx, map[string]int64{"jpy": 3})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
