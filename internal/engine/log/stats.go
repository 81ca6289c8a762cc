package log

import (
	"sync/atomic"
	"time"

	"github.com/thalweg/thalweg/internal/engine/times"
)

// Stats are what a directory has done since it was opened.
type Stats struct {
	Syncs times.Counts // syncs of the WAL

	Compactions   uint64        // runs of the cleaner over a partition that rewrote it
	CompactTime   time.Duration // of all of them
	Compacted     int64         // bytes that they took away
	CleanFailures uint64        // runs of retention and compaction that failed
	Expired       int64         // bytes below a log start that were removed
}

// counters are Stats as they grow.
type counters struct {
	syncs                      times.Histogram
	compactTime                atomic.Int64
	compactions, cleanFailures atomic.Uint64
	compacted, expired         atomic.Int64
}

// Stats returns the numbers now.
func (d *Dir) Stats() Stats {
	c := &d.counters
	return Stats{
		Syncs: c.syncs.Counts(), Compactions: c.compactions.Load(), CompactTime: time.Duration(c.compactTime.Load()),
		Compacted: c.compacted.Load(), CleanFailures: c.cleanFailures.Load(), Expired: c.expired.Load(),
	}
}
