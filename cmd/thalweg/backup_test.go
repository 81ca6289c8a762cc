package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestBackup copies the folder of a server that runs, one that was killed and one that was closed, and serves the copies.
func TestBackup(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "data")
	fails(t, []string{"no log in " + dir}, "backup", "-dir", dir, "-to", filepath.Join(root, "none"))
	s := start(t, dir)
	works(t, "", "topics", "create", "words", "-dir", dir)
	works(t, "a\nb\n", "produce", "words", "-dir", dir)
	copies := []string{filepath.Join(root, "running"), filepath.Join(root, "killed"), filepath.Join(root, "closed")}
	if got := works(t, "", "backup", "-dir", dir, "-to", copies[0]); !strings.HasPrefix(got, "4 logs, ") || !strings.HasSuffix(got, " in "+copies[0]+"\n") {
		t.Errorf("backup printed %q", got)
	}
	fails(t, []string{copies[0] + " exists: remove it, or choose another directory"}, "backup", "-dir", dir, "-to", copies[0])
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // it was killed
	var done struct {
		To    string
		Logs  int
		Bytes int64
	}
	parse(t, works(t, "", "backup", "-json", "-dir", dir, "-to", copies[1]), &done)
	if done.To != copies[1] || done.Logs != 4 || done.Bytes == 0 {
		t.Errorf("backup -json: %+v", done)
	}
	start(t, dir).stop(t, syscall.SIGTERM)
	works(t, "", "backup", "-dir", dir, "-to", copies[2])
	for _, to := range copies {
		if got := works(t, "", "verify", "-dir", to); !strings.Contains(got, "4 logs") || !strings.Contains(got, "closed in order") {
			t.Errorf("verify of %s printed %q", to, got)
		}
		s := start(t, to)
		if got := works(t, "", "consume", "words", "-from-beginning", "-to-end", "-dir", to); got != "a\nb\n" {
			t.Errorf("%s has %q", to, got)
		}
		s.stop(t, syscall.SIGTERM)
		if _, err := os.Stat(to + ".partial"); err == nil {
			t.Errorf("%s.partial is there", to)
		}
	}
}
