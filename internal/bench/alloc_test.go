package bench

import (
	"testing"

	"github.com/thalweg/thalweg/topology"
)

// TestRecordsAllocateNothing runs batches of records through each workload, commits too. A table has its slots and its
// undo list by then, a batch its buffer.
func TestRecordsAllocateNothing(t *testing.T) {
	const keys = 4096
	for _, x := range []struct {
		name   string
		define func(*topology.Builder)
		fill   func(i int, key, value []byte) (k, v []byte, at int64)
		// decoded is how many bytes of string keys and values each record has decoded: they lie in blocks of 1 KiB.
		decoded int
	}{
		{"five operators", five, orderOf(keys), 0},
		{"five operators to a sink", fiveToSink, orderOf(keys), 0},
		{"filter to a sink", filterToSink, orderOf(keys), 0},
		{"source to a sink", copies, textOf(keys, 80), 0},
		{"filter of strings to a sink", stringFilter, textOf(keys, 80), 13 + 80},
		{"count", count, textOf(keys, 80), 0},
		{"windowed count", countWindows, orderOf(keys), 0},
		{"hopping count", countHops, orderOf(keys), 0},
		{"stream-table join", joinTable, textOf(keys, 40), 40},
	} {
		t.Run(x.name, func(t *testing.T) {
			l := open(t, x.define, 8*keys, x.fill)
			if x.name == "stream-table join" {
				l.fillTable(t, keys)
			}
			for range 64 { // buffers and tables reach their size
				l.step(t)
			}
			// A block is left when the next string does not fit, so that a little of each is lost.
			allowed := 0.0
			if x.decoded > 0 {
				allowed = float64(perBatch*x.decoded)/(1024-float64(x.decoded)) + 1
			}
			got := testing.AllocsPerRun(32, func() { l.step(t) })
			if got > allowed {
				t.Errorf("%.0f allocations for %d records, want at most %.0f", got, perBatch, allowed)
			}
			if x.decoded > 0 && got == 0 {
				t.Errorf("no allocation though strings were decoded: the test measures nothing")
			}
		})
	}
}
