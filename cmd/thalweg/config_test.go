package main

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fileWith writes a file of settings.
func fileWith(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPrintedConfigReadsBack prints settings unlike their defaults, and has the file read to the same.
func TestPrintedConfigReadsBack(t *testing.T) {
	for _, args := range [][]string{nil, {
		"-listen", "127.0.0.1:0", "-acls", "-super-user", `CN=ann\,O=x,root`, "-no-clamp-replication", "-partitions", "7", "-flush", "interval",
		"-wal-bytes", "1537B", "-tail-bytes", "2GiB", "-consumer-session", "1m30s", "-transaction-version", "1", "-cluster-id", `a"b`, "-json", "-legacy",
	}} {
		first := works(t, "", append([]string{"serve", "-print-config"}, args...)...)
		if again := works(t, "", "serve", "-print-config", "-config", fileWith(t, first)); again != first {
			t.Errorf("printed\n%s\nread back as\n%s", first, again)
		}
		if args != nil && (!strings.Contains(first, "wal-bytes = '1537B'") || !strings.Contains(first, "legacy = true")) {
			t.Errorf("a flag is not in the file:\n%s", first)
		}
		for block := range strings.SplitSeq(strings.TrimSpace(first), "\n\n") {
			if !strings.HasPrefix(block, "# ") || strings.HasPrefix(block, "# \n") || strings.HasPrefix(block, "# Default") {
				t.Errorf("a setting says nothing of itself: %s", block)
			}
		}
	}
}

// TestFlagBeatsConfig says a setting twice.
func TestFlagBeatsConfig(t *testing.T) {
	file := fileWith(t, "partitions = 3\nauto-create = 'never'\nsuper-user = ['ann']\n")
	out := works(t, "", "serve", "-print-config", "-config", file, "-partitions", "5", "-super-user", "bob")
	for _, want := range []string{"partitions = 5\n", "auto-create = 'never'\n", "super-user = ['bob']\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("not %q in\n%s", want, out)
		}
	}
}

// TestConfigMistakes has the file and the line of what is wrong named, or the flag.
func TestConfigMistakes(t *testing.T) {
	for text, want := range map[string][]string{
		"\npartition = 3":              {"server.toml:2", "partition", "partitions meant?"},
		"[log]\nwal-bytes = '1MiB'":    {"server.toml:", "log"},
		"\n\npartitions = 'three'":     {"server.toml:3", "partitions"},
		"auth = 1":                     {"server.toml:1", "auth"},
		"tail-bytes = '64 MB'":         {"server.toml:1", "tail-bytes", "MiB"},
		"tail-bytes = '-1MiB'":         {"server.toml:1", "above 0"},
		"tail-bytes = 5":               {"server.toml:1", "like '64MiB'"},
		"producer-ttl = '3 days'":      {"server.toml:1", "producer-ttl", "24h"},
		"producer-ttl = '-1s'":         {"server.toml:1", "producer-ttl"},
		"producer-ttl = 5":             {"server.toml:1", "like '45s'"},
		"producer-ttl = '0s'":          {"server.toml:1", "producer-ttl", "above 0"},
		"\nmax-frame = '2GiB'":         {"server.toml:2", "max-frame", "below 2GiB"},
		"\npartitions = -1":            {"server.toml:2", "partitions: -1", "above 0"},
		"\n\npartitions = 0":           {"server.toml:3", "partitions: 0", "above 0"},
		"max-pipelined = 0":            {"server.toml:1", "max-pipelined: 0", "above 0"},
		"'max-connections' = 0":        {"server.toml:1", "max-connections: 0", "above 0"},
		"max-in-flight = '0B'":         {"server.toml:1", "max-in-flight", "above 0"},
		"max-connections = 3000000000": {"server.toml:1", "max-connections"},
		"\nconsumer-session = '3s'":    {"server.toml:2: consumer-session, -consumer-heartbeat", "3s", "5s"},
		"min-session-timeout = '2h'":   {"server.toml:1: min-session-timeout, -max-session-timeout", "2h", "30m"},
		"\nflush = 'never'":            {"server.toml:2", "flush: never", "commit, interval"},
		"transaction-version = 3":      {"server.toml:1", "transaction-version: 3", "1, 2"},
		"config = 'x'":                 {"server.toml:1", "config"},
		"partitions = ":                {"server.toml:1"},
		"super-user = 'ann'":           {"server.toml:1", "list of strings"},
		"partitions = 1\npartitions=2": {"server.toml"},
	} {
		fails(t, want, "serve", "-config", fileWith(t, text), "-listen", "127.0.0.1:0", "-dir", t.TempDir())
	}
	file := fileWith(t, "consumer-session = '3s'\nconsumer-heartbeat = '1s'\n")
	fails(t, []string{": -consumer-session, " + file + ":2: consumer-heartbeat"}, "serve", "-print-config", "-config", file, "-consumer-session", "500ms")
	fails(t, []string{"partitions", "above 0"}, "serve", "-print-config", "-partitions", "0")
	fails(t, []string{"-config", "nowhere.toml"}, "serve", "-config", "nowhere.toml")
}

// TestLimitReachesTheEngine dials once more than the file allows.
func TestLimitReachesTheEngine(t *testing.T) {
	s := start(t, t.TempDir(), "-config", fileWith(t, "max-connections = 1\n"))
	defer s.stop(t, syscall.SIGTERM)
	var last net.Conn
	for range 2 {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		last = c
	}
	last.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := last.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the second connection: %v", err)
	}
}
