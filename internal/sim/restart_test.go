package sim

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestKilledManyKeysRestartSoon kills a count over many distinct keys after a checkpoint. The next life replays the tail
// alone, and soon commits new output.
func TestKilledManyKeysRestartSoon(t *testing.T) { restartSoon(t, "-") }

// TestBrokerManyKeysRestartSoon is the same on the brokers of THALWEG_TEST_BROKERS.
func TestBrokerManyKeysRestartSoon(t *testing.T) {
	if brokers() == "" {
		t.Skip("THALWEG_TEST_BROKERS is not set")
	}
	restartSoon(t, brokers())
}

const (
	restartLimit  = 3 * time.Second
	keyPartitions = 4
)

func restartSoon(t *testing.T, addrs string) {
	n := defaultKeys
	if *flagKeys > 0 {
		n = *flagKeys
	}
	r := seeded(t)
	args := []string{fmt.Sprintf("keys-%x", r.Uint32()), filepath.Join(t.TempDir(), "app"), addrs, strconv.Itoa(n)}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()

	// A first life puts all keys in. It ends in order, which checkpoints; with many keys that comes by itself in time.
	p := play(t, "keys", args...)
	for _, text := range []string{"fed " + strconv.Itoa(n), "much output"} {
		if _, err := p.line(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	if n >= 1_000_000 {
		for strings.Count(p.out.String(), "msg=checkpoint") < keyPartitions {
			if ctx.Err() != nil || p.sleepUnless(20*time.Millisecond) {
				t.Fatalf("no checkpoint of all partitions: %v\n%s", p.err, tail(p.out.String()))
			}
		}
	} else {
		if err := p.stop(); err != nil {
			t.Fatalf("%v\n%s", err, tail(p.out.String()))
		}
		p = play(t, "keys", args...)
		if _, err := p.line(ctx, "first output"); err != nil {
			t.Fatal(err)
		}
	}
	p.sleepUnless(time.Duration(r.Int64N(int64(2 * time.Second))))
	p.kill()

	began := time.Now()
	p = play(t, "keys", args...)
	if _, err := p.line(ctx, "first output"); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	p.kill()
	records := tailOf(t, p.out.String())
	t.Logf("%d keys: first new output committed %v after exec, %d records replayed", n, took.Round(time.Millisecond), records)
	if *flagKeys > 0 && took > restartLimit { // the clock decides in runs by hand alone
		t.Errorf("the first new output took %v, want at most %v:\n%s", took, restartLimit, tail(p.out.String()))
	}
}

var restored = regexp.MustCompile(`msg=restored store=seen task=\S+ records=(\d+) from=(\d+) to=\d+ checkpoint=(\d+)`)

// tailOf is how many records a life has replayed. All of its restores began at a checkpoint.
func tailOf(t *testing.T, log string) (records int) {
	t.Helper()
	lines := restored.FindAllStringSubmatch(log, -1)
	if len(lines) == 0 {
		t.Fatalf("no restore in the log:\n%s", tail(log))
	}
	for _, m := range lines {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		records += n
		if m[3] == "0" || m[2] != m[3] {
			t.Errorf("not from the checkpoint: %s", m[0])
		}
	}
	return records
}
