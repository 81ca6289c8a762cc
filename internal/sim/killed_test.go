package sim

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestKilledWordcountCountsExactly kills the word count on its bundled engine at random moments, starts it again each time,
// and lets it finish in the end. A run of its own without kills gives the same counts, and so does a plain map.
func TestKilledWordcountCountsExactly(t *testing.T) {
	kills := defaultKills
	if *flagKills > 0 {
		kills = *flagKills
	}
	r := seeded(t)
	wordcount, dir := program(t, "examples/wordcount"), t.TempDir()
	x := newText(r, 100*time.Millisecond) // about 10 MB/s, more than is counted
	life := func(name string) *process {
		return beginReading(t, x.reader(), wordcount, "-v", "-dir", filepath.Join(dir, name), "-counts", filepath.Join(dir, name+".tsv"), "-")
	}
	finish := func(name string) time.Duration {
		began, p := time.Now(), life(name)
		<-p.done
		if p.err != nil {
			t.Fatalf("%s: %v\n%s", name, p.err, tail(p.out.String()))
		}
		x.compare(t, filepath.Join(dir, name+".tsv"))
		return time.Since(began)
	}

	killed, resumed, aborted := 0, 0, 0
	enough := func() bool { return aborted >= kills/3 && resumed >= kills/3 }
	// Whether a kill meets an open transaction is chance: a run goes on until enough have. On a busy machine a life takes longer
	// to come to where it was, so lives that were too short to begin a transaction are followed by longer ones.
	longest := 450 * time.Millisecond
	for killed < kills || !enough() && killed < 3*kills {
		if killed >= kills {
			longest = min(2*longest, 4*time.Second)
		}
		for range (kills + 1) / 2 {
			p := life("killed")
			if r.IntN(4) > 0 { // the others die while they start and recover
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				if _, err := p.line(ctx, "msg=restored"); err != nil {
					t.Fatalf("after %d kills: %v", killed, err)
				}
				cancel()
			}
			if p.sleepUnless(time.Duration(r.Int64N(int64(longest)))) {
				t.Fatalf("after %d kills it ended by itself: %v\n%s", killed, p.err, tail(p.out.String()))
			}
			p.kill()
			killed++
			resumed += strings.Count(p.out.String(), "going on at byte")
		}
		server, addr, _ := serve(t, filepath.Join(dir, "killed"), "127.0.0.1:0")
		aborted = abortedTransactions(t, addr, "wordcount")
		server.kill()
	}
	megabytes := x.close()
	last, whole := finish("killed"), finish("calm")
	t.Logf("%d MB: %v without kills, %v for the last life; %d kills, %d aborted transactions, %d lives went on in the middle of the text",
		megabytes, whole.Round(time.Millisecond), last.Round(time.Millisecond), killed, aborted, resumed)
	if !enough() {
		t.Errorf("void: that is too little for %d kills", killed)
	}
}

// patience is how long a test waits for what has to come soon.
const patience = 90 * time.Second
