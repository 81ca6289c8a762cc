package sim

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestKilledWordcountCountsExactly kills the word count on its bundled engine at random moments, starts it again each time,
// and lets it finish in the end. A run of its own without kills gives the same counts.
func TestKilledWordcountCountsExactly(t *testing.T) {
	kills := defaultKills
	if *flagKills > 0 {
		kills = *flagKills
	}
	megabytes := max(4, kills*3/2)
	if *flagText > 0 {
		megabytes = *flagText
	}
	r := seeded(t)
	x := write(t, r, megabytes)
	wordcount, dir := program(t, "examples/wordcount"), t.TempDir()

	began := time.Now()
	calm := begin(t, nil, wordcount, "-dir", filepath.Join(dir, "calm"), "-counts", filepath.Join(dir, "calm.tsv"), x.folder)
	<-calm.done
	if calm.err != nil {
		t.Fatalf("without kills: %v\n%s", calm.err, tail(calm.out.String()))
	}
	whole := time.Since(began)
	x.compare(t, filepath.Join(dir, "calm.tsv"))

	killed, resumed := 0, 0
	home := filepath.Join(dir, "killed")
	args := []string{"-v", "-dir", home, "-counts", filepath.Join(dir, "killed.tsv"), x.folder}
	for killed < kills {
		began, p := time.Now(), begin(t, nil, wordcount, args...)
		if r.IntN(4) > 0 { // the others die while they start and recover
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			if _, err := p.line(ctx, "msg=restored"); err != nil {
				t.Fatalf("after %d kills: %v", killed, err)
			}
			cancel()
		}
		if p.sleepUnless(time.Duration(r.Int64N(int64(450 * time.Millisecond)))) {
			if p.err != nil {
				t.Fatalf("after %d kills: %v\n%s", killed, p.err, tail(p.out.String()))
			}
			break
		}
		p.kill()
		killed++
		resumed += strings.Count(p.out.String(), "going on at byte")
		if d := time.Since(began); d > 5*time.Second {
			t.Logf("life %d lasted %v:\n%s", killed, d, tail(p.out.String()))
		}
	}
	began = time.Now()
	p := begin(t, nil, wordcount, args...)
	<-p.done
	if p.err != nil {
		t.Fatalf("after %d kills: %v\n%s", killed, p.err, tail(p.out.String()))
	}
	x.compare(t, filepath.Join(dir, "killed.tsv"))
	aborted := abortedTransactions(t, home)
	t.Logf("%d MB: %v without kills, %v for the last life; %d kills, %d aborted transactions, %d lives went on in the middle of the text",
		megabytes, whole.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), killed, aborted, resumed)
	if killed < kills || aborted < kills/3 {
		t.Errorf("void: %d kills of %d, %d aborted transactions", killed, kills, aborted)
	}
}

// patience is how long a test waits for what has to come soon.
const patience = 90 * time.Second
