package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// passwordFile returns a file with a password.
func passwordFile(t *testing.T, password string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestUsersLogIn makes the first user on a folder without a server, then others through the server, which asks for a login.
func TestUsersLogIn(t *testing.T) {
	dir := t.TempDir()
	fails(t, []string{"nobody could log in", "thalweg users add"}, "serve", "-auth", "-dir", dir, "-listen", "127.0.0.1:0")
	fails(t, []string{"no password"}, "users", "add", "ann", "-dir", dir)
	if got := works(t, "secret\n", "users", "add", "ann", "-dir", dir); got != "added ann\n" {
		t.Errorf("add printed %q", got)
	}
	s := start(t, dir, "-auth")
	ann := []string{"-dir", dir, "-user", "ann", "-password-file", passwordFile(t, "secret")}
	for _, mechanism := range []string{"SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"} {
		works(t, "", append([]string{"topics", "create", mechanism, "-mechanism", mechanism}, ann...)...)
	}
	works(t, "a\nb\n", append([]string{"produce", "PLAIN"}, ann...)...)
	if got := works(t, "", append([]string{"consume", "PLAIN", "-from-beginning", "-to-end"}, ann...)...); got != "a\nb\n" {
		t.Errorf("consume printed %q", got)
	}
	works(t, "other", append([]string{"users", "add", "bob", "-iterations", "4096"}, ann...)...)
	want := "USER MECHANISM ITERATIONS ann SCRAM-SHA-256 8192 ann SCRAM-SHA-512 8192 bob SCRAM-SHA-256 4096 bob SCRAM-SHA-512 4096"
	if got := works(t, "", append([]string{"users", "list"}, ann...)...); strings.Join(strings.Fields(got), " ") != want {
		t.Errorf("list printed %q", got)
	}
	fails(t, []string{"SASL_AUTHENTICATION_FAILED"}, "topics", "list", "-dir", dir, "-user", "bob", "-password-file", passwordFile(t, "secret"))
	fails(t, []string{"no password", passwordVariable}, "topics", "list", "-dir", dir, "-user", "bob")
	fails(t, []string{"SASL is required"}, "topics", "list", "-dir", dir)
	works(t, "", append([]string{"users", "delete", "bob"}, ann...)...)
	fails(t, []string{`"bob"`, "no such user", "thalweg users list"}, append([]string{"users", "delete", "bob"}, ann...)...)
	s.stop(t, syscall.SIGTERM)
	var listed []struct{ Name string }
	parse(t, works(t, "", "users", "list", "-json", "-dir", dir), &listed)
	if len(listed) != 1 || listed[0].Name != "ann" {
		t.Errorf("the log has %+v", listed)
	}
}

// writeCertificate writes a certificate that signs itself, for a server on loopback and for a client, and its key.
func writeCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM, keyPEM := newCertificate(t)
	replace(t, cert, certPEM)
	replace(t, key, keyPEM)
	return cert, key
}

// replace writes a file, over another too.
func replace(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// newCertificate returns a certificate that signs itself, and its key, in PEM.
func newCertificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ann"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	der8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der8})
}

// TestServeByTLS serves by TLS to clients with certificates, and to no others; the certificates are renewed while it serves.
func TestServeByTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := writeCertificate(t)
	s := start(t, dir, "-tls-cert", cert, "-tls-key", key, "-tls-client-ca", cert)
	defer s.stop(t, os.Interrupt)
	works(t, "", "topics", "create", "secret", "-brokers", s.addr, "-tls-ca", cert, "-tls-cert", cert, "-tls-key", key)
	fails(t, []string{s.addr, "certificate"}, "topics", "list", "-brokers", s.addr, "-tls-ca", cert)
	fails(t, []string{s.addr, "unknown authority"}, "topics", "list", "-brokers", s.addr, "-tls")
	fails(t, []string{"-tls-cert", "-tls-key", "together"}, "topics", "list", "-brokers", s.addr, "-tls-cert", cert)
	fails(t, []string{"-tls-ca", "no certificate"}, "topics", "list", "-brokers", s.addr, "-tls-ca", key)
	newCert, newKey := newCertificate(t)
	replace(t, cert, newCert)
	replace(t, key, newKey)
	works(t, "", "topics", "list", "-brokers", s.addr, "-tls-ca", cert, "-tls-cert", cert, "-tls-key", key)
}
