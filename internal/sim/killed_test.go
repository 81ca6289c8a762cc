package sim

import (
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
	megabytes := max(2, kills/2)
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

	killed, resumed, restored := 0, 0, 0
	args := []string{"-v", "-dir", filepath.Join(dir, "killed"), "-counts", filepath.Join(dir, "killed.tsv"), x.folder}
	for killed < kills {
		p := begin(t, nil, wordcount, args...)
		// A kill takes away what was not committed yet, so that the time in which a life finishes does not shrink much.
		if p.sleepUnless(time.Duration(r.Int64N(int64(min(whole*3/5, time.Second))))) {
			if p.err != nil {
				t.Fatalf("after %d kills: %v\n%s", killed, p.err, tail(p.out.String()))
			}
			break
		}
		p.kill()
		killed++
		resumed += strings.Count(p.out.String(), "going on at byte")
		restored += strings.Count(p.out.String(), "msg=restored")
	}
	p := begin(t, nil, wordcount, args...)
	<-p.done
	if p.err != nil {
		t.Fatalf("after %d kills: %v\n%s", killed, p.err, tail(p.out.String()))
	}
	x.compare(t, filepath.Join(dir, "killed.tsv"))
	t.Logf("%d MB, %v without kills; %d kills, %d lives went on in the middle of the text, %d restores", megabytes, whole.Round(time.Millisecond), killed, resumed, restored)
	if killed < kills || resumed < kills/4 {
		t.Errorf("void: %d kills of %d, of which %d in the middle of the text", killed, kills, resumed)
	}
}
