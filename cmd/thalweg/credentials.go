package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/thalweg/thalweg/internal/kafka"
)

// passwordVariable is the environment variable a password may stand in: what stands on the command line can be read by
// everybody on the machine.
const passwordVariable = "THALWEG_PASSWORD"

// credentials are what a tool shows to brokers.
type credentials struct {
	User         string `help:"User to log in as, with the password in the environment's THALWEG_PASSWORD or in -password-file." placeholder:"NAME"`
	PasswordFile string `help:"File whose first line is the password." placeholder:"FILE"`
	Mechanism    string `help:"SASL mechanism (default ${default}): ${enum}." default:"SCRAM-SHA-512" enum:"SCRAM-SHA-512,SCRAM-SHA-256,PLAIN"`
	TLS          bool   `help:"Connect by TLS." name:"tls"`
	TLSCA        string `help:"File of the authorities to trust, in PEM; the system's without it. Implies -tls." name:"tls-ca" placeholder:"FILE"`
	TLSCert      string `help:"File of a certificate to show, in PEM. Implies -tls." name:"tls-cert" placeholder:"FILE"`
	TLSKey       string `help:"File of the certificate's key, in PEM." name:"tls-key" placeholder:"FILE"`
}

// sasl returns the login, none without a user.
func (c *credentials) sasl() (kafka.SASL, error) {
	if c.User == "" {
		return kafka.SASL{}, nil
	}
	password := os.Getenv(passwordVariable)
	if c.PasswordFile != "" {
		b, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return kafka.SASL{}, fmt.Errorf("-password-file: %w", err)
		}
		password, _, _ = strings.Cut(string(b), "\n")
		password = strings.TrimSuffix(password, "\r")
	}
	if password == "" {
		return kafka.SASL{}, fmt.Errorf("-user %s: no password: set %s, or name a -password-file", c.User, passwordVariable)
	}
	return kafka.SASL{Mechanism: c.Mechanism, User: c.User, Password: password}, nil
}

// tls returns how to connect, nil for plainly.
func (c *credentials) tls() (*tls.Config, error) {
	if !c.TLS && c.TLSCA == "" && c.TLSCert == "" && c.TLSKey == "" {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if c.TLSCA != "" {
		if cfg.RootCAs, err = authorities("-tls-ca", c.TLSCA); err != nil {
			return nil, err
		}
	}
	if c.TLSCert != "" || c.TLSKey != "" {
		cert, err := certificate(c.TLSCert, c.TLSKey)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// authorities reads the certificates in a file.
func authorities(flag, file string) (*x509.CertPool, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s %s: no certificate in it (PEM is expected)", flag, file)
	}
	return pool, nil
}

// certificate reads a certificate with its key.
func certificate(cert, key string) (tls.Certificate, error) {
	if cert == "" || key == "" {
		return tls.Certificate{}, fmt.Errorf("-tls-cert and -tls-key go together")
	}
	c, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return c, fmt.Errorf("-tls-cert %s, -tls-key %s: %w", cert, key, err)
	}
	return c, nil
}
