package sim

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/thalweg/thalweg/internal/batch"
)

// abortedTransactions counts the transactions whose abort markers lie in the segments of an engine that has stopped. What
// was compacted or purged since is missing, so there were at least as many.
func abortedTransactions(t testing.TB, dir string) int {
	t.Helper()
	type transaction struct {
		producer int64
		epoch    int16
	}
	seen := map[transaction]bool{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".log" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for len(data) >= batch.HeaderSize && binary.BigEndian.Uint32(data[8:]) != 0 {
			h, err := batch.Parse(data)
			if err != nil {
				break // torn by the last kill
			}
			if h.Control() {
				if m, err := batch.ParseMarker(data[:h.Size()]); err == nil && !m.Commit {
					seen[transaction{h.ProducerID, h.ProducerEpoch}] = true
				}
			}
			data = data[h.Size():]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(seen)
}
