package log

import (
	"sync/atomic"
	"time"
)

// SyncBounds are the upper bounds of the classes that syncs of the WAL are counted in by their times.
var SyncBounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, time.Second, 5 * time.Second,
}

// Stats are what a directory has done since it was opened.
type Stats struct {
	Syncs    [len(SyncBounds) + 1]uint64 // syncs of the WAL by their times; the last are longer than all bounds
	SyncTime time.Duration               // of all of them

	Compactions   uint64        // runs of the cleaner over a partition that rewrote it
	CompactTime   time.Duration // of all of them
	Compacted     int64         // bytes that they took away
	CleanFailures uint64        // runs of retention and compaction that failed
	Expired       int64         // bytes below a log start that were removed
}

// counters are Stats as they grow.
type counters struct {
	syncs                      [len(SyncBounds) + 1]atomic.Uint64
	syncTime, compactTime      atomic.Int64
	compactions, cleanFailures atomic.Uint64
	compacted, expired         atomic.Int64
}

// synced counts a sync of the WAL.
func (c *counters) synced(took time.Duration) {
	i := 0
	for i < len(SyncBounds) && took > SyncBounds[i] {
		i++
	}
	c.syncs[i].Add(1)
	c.syncTime.Add(int64(took))
}

// Stats returns the numbers now.
func (d *Dir) Stats() Stats {
	c := &d.counters
	s := Stats{
		SyncTime: time.Duration(c.syncTime.Load()), Compactions: c.compactions.Load(), CompactTime: time.Duration(c.compactTime.Load()),
		Compacted: c.compacted.Load(), CleanFailures: c.cleanFailures.Load(), Expired: c.expired.Load(),
	}
	for i := range c.syncs {
		s.Syncs[i] = c.syncs[i].Load()
	}
	return s
}
