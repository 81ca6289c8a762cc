package stream_test

import (
	"context"
	"crypto/tls"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

// TestOthersAreAskedWhoTheyAre has an app serve others too. They log in and may do what ACLs say; the app itself goes on as if
// there were neither.
func TestOthersAreAskedWhoTheyAre(t *testing.T) {
	ctx, certs, broker, dir := limit(t), newAuthority(t), freePort(t), t.TempDir()
	_, stop := withUsers(t, vfs.Default, filepath.Join(dir, "log"), "root", "ann")
	stop()
	ours := certs.mutual(t)
	ours.ClientAuth = tls.NoClientCert
	var s summed
	a, _ := start(t, s.topology, stream.Config{
		Dir: dir, Listen: broker, Access: stream.Access{Login: true, TLS: ours, ACLs: true, Super: []string{"root"}},
	})
	putSums(t, ctx, a, 3, 1)
	as := func(user string) *kafka.Client {
		cfg := kafka.Config{Brokers: []string{broker}, TLS: ours}
		if user != "" {
			cfg.SASL = kafka.SASL{Mechanism: "SCRAM-SHA-512", User: user, Password: "secret"}
		}
		c, err := kafka.Dial(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	nobody, ann, root := as(""), as("ann"), as("root")
	if topics, err := nobody.ListTopics(ctx, false); err == nil {
		t.Errorf("who does not log in is told of %v", topics)
	}
	hers := kafka.NewTopic{Name: "hers", Partitions: 1, Replication: 1}
	if err := ann.CreateTopics(ctx, hers); err == nil || !strings.Contains(err.Error(), "AUTHORIZATION_FAILED") {
		t.Errorf("without an ACL a topic is made: %v", err)
	}
	allowed := kafka.ACL{Principal: "User:ann", Host: "*", Permission: "allow", Resource: "topic", Name: "hers", Pattern: "literal"}
	for _, op := range []string{"create", "describe"} {
		allowed.Operation = op
		if err := root.AddACLs(ctx, []kafka.ACL{allowed}); err != nil {
			t.Fatal(err)
		}
	}
	if err := ann.CreateTopics(ctx, hers); err != nil {
		t.Errorf("with an ACL: %v", err)
	}
	putSums(t, ctx, a, 3, 1)
}

// TestAccessIsChecked gives New what would let everybody in, or nobody.
func TestAccessIsChecked(t *testing.T) {
	topo, err := topology.Define("words", words)
	if err != nil {
		t.Fatal(err)
	}
	mutual := newAuthority(t).mutual(t)
	onlyTLS := mutual.Clone()
	onlyTLS.ClientAuth = tls.VerifyClientCertIfGiven
	for _, c := range []struct {
		want   string
		listen string
		access stream.Access
	}{
		{"Listen, and that is not set", "", stream.Access{Login: true}},
		{"anybody could write", "0.0.0.0:0", stream.Access{}},
		{"anybody could write", "0.0.0.0:0", stream.Access{TLS: onlyTLS}},
		{"no certificate to show", "127.0.0.1:0", stream.Access{TLS: &tls.Config{}}},
		{"nobody is asked who they are", "127.0.0.1:0", stream.Access{TLS: onlyTLS, ACLs: true}},
		{`["root"] without ACLs`, "127.0.0.1:0", stream.Access{Login: true, Super: []string{"root"}}},
		{"", "0.0.0.0:0", stream.Access{Login: true}},
		{"", "0.0.0.0:0", stream.Access{TLS: mutual, ACLs: true}},
	} {
		_, err := stream.New(topo, stream.Config{Dir: t.TempDir(), Listen: c.listen, Access: c.access})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q, %+v: %v, want %q", c.listen, c.access, err, c.want)
		}
	}
	for want, access := range map[string]stream.Access{
		"thalweg users add":  {Login: true},
		"thalweg acls allow": {TLS: mutual, ACLs: true},
	} {
		a, err := stream.New(topo, stream.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Access: access})
		if err == nil {
			err = a.Run(context.Background())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", access, err, want)
		}
	}
}
