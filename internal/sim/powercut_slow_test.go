//go:build slow && linux

package sim

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var flagCuts = flag.Int("cuts", 4, "how often the power of a server is cut")

const (
	cutLife   = time.Second            // of a server, on average, before its power is cut
	cutStart  = 200 * time.Millisecond // the most that one gets which dies as it starts
	cutLinger = 50 * time.Millisecond  // the most for which one lives on without its disk
)

// TestPowerCutsLoseNothing has producers with and without transactions and readers of committed records work on a server
// whose file system loses its power at random moments, while it starts and recovers too. What is on the disk then has no
// damage, the server starts by itself, and in the end everything that anybody was told has to agree.
func TestPowerCutsLoseNothing(t *testing.T) {
	d := newDisk(t, 512<<20+int64(*flagCuts)*(16<<20))
	m := &mix{t: t, r: seeded(t), dir: filepath.Join(d.at, "server")}
	o := &outages{mix: m, disk: d}
	m.live(o.cuts)
	if err := m.server.stop(); err != nil {
		t.Errorf("the server's end: %v\n%s", err, tail(m.server.out.String()))
	}
	o.verify()
	o.verdict()
}

// outages are a mix of clients, and the disk of their server.
type outages struct {
	*mix
	disk *disk

	early int // cuts while a server started
	lost  int // cuts that took what was not synced
}

// cuts cuts the power at random moments and starts the server again each time.
func (o *outages) cuts() {
	starting := false
	for n := range *flagCuts {
		pause := time.Duration(o.r.Int64N(int64(2 * cutLife)))
		if starting {
			pause = time.Duration(o.r.Int64N(int64(cutStart)))
			o.early++
		}
		if o.server.sleepUnless(pause) {
			o.t.Fatalf("the server ended by itself: %v\n%s", o.server.err, tail(o.server.out.String()))
		}
		o.cut(n)
		o.verify()
		if starting = o.r.IntN(4) == 0 && n < *flagCuts-1; starting {
			o.server = launch(o.t, o.dir, o.addr)
			continue
		}
		var took time.Duration
		o.server, _, took = serve(o.t, o.dir, o.addr)
		o.slowest = max(o.slowest, took)
	}
	o.server.sleepUnless(cutLife)
}

// cut takes the power away in one of the ways in which a disk may lose it, and gives it back. A file that nobody synced shows
// whether the cut was one.
func (o *outages) cut(n int) {
	doubtful, text := filepath.Join(o.disk.at, "doubtful"), fmt.Sprint("cut ", n)
	if err := os.WriteFile(doubtful, []byte(text), 0o600); err != nil {
		o.t.Fatal(err)
	}
	way := nothingMore
	if n > 0 {
		way = []shutdown{nothingMore, nothingMore, nothingMore, journalFirst, everythingFirst}[o.r.IntN(5)]
	}
	if err := o.disk.cut(way); err != nil {
		o.t.Fatal(err)
	}
	o.server.sleepUnless(time.Duration(o.r.Int64N(int64(cutLinger)))) // it may end by itself now, and must not acknowledge anything
	o.server.kill()
	o.disk.unmount()
	if err := o.disk.mount(); err != nil {
		o.t.Fatal(err)
	}
	if got, err := os.ReadFile(doubtful); err != nil || string(got) != text {
		o.lost++
	}
}

// verify wants no damage in what lies on the disk.
func (o *outages) verify() {
	o.t.Helper()
	if out, err := exec.CommandContext(o.t.Context(), program(o.t, "cmd/thalweg"), "verify", "-dir", o.dir).CombinedOutput(); err != nil {
		o.t.Fatalf("thalweg verify: %v\n%s", err, tail(string(out)))
	}
}

func (o *outages) verdict() {
	c := o.h.Counts()
	o.t.Logf("%d cuts, %d of them while a server started, %d took what was not synced; %+v; the server was up again within %v",
		*flagCuts, o.early, o.lost, c, o.slowest.Round(time.Millisecond))
	o.broken()
	if o.lost < (*flagCuts+3)/4 || c.Acknowledged < 100**flagCuts || c.CommittedTxns < 5**flagCuts || c.AbortedTxns < *flagCuts || c.Transactions == c.CommittedTxns+c.AbortedTxns {
		o.t.Error("void: too little was lost, acknowledged, committed, taken back or left without an answer")
	}
}
