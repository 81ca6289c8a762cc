package stream_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

// renamed is words with another store.
func renamed(b *topology.Builder) { stream.From(b, lines).GroupByKey().Count("totals") }

// TestLockRefusesToLeaveStateBehind starts a changed topology with the lock file of the old one.
func TestLockRefusesToLeaveStateBehind(t *testing.T) {
	was, err := topology.Define("words", words)
	if err != nil {
		t.Fatal(err)
	}
	file, err := was.Lock().MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.New(was, stream.Config{Lock: file}); err != nil {
		t.Errorf("the same topology is refused: %v", err)
	}
	is, err := topology.Define("words", renamed)
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.New(is, stream.Config{Lock: file})
	if err == nil {
		t.Fatal("state is left behind")
	}
	for _, part := range []string{"Config.Lock", "is no more", "new names"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

// TestCheckLockWritesAndCompares writes a lock file on demand, and fails on what has changed since.
func TestCheckLockWritesAndCompares(t *testing.T) {
	file := filepath.Join(t.TempDir(), "testdata", "topology.lock")
	t.Setenv("THALWEG_UPDATE", "1")
	streamtest.New(t, words).CheckLock(file)
	if err := os.Unsetenv("THALWEG_UPDATE"); err != nil { // Setenv puts it back
		t.Fatal(err)
	}
	streamtest.New(t, words).CheckLock(file)
	tb := &told{TB: t}
	streamtest.New(tb, renamed).CheckLock(file)
	if len(tb.text) == 0 || !strings.Contains(strings.Join(tb.text, "\n"), "left behind") {
		t.Errorf("the change passes: %q", tb.text)
	}
}

// told is a testing.TB that keeps the errors a test is told of.
type told struct {
	testing.TB
	text []string
}

func (t *told) Errorf(format string, args ...any) {
	t.text = append(t.text, fmt.Sprintf(format, args...))
}
