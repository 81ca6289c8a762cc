package stream_test

import (
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/topology"
)

// mistake is a mistake of a user's, and what Build has to say of it: the whole line behind file and line, with an ellipsis
// for what is not known here.
type mistake struct {
	define func(b *topology.Builder)
	want   string
}

// report makes each mistake in a topology of its own. Build has to say what is wanted, and to name lines of the mistake's
// own in all that it says.
func report(t *testing.T, mistakes []mistake) {
	t.Helper()
	for i, m := range mistakes {
		file, first := m.place()
		last := 1 << 30
		if i+1 < len(mistakes) {
			_, next := mistakes[i+1].place()
			last = next - 1
		}
		for _, n := range build(t, "test", m, file) {
			if n < first || n > last {
				t.Errorf("Build says %q of line %d, not of one from %d to %d", m.want, n, first, last)
			}
		}
	}
}

// build makes a mistake and returns the lines of the file that Build names; it has to say what is wanted.
func build(t *testing.T, app string, m mistake, file string) (lines []int) {
	t.Helper()
	_, err := topology.Define(app, m.define)
	if err == nil {
		t.Errorf("Build finds nothing, want %q", m.want)
		return nil
	}
	if !says(err, m.want) {
		t.Errorf("Build says\n%v\nwant\n%s", err, m.want)
	}
	at := regexp.MustCompile(`^topology: ` + regexp.QuoteMeta(file) + `:(\d+): `)
	for line := range strings.Lines(err.Error()) {
		if !at.MatchString(line) {
			t.Errorf("%q names no line of %s", line, file)
			continue
		}
		n, err := strconv.Atoi(at.FindStringSubmatch(line)[1])
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, n)
	}
	return lines
}

// reportAll makes all mistakes in one topology: none may hide another, but for what is found in stores, which are looked at
// when all else is well.
func reportAll(t *testing.T, mistakes []mistake) {
	t.Helper()
	_, err := topology.Define("test", func(b *topology.Builder) {
		for _, m := range mistakes {
			m.define(b)
		}
	})
	for _, m := range mistakes {
		if err == nil || !says(err, m.want) && !strings.HasPrefix(m.want, "state: ") {
			t.Errorf("with all others Build does not say %q", m.want)
		}
	}
}

// place is where the mistake is defined.
func (m mistake) place() (file string, line int) {
	pc := reflect.ValueOf(m.define).Pointer()
	file, line = runtime.FuncForPC(pc).FileLine(pc)
	return filepath.Base(file), line
}

// says reports whether a line of err has all parts of want, which are set apart by an ellipsis, in their order.
func says(err error, want string) bool {
	for line := range strings.Lines(err.Error()) {
		all := true
		for part := range strings.SplitSeq(want, " … ") {
			var found bool
			if _, line, found = strings.Cut(line, part); !found {
				all = false
			}
		}
		if all {
			return true
		}
	}
	return false
}
