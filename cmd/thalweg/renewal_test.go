package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// pool returns the authorities in a PEM.
func pool(cert []byte) *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(cert)
	return p
}

// meet has a client connect to a server, and returns what either has against it.
func meet(t *testing.T, server, client *tls.Config) (resumed bool, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		defer c.Close()
		_, err = tls.Server(c, server).Write([]byte("x")) // after the handshake, and what has the client read its ticket
		served <- err
	}()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := tls.Client(nc, client)
	_, err = c.Read(make([]byte, 1))
	nc.Close()
	return c.ConnectionState().DidResume, errors.Join(err, <-served)
}

// TestCertificatesAreRenewed writes a new certificate and its key while a server runs: the next client is shown it.
func TestCertificatesAreRenewed(t *testing.T) {
	certFile, keyFile := writeCertificate(t)
	var said bytes.Buffer
	server, err := renewed(certFile, keyFile, "", slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	met := func(trusted *x509.CertPool) error {
		_, err := meet(t, server, &tls.Config{RootCAs: trusted, ServerName: "127.0.0.1"})
		return err
	}
	old, err := authorities("", certFile)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := newCertificate(t)
	replace(t, certFile, cert)
	for range 3 {
		if err := met(old); err != nil {
			t.Fatalf("between the two files: %v", err)
		}
	}
	if n := strings.Count(said.String(), "cannot be read"); n != 1 {
		t.Errorf("said %d times that the files cannot be read, want once:\n%s", n, &said)
	}
	replace(t, keyFile, key)
	if err := met(pool(cert)); err != nil {
		t.Errorf("the new certificate: %v", err)
	}
	if met(old) == nil {
		t.Error("the old certificate is still shown")
	}
}

// TestClientsOfAnAuthorityThatIsGone replaces the authorities of clients: who shows a certificate of an old one is refused, and who
// would only resume his session too.
func TestClientsOfAnAuthorityThatIsGone(t *testing.T) {
	certFile, keyFile := writeCertificate(t)
	ann, annKey := newCertificate(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	replace(t, ca, ann)
	server, err := renewed(certFile, keyFile, ca, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := authorities("", certFile)
	if err != nil {
		t.Fatal(err)
	}
	own, err := tls.X509KeyPair(ann, annKey)
	if err != nil {
		t.Fatal(err)
	}
	client := &tls.Config{RootCAs: trusted, ServerName: "127.0.0.1", Certificates: []tls.Certificate{own}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for _, want := range []bool{false, true} {
		if resumed, err := meet(t, server, client); err != nil || resumed != want {
			t.Fatalf("resumed %v, %v, want %v", resumed, err, want)
		}
	}
	other, _ := newCertificate(t)
	replace(t, ca, other)
	if resumed, err := meet(t, server, client); err == nil {
		t.Errorf("resumed %v: a client of an authority that is gone was let in", resumed)
	}
	replace(t, ca, append(other, ann...))
	if _, err := meet(t, server, client); err != nil {
		t.Errorf("the authority is back: %v", err)
	}
}
