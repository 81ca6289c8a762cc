package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestVerifyAndLog dumps and verifies the folder of a server: while it runs, after it was killed, closed, and damaged.
func TestVerifyAndLog(t *testing.T) {
	dir := t.TempDir()
	fails(t, []string{"no log in " + dir}, "verify", "-dir", dir)
	s := start(t, dir)
	works(t, "", "topics", "create", "words", "-dir", dir)
	works(t, "k:a\nk:b\n", "produce", "words", "-key-separator", ":", "-null", "b", "-dir", dir)
	works(t, "c:d\n", "produce", "words", "-key-separator", ":", "-dir", dir)
	fails(t, []string{"stop that program first"}, "verify", "-dir", dir)
	fails(t, []string{"stop that program first"}, "log", "words", "-dir", dir)
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // it was killed
	if got := works(t, "", "verify", "-dir", dir); !strings.Contains(got, "4 logs") || !strings.Contains(got, "not closed") {
		t.Errorf("verify printed %q", got)
	}
	start(t, dir).stop(t, syscall.SIGTERM)
	var all struct {
		Clean    bool
		Problems []struct{ Log, File, What string }
	}
	parse(t, works(t, "", "verify", "-json", "-dir", dir), &all)
	if !all.Clean || len(all.Problems) != 0 {
		t.Errorf("closed: %+v", all)
	}

	got := works(t, "", "log", "words", "-records", "-dir", dir)
	for _, want := range []string{"0-1 data of 2, ", `"k" "a"`, `"k" null`, "2-2 data of 1, ", `"c" "d"`, "00000000000000000000.0.log:0, epoch 0, producer"} {
		if !strings.Contains(got, want) {
			t.Errorf("log does not say %s:\n%s", want, got)
		}
	}
	if got := works(t, "", "log", "words", "0", "-from", "2", "-dir", dir); !strings.HasPrefix(got, "2-2 data") || strings.Count(got, "\n") != 1 {
		t.Errorf("log from 2:\n%s", got)
	}
	var one struct {
		First, Last int64
		Damage      string
	}
	parse(t, works(t, "", "log", "words", "-max", "1", "-json", "-dir", dir), &one)
	if one.First != 0 || one.Last != 1 || one.Damage != "" {
		t.Errorf("log -json: %+v", one)
	}
	fails(t, []string{`no partition 1 of topic "words"`, "words-0", "thalweg.metadata,"}, "log", "words", "1", "-dir", dir)

	files, err := filepath.Glob(filepath.Join(dir, "*", "00000000000000000000.0.log"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if at := strings.Index(string(b), "\x02k\x02a"); at > 0 {
			b[at+1] ^= 1
			damaged++
		}
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if damaged != 1 {
		t.Fatalf("%d files damaged of %v", damaged, files)
	}
	fails(t, []string{"verify: 1 problems"}, "verify", "-dir", dir)
	out, _, err := call(t, "", "verify", "-dir", dir)
	if err == nil || !strings.HasPrefix(out, "words-0: 00000000000000000000.0.log: offset 0, byte 0: log: corrupt") {
		t.Errorf("verify of what is damaged: %v\n%s", err, out)
	}
	if got := works(t, "", "log", "words", "-dir", dir); !strings.Contains(got, "DAMAGED") {
		t.Errorf("log of what is damaged:\n%s", got)
	}
}
