package log

import (
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	diskCheckBytes = 16 << 20 // appended between two looks at the disk
	diskCheckMs    = 1000     // or so long after the last, while it is full
)

// diskGuard refuses appends while there is still room for what has to go on: WAL, manifests, markers.
type diskGuard struct {
	fs      vfs.FS
	dir     string
	clock   Clock
	reserve uint64

	mu    sync.Mutex // protects following fields
	since int        // bytes appended since the last look
	avail uint64     // at the last look, less what was appended since
	tight bool
	at    int64 // clock time of the last look, ms
	blind bool  // the file system does not tell
}

// admit refuses n bytes if the disk is nearly full. What is internal may use three quarters of the reserve.
func (g *diskGuard) admit(n int, internal bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.since += n
	if g.at == 0 || g.since >= diskCheckBytes || g.tight && nowMs(g.clock)-g.at >= diskCheckMs {
		g.look()
	}
	if !g.tight || internal && (g.blind || g.avail >= g.reserve/4) {
		return nil
	}
	return fmt.Errorf("%w: %s has %d bytes left, %d are kept back", ErrDiskFull, g.dir, g.avail, g.reserve)
}

// look asks the file system.
func (g *diskGuard) look() {
	g.since, g.at = 0, nowMs(g.clock)
	usage, err := g.fs.GetDiskUsage(g.dir)
	if err != nil {
		g.blind, g.tight = true, false
		return
	}
	g.blind = false
	g.avail = usage.AvailBytes
	g.tight = g.avail < min(g.reserve, usage.TotalBytes/10)
}

// full notes that a write found no space.
func (g *diskGuard) full() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tight, g.avail, g.at = true, 0, nowMs(g.clock)
}

// check looks at the disk: the directory's regular rounds call it, so that appends stop and resume in time.
func (g *diskGuard) check() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.look()
}
