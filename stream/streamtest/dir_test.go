package streamtest_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

// TestDirOfATaskIsKept: it is there without being made, stays over a restart, and goes with the disk.
func TestDirOfATaskIsKept(t *testing.T) {
	found := ""
	d := streamtest.New(t, func(b *topology.Builder) {
		topology.Source(b, lines).Process("files", func(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
			return topology.ProcessorFunc[string, string](func(r topology.Record[string, string]) error {
				file := filepath.Join(ctx.Dir(), "file")
				was, err := os.ReadFile(file)
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
				found = string(was)
				return os.WriteFile(file, []byte(r.Value), 0o600)
			}), nil
		})
	}, streamtest.Options{Partitions: 1})
	in := d.Topic(lines)
	for i, step := range []struct {
		do   func(instance int)
		want string
	}{{func(int) {}, ""}, {d.Restart, "v"}, {d.Crash, ""}, {d.Restart, "v"}, {d.Wipe, ""}} {
		found = ""
		step.do(0)
		in.Put("k", "v")
		if i != 2 && found != step.want { // after the crash nobody works
			t.Errorf("step %d: found %q, want %q", i, found, step.want)
		}
	}
}
