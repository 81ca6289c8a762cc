package stream_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine"
	"github.com/thalweg/thalweg/stream"
)

// TestStateAheadOfItsLogIsRebuilt puts a backup in the place of the log, and leaves the stores, which have seen more than it holds.
func TestStateAheadOfItsLogIsRebuilt(t *testing.T) {
	ctx, dir := limit(t), t.TempDir()
	logs, copied := filepath.Join(dir, "log"), filepath.Join(dir, "copy")
	// life adds v to each of three keys and returns all sums.
	life := func(v int64) map[string]int64 {
		var s summed
		a, stop := start(t, s.topology, stream.Config{Dir: dir, Workers: 2})
		putSums(t, ctx, a, 3, v)
		sums, err := rowsOf(ctx, s.total.Query(a))
		if err != nil {
			t.Fatal(err)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		return sums
	}
	life(1)
	if _, err := engine.Backup(ctx, vfs.Default, logs, copied); err != nil {
		t.Fatal(err)
	}
	life(10)
	if err := os.RemoveAll(logs); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(copied, logs); err != nil {
		t.Fatal(err)
	}
	if got, want := life(100), map[string]int64{"k0": 101, "k1": 101, "k2": 101}; !maps.Equal(got, want) {
		t.Errorf("the sums are %v, want %v", got, want)
	}
}
