package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	file := fileWith(t, "partitions = 3\nauto-create = true\nsuper-user = ['ann']\n")
	out := works(t, "", "serve", "-print-config", "-config", file, "-partitions", "5", "-super-user", "bob")
	for _, want := range []string{"partitions = 5\n", "auto-create = true\n", "super-user = ['bob']\n"} {
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
		"producer-ttl = '0s'":          {"-producer-ttl", "above 0"},
		"max-frame = '2GiB'":           {"-max-frame"},
		"consumer-session = '3s'":      {"3s", "5s"},
		"partitions = -1":              {"-1 partitions"},
		"flush = 'never'":              {"flush", "commit"},
		"config = 'x'":                 {"server.toml:1", "config"},
		"partitions = ":                {"server.toml:1"},
		"super-user = 'ann'":           {"server.toml:1", "list of strings"},
		"partitions = 1\npartitions=2": {"server.toml"},
	} {
		fails(t, want, "serve", "-config", fileWith(t, text), "-listen", "127.0.0.1:0", "-dir", t.TempDir())
	}
	fails(t, []string{"-config", "nowhere.toml"}, "serve", "-config", "nowhere.toml")
}
