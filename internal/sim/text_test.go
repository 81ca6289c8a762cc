package sim

import (
	"bytes"
	"flag"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
)

var (
	flagSeed  = flag.Uint64("seed", 0, "seed of all chance; 0: a new one")
	flagKills = flag.Int("kills", 0, "kills of a run; 0: few, many under the build tag slow")
	flagKeys  = flag.Int("keys", 0, "distinct keys of the restart test; 0: few, more under the build tag slow")
)

// text is words to count. It has no end until it is closed: each life of a program reads it from its beginning, and
// however fast the machine is, none has read all of it before the last kill.
type text struct {
	blocks []block // over and over
	pace   time.Duration
	began  time.Time

	mu     sync.Mutex // protects following fields
	poured int        // blocks that some life has been given
	end    int        // blocks in all; 0: not closed
}

// block is about a megabyte of whole lines, and its counts by a plain map.
type block struct {
	bytes  []byte
	counts map[string]int64
}

// newText makes up text: words of a lopsided distribution, in several scripts and cases, between whatever is no word, on
// lines of all lengths. A reader gets a block no sooner than pace after the one before, counted from now.
func newText(r *rand.Rand, pace time.Duration) *text {
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
	x := &text{pace: pace, began: time.Now()}
	for range 6 {
		var b strings.Builder
		for b.Len() < 1<<20 {
			b.WriteString(vocabulary[int(math.Pow(r.Float64(), 3)*float64(len(vocabulary)))])
			b.WriteString(between[r.IntN(len(between))])
		}
		b.WriteString("\n")
		counts := map[string]int64{}
		for w := range strings.FieldsFuncSeq(b.String(), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			counts[strings.ToLower(w)]++
		}
		x.blocks = append(x.blocks, block{[]byte(b.String()), counts})
	}
	return x
}

// close ends the text, one block after what any life has been given. It returns the number of blocks.
func (x *text) close() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.end = x.poured + 1
	return x.end
}

// next is the block at i. There is none behind the end.
func (x *text) next(i int) (b []byte, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.end > 0 && i >= x.end {
		return nil, false
	}
	x.poured = max(x.poured, i+1)
	return x.blocks[i%len(x.blocks)].bytes, true
}

// reader reads the text from its beginning.
func (x *text) reader() io.Reader { return &textReader{x: x} }

type textReader struct {
	x    *text
	next int
	rest bytes.Reader
}

func (r *textReader) Read(p []byte) (int, error) {
	if r.rest.Len() == 0 {
		time.Sleep(time.Until(r.x.began.Add(time.Duration(r.next) * r.x.pace)))
		b, ok := r.x.next(r.next)
		if !ok {
			return 0, io.EOF
		}
		r.next++
		r.rest.Reset(b)
	}
	return r.rest.Read(p)
}

// compare holds the counts that a program has written against the maps. The text is closed.
func (x *text) compare(t testing.TB, file string) {
	t.Helper()
	want := map[string]int64{}
	for i, b := range x.blocks {
		for w, n := range b.counts {
			want[w] += n * int64((x.end-i+len(x.blocks)-1)/len(x.blocks))
		}
	}
	for w, n := range want {
		if n == 0 {
			delete(want, w) // of blocks that did not come
		}
	}
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
		if n != want[word] {
			if wrong++; wrong <= 10 {
				t.Errorf("%q was counted %d times, it is there %d times", word, n, want[word])
			}
		}
	}
	if seen != len(want) {
		t.Errorf("%d distinct words, want %d", seen, len(want))
	}
	if wrong > 0 {
		t.Errorf("%d words of %d have wrong counts", wrong, seen)
	}
}
