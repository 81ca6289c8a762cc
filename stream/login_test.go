package stream_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

// withUsers opens an engine and gives it users whose password is "secret".
func withUsers(t *testing.T, fs vfs.FS, dir string, users ...string) (e *engine.Engine, stop func()) {
	t.Helper()
	e, err := engine.Open(fs, dir, engine.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	c, err := kafka.Dial(limit(t), kafka.Config{Brokers: []string{e.Addr()}, Dial: e.Dial})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, u := range users {
		if err := c.SetPassword(limit(t), u, "secret", 4096); err != nil {
			t.Fatal(err)
		}
	}
	return e, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Error(err)
		}
	}
}

// TestAppLogsIn runs an app on a broker that asks for TLS, a certificate and a login.
func TestAppLogsIn(t *testing.T) {
	ctx, certs := limit(t), newAuthority(t)
	e, stopEngine := withUsers(t, vfs.NewMem(), "log", "ann")
	t.Cleanup(stopEngine)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go e.ServeSecurely(l, engine.Security{TLS: certs.mutual(t), SASL: true})
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		var s summed
		a, stop := start(t, s.topology, stream.Config{
			Dir: t.TempDir(), Brokers: []string{l.Addr().String()}, CreateTopics: true, TLS: certs.mutual(t),
			SASL: stream.SASL{Mechanism: mechanism, User: "ann", Password: "secret"},
		})
		putSums(t, ctx, a, 3, 1)
		if err := stop(); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
	}
}

// TestCredentialsAreChecked gives New credentials that cannot log in.
func TestCredentialsAreChecked(t *testing.T) {
	topo, err := topology.Define("words", words)
	if err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]stream.SASL{
		`"SCRAM"`:           {Mechanism: "SCRAM", User: "ann", Password: "secret"},
		"User and Password": {Mechanism: "PLAIN", User: "ann"},
		"OAUTHBEARER needs": {Mechanism: "OAUTHBEARER"},
		"and no Mechanism":  {User: "ann", Password: "secret"},
		"none are set":      {Mechanism: "PLAIN", User: "ann", Password: "secret"}, // no brokers
	} {
		cfg := stream.Config{SASL: s}
		if want != "none are set" {
			cfg.Brokers = []string{"127.0.0.1:1"}
		}
		if _, err := stream.New(topo, cfg); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", s, err, want)
		}
	}
}
