package sim

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

var (
	flagSeed  = flag.Uint64("seed", 0, "seed of all chance; 0: a new one")
	flagKills = flag.Int("kills", 0, "kills of a run; 0: few, many under the build tag slow")
	flagText  = flag.Int("text", 0, "megabytes of text; 0: as many as fit the kills")
	flagKeys  = flag.Int("keys", 0, "distinct keys of the restart test; 0: few, more under the build tag slow")
)

// text is words to count, in files, and their counts by a plain map over the same bytes.
type text struct {
	folder string
	counts map[string]int64
}

// write makes up megabytes of text: words of a lopsided distribution, in several scripts and cases, between whatever is no
// word, on lines of all lengths. Much text is the same files over and over.
func write(t testing.TB, r *rand.Rand, megabytes int) text {
	t.Helper()
	vocabulary := make([]string, 60_000)
	letters := []rune("abcdefghijklmnopqrstuvwxyzÄéßжλ7Q")
	for i := range vocabulary {
		w := make([]rune, 1+r.IntN(9))
		for j := range w {
			w[j] = letters[r.IntN(len(letters))]
		}
		vocabulary[i] = string(w)
	}
	between := []string{" ", " ", " ", ", ", ". ", "-", "\t", " == ", "(", ")\n", "\n", "\n", "\r\n", "\n\n"}
	x := text{folder: t.TempDir(), counts: map[string]int64{}}
	const size = 1 << 20 // of a file
	base := min(megabytes, 6)
	for i := range base {
		var b strings.Builder
		for b.Len() < size {
			b.WriteString(vocabulary[int(math.Pow(r.Float64(), 3)*float64(len(vocabulary)))])
			b.WriteString(between[r.IntN(len(between))])
		}
		for w := range strings.FieldsFuncSeq(b.String(), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			x.counts[strings.ToLower(w)] += int64((megabytes - i + base - 1) / base)
		}
		first := filepath.Join(x.folder, fmt.Sprintf("%d.txt", i))
		if err := os.WriteFile(first, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		for again := i + base; again < megabytes; again += base {
			if err := os.Link(first, filepath.Join(x.folder, fmt.Sprintf("%d.txt", again))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return x
}

// compare holds the counts that a program has written against the map.
func (x text) compare(t testing.TB, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	seen, wrong := 0, 0
	for line := range strings.Lines(string(data)) {
		word, number, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			t.Fatalf("%s: %q", file, line)
		}
		seen++
		if want := x.counts[word]; n != want {
			if wrong++; wrong <= 10 {
				t.Errorf("%q was counted %d times, it is there %d times", word, n, want)
			}
		}
	}
	if seen != len(x.counts) {
		t.Errorf("%d distinct words, want %d", seen, len(x.counts))
	}
	if wrong > 0 {
		t.Errorf("%d words of %d have wrong counts", wrong, seen)
	}
}
