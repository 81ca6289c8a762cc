package stream

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/topology"
)

// TestMainDescribesTheTopology gives Main's arguments, and shows that state left behind is an error.
func TestMainDescribesTheTopology(t *testing.T) {
	topic := topology.NewTopic("in", serde.String, serde.Int64)
	counting := func(name string) func(*topology.Builder) {
		return func(b *topology.Builder) { From(b, topic).GroupByKey().Count(name) }
	}
	say := func(define func(*topology.Builder), args ...string) (string, error) {
		var out strings.Builder
		err := mainWith(t.Context(), "app", define, Config{}, args, &out)
		return out.String(), err
	}
	lock := filepath.Join(t.TempDir(), "topology.lock")
	for arg, want := range map[string]string{
		"describe": "Topologies:", "mermaid": "flowchart TD", "dot": "digraph", "json": `"app":"app"`, "lock": "thalweg lock 1",
	} {
		got, err := say(counting("counts"), arg)
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: %v, want %q in\n%s", arg, err, want, got)
		}
		if arg == "lock" {
			if err := os.WriteFile(lock, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := say(counting("counts"), "diff", lock); err != nil || got != "" {
		t.Errorf("the same topology differs: %v\n%s", err, got)
	}
	got, err := say(counting("totals"), "diff", lock)
	if err == nil || !strings.Contains(err.Error(), "leave state behind") || !strings.Contains(got, "store counts is no more") {
		t.Errorf("a renamed store: %v\n%s", err, got)
	}
	if _, err := say(counting("counts"), "dance"); err == nil || !strings.Contains(err.Error(), "not known") {
		t.Errorf("an unknown argument: %v", err)
	}
}
