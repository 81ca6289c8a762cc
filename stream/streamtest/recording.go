package streamtest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Recording is what a test has done to a topology, and what the topology has made of it, as text: each record put, and
// under it what was written before the next. Whatever changes results shows as a difference, in a file that can be read:
//
//	put lines "k" "Gold gold" @5
//	  word-counts-2 "Gold" 0x0000000000000001 @5
//	  word-counts-3 "gold" 0x0000000000000001 @5
//
// Keys, values and headers are as they were written, so that a change of an encoding shows, too. Topics of the app's own are
// left out. What one put brings is sorted by topic and partition; where input has no keys, give Options a Seed, which says
// where it goes.
type Recording struct {
	d     *Driver
	own   map[string]bool // topics of the app's own
	text  strings.Builder
	wrote []written // since the last put
}

// Record records what happens from now on. A second call begins a new recording in place of the first.
//
//	r := streamtest.New(t, words).Record()
//	…
//	r.Check("testdata/words.txt")
func (d *Driver) Record() *Recording {
	r := &Recording{d: d, own: map[string]bool{}}
	for _, t := range d.graph.Topics {
		r.own[t.Name] = t.Internal
	}
	for _, s := range d.graph.Stores {
		if s.FromTopic == nil {
			r.own[s.Changelog] = true
		}
	}
	d.recording = r
	return r
}

// did notes what the test has done.
func (r *Recording) did(format string, args ...any) {
	if r == nil {
		return
	}
	r.settle()
	fmt.Fprintf(&r.text, format+"\n", args...)
}

// put notes a record that the test has put.
func (r *Recording) put(topic string, w raw) {
	if r != nil {
		r.did("put %s %s", topic, r.textOf(w))
	}
}

// take notes what a commit has written.
func (r *Recording) take(ws []written) {
	if r == nil {
		return
	}
	for _, w := range ws {
		if !r.own[w.topic] {
			r.wrote = append(r.wrote, w)
		}
	}
}

// settle writes down what came of the last put.
func (r *Recording) settle() {
	slices.SortStableFunc(r.wrote, func(a, b written) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	for _, w := range r.wrote {
		fmt.Fprintf(&r.text, "  %s-%d %s\n", w.topic, w.partition, r.textOf(w.raw))
	}
	r.wrote = nil
}

// textOf is a record as text: printable bytes quoted, others in hex, null for a null value, - for no key.
func (r *Recording) textOf(w raw) string {
	text := func(b []byte, none string) string {
		switch {
		case b == nil:
			return none
		case utf8.Valid(b) && !strings.ContainsFunc(string(b), func(c rune) bool { return !unicode.IsPrint(c) }):
			return fmt.Sprintf("%q", b)
		}
		return fmt.Sprintf("0x%x", b)
	}
	s := fmt.Sprintf("%s %s @%d", text(w.key, "-"), text(w.value, "null"), w.time)
	rec, err := (&written{raw: w}).record()
	if err != nil {
		r.d.t.Fatalf("streamtest: headers: %v", err)
	}
	for k, v := range rec.Headers.All() {
		s += fmt.Sprintf(" %s=%s", k, text(v, "null"))
	}
	return s
}

// Text returns the recording so far.
func (r *Recording) Text() string {
	r.settle()
	return r.text.String()
}

// Check compares the recording with the file, and fails the test at the first difference. THALWEG_UPDATE=1 go test writes
// the file, as that of CheckLock.
func (r *Recording) Check(file string) {
	t := r.d.t
	t.Helper()
	text := r.Text()
	if update() {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatalf("streamtest: %v", err)
		}
		return
	}
	was, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("streamtest: %v: %s=1 go test writes it", err, updateEnv)
	}
	if err != nil {
		t.Fatalf("streamtest: %v", err)
	}
	if string(was) != text {
		t.Errorf("streamtest: %s\n%s=1 go test takes the change", difference(file, string(was), text), updateEnv)
	}
}

// difference is the first line that differs, with what was put before it.
func difference(file, was, is string) string {
	a, b := strings.Split(was, "\n"), strings.Split(is, "\n")
	i, put := 0, ""
	for i < len(a) && i < len(b) && a[i] == b[i] {
		if !strings.HasPrefix(a[i], " ") {
			put = a[i]
		}
		i++
	}
	line := func(ls []string) string {
		if i >= len(ls)-1 {
			return "(the end)"
		}
		return strings.TrimSpace(ls[i])
	}
	return fmt.Sprintf("%s:%d: after %s\n  got  %s\n  want %s", file, i+1, put, line(b), line(a))
}
