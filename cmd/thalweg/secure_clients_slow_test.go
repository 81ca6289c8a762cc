//go:build slow

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// propertiesFile writes a configuration of Java's clients.
func propertiesFile(t *testing.T, name string, lines ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// login are the properties of a user who logs in over protocol, SASL_PLAINTEXT or SASL_SSL.
func login(protocol, mechanism, user, password string) []string {
	module := "scram.ScramLoginModule"
	if mechanism == "PLAIN" {
		module = "plain.PlainLoginModule"
	}
	return []string{
		"security.protocol=" + protocol, "sasl.mechanism=" + mechanism,
		fmt.Sprintf("sasl.jaas.config=org.apache.kafka.common.security.%s required username=%q password=%q;", module, user, password),
	}
}

// javaUsers runs the Java clients with files of properties, and wants of each what it says: what came of writing and reading.
func javaUsers(t *testing.T, addr string, files []string, want []string) {
	t.Helper()
	got := foreign(t, "java", java(t, "testdata/clients/Secure.java", append([]string{addr, "safe", "readers"}, files...)...)...)
	if !slices.Equal(got, want) {
		t.Errorf("the clients say\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestJavaUsersOverTLS has Java's clients log in by every mechanism, with the wrong password, and without the right to write or to
// read as a member of the group.
func TestJavaUsersOverTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := writeCertificate(t)
	for _, user := range []string{"root", "ann", "bob", "carl"} {
		works(t, "secret", "users", "add", user, "-dir", dir)
	}
	s := start(t, dir, "-auth", "-acls", "-super-user", "root", "-tls-cert", cert, "-tls-key", key)
	defer s.stop(t, syscall.SIGTERM)
	root := []string{"-brokers", s.addr, "-tls-ca", cert, "-user", "root", "-password-file", passwordFile(t, "secret")}
	for _, args := range []string{
		"topics create safe -partitions 2", "acls allow ann read write -topic safe", "acls allow ann read -group readers", "acls allow carl read write -topic safe",
	} {
		works(t, "", append(strings.Fields(args), root...)...)
	}
	var files, want []string
	for _, c := range []struct{ name, mechanism, user, password, written, read string }{
		{"scram-256", "SCRAM-SHA-256", "ann", "secret", "ok", "ok"},
		{"scram-512", "SCRAM-SHA-512", "ann", "secret", "ok", "ok"},
		{"plain", "PLAIN", "ann", "secret", "ok", "ok"},
		{"nothing-allowed", "SCRAM-SHA-512", "bob", "secret", "TopicAuthorizationException", "TopicAuthorizationException"},
		{"no-group", "SCRAM-SHA-256", "carl", "secret", "ok", "GroupAuthorizationException"},
		{"wrong-scram", "SCRAM-SHA-256", "ann", "guessed", "SaslAuthenticationException", "SaslAuthenticationException"},
		{"wrong-plain", "PLAIN", "ann", "guessed", "SaslAuthenticationException", "SaslAuthenticationException"},
	} {
		props := append(login("SASL_SSL", c.mechanism, c.user, c.password), "ssl.truststore.type=PEM", "ssl.truststore.location="+cert)
		files, want = append(files, propertiesFile(t, c.name, props...)), append(want, c.name+" "+c.written+" "+c.read)
	}
	javaUsers(t, s.addr, files, want)
}

// TestJavaUsersByCertificate has Java's clients show a certificate, whose subject ACLs name, or none.
func TestJavaUsersByCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := writeCertificate(t)
	for _, args := range []string{"acls allow CN=ann create read write -topic safe -dir", "acls allow CN=ann read -group readers -dir"} {
		works(t, "", append(strings.Fields(args), dir)...)
	}
	s := start(t, dir, "-acls", "-tls-cert", cert, "-tls-key", key, "-tls-client-ca", cert)
	defer s.stop(t, syscall.SIGTERM)
	works(t, "", "topics", "create", "safe", "-brokers", s.addr, "-tls-ca", cert, "-tls-cert", cert, "-tls-key", key)
	trust := []string{"security.protocol=SSL", "ssl.truststore.type=PEM", "ssl.truststore.location=" + cert}
	both := ""
	for _, file := range []string{key, cert} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		both += string(b)
	}
	keystore := propertiesFile(t, "ann.pem", both)
	shown := append(slices.Clone(trust), "ssl.keystore.type=PEM", "ssl.keystore.location="+keystore)
	javaUsers(t, s.addr, []string{propertiesFile(t, "certificate", shown...), propertiesFile(t, "none", trust...)},
		[]string{"certificate ok ok", "none SslAuthenticationException SslAuthenticationException"})
}
