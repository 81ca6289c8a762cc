package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

// TestWords counts lines over a crash, on four partitions.
func TestWords(t *testing.T) {
	c := counts{lines: linesOf(program)}
	d := streamtest.New(t, c.topology)
	in := d.Topic(c.lines)
	in.Put(serde.Void{}, "Größe 42, grösse; GRÖSSE!")
	d.Crash(0)
	d.Restart(0)
	in.Put(serde.Void{}, "größe x1 İ")
	got := map[string]int64{}
	for e, err := range c.Query(d).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got[e.Key] = e.Value
	}
	want := map[string]int64{"größe": 2, "grösse": 2, "42": 1, "x1": 1, strings.ToLower("İ"): 1}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// plain counts the words of text with a map: the reference.
func plain(text string) map[string]int64 {
	m := map[string]int64{}
	word := []rune{}
	flush := func() {
		if len(word) > 0 {
			m[strings.ToLower(string(word))]++
		}
		word = word[:0]
	}
	for _, r := range text {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			word = append(word, r)
			continue
		}
		flush()
	}
	flush()
	return m
}

// TestAllCountsEqualAMap runs the whole program on the bundled engine, over text with very long lines and odd bytes, and
// compares every count.
func TestAllCountsEqualAMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dir, want := t.TempDir(), map[string]int64{}
	for i := range 3 {
		var b strings.Builder
		for range 20_000 {
			fmt.Fprintf(&b, "%c%d", []rune("wWé世_\xff-")[r.IntN(7)], r.IntN(3000))
			b.WriteString([]string{" ", " ", ",", "\n", "\r\n", "\t"}[r.IntN(6)])
		}
		b.WriteString(strings.Repeat("long line ", 50_000)) // over several reads
		for w, n := range plain(b.String()) {
			want[w] += n
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.txt", i)), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out bytes.Buffer
	state := t.TempDir()
	if err := run(ctx, []string{"-dir", state, dir}, &out); err != nil {
		t.Fatal(err)
	}
	compare(t, state, want)
	total := int64(0)
	for _, n := range want {
		total += n
	}
	if line := fmt.Sprintf("%d words, %d distinct", total, len(want)); !strings.Contains(out.String(), line) {
		t.Errorf("the report does not say %q:\n%s", line, out.String())
	}
	out.Reset()
	if err := run(ctx, []string{"-dir", state, dir}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "counted already") {
		t.Errorf("a finished run does not say so:\n%s", out.String())
	}
	if err := run(ctx, []string{"-dir", state, filepath.Join(dir, "0.txt")}, &out); err == nil || !strings.Contains(err.Error(), "another text") {
		t.Errorf("another text in the same folder: %v", err)
	}
}

// compare opens the program's folder again and asks for every row.
func compare(t *testing.T, dir string, want map[string]int64) {
	t.Helper()
	c := counts{lines: linesOf(program)}
	topo, err := topology.Define(program, c.topology)
	if err != nil {
		t.Fatal(err)
	}
	a, err := stream.New(topo, stream.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	<-a.Ready()
	got := map[string]int64{}
	for e, err := range c.Query(a).All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		got[e.Key] = e.Value
	}
	cancel(errors.New("done"))
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !maps.Equal(got, want) {
		t.Errorf("%d words, want %d", len(got), len(want))
		for w, n := range want {
			if got[w] != n {
				t.Errorf("%q = %d, want %d", w, got[w], n)
				return
			}
		}
	}
}

// TestLinesArePartedBetweenWords splits a line that does not fit, and refuses a word that does not.
func TestLinesArePartedBetweenWords(t *testing.T) {
	text := strings.Repeat("ab ", lineMost/2)
	s := bufio.NewScanner(strings.NewReader(text))
	s.Buffer(make([]byte, 0, lineMost), lineMost)
	s.Split(splitLines)
	var back strings.Builder
	for s.Scan() {
		if !strings.HasSuffix(s.Text(), " ") {
			t.Errorf("a piece ends in a word: %q", s.Text()[len(s.Text())-5:])
		}
		back.WriteString(s.Text())
	}
	if s.Err() != nil || back.String() != text {
		t.Errorf("%d bytes of %d, %v", back.Len(), len(text), s.Err())
	}
	if _, _, err := splitLines(bytes.Repeat([]byte("x"), lineMost), false); err == nil {
		t.Error("a word without end is taken")
	}
}
