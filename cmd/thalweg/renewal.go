package main

import (
	"crypto/tls"
	"log/slog"
	"os"
	"slices"
	"sync"
)

// renewal is the TLS of a server whose certificates are renewed while it runs: a handshake looks whether their files are
// others than those that were read, and reads them again. It is safe for concurrent use.
type renewal struct {
	cert, key string
	clientCA  string // "": clients need no certificate
	logger    *slog.Logger

	mu   sync.Mutex // protects following fields
	seen []os.FileInfo
	cfg  *tls.Config
}

// renewed reads the files and returns the configuration of a listener.
func renewed(cert, key, clientCA string, logger *slog.Logger) (*tls.Config, error) {
	r := &renewal{cert: cert, key: key, clientCA: clientCA, logger: logger}
	r.seen = r.look()
	var err error
	if r.cfg, err = r.read(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: r.config}, nil
}

// config returns what the files hold, or held when they could last be read: a renewal writes one file after the other, and
// between them the key is not the certificate's. Handshakes call it.
func (r *renewal) config(*tls.ClientHelloInfo) (*tls.Config, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.look()
	if slices.EqualFunc(r.seen, now, same) {
		return r.cfg, nil
	}
	r.seen = now
	if cfg, err := r.read(); err == nil {
		r.cfg = cfg
		r.logger.Info("the server's certificates were read again", "cert", r.cert)
	} else { // said once for each change, however many clients come
		r.logger.Warn("the server's certificates have changed and cannot be read: those from before stay", "err", err)
	}
	return r.cfg, nil
}

// look returns what the files are, nil for those that cannot be looked at. It goes before they are read, so that a change in
// between is seen by the next look.
func (r *renewal) look() []os.FileInfo {
	seen := make([]os.FileInfo, 0, 3)
	for _, name := range []string{r.cert, r.key, r.clientCA} {
		info, err := os.Stat(name) // behind a link that is moved to another file, it is another file
		if err != nil {
			info = nil
		}
		seen = append(seen, info)
	}
	return seen
}

// same reports whether a file is as it was.
func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// read reads the files.
func (r *renewal) read() (*tls.Config, error) {
	cert, err := certificate(r.cert, r.key)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	if r.clientCA != "" {
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
		cfg.ClientCAs, err = authorities("-tls-client-ca", r.clientCA)
	}
	return cfg, err
}
