package streamtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

var (
	lines  = topology.NewTopic("lines", serde.String, serde.String)
	counts = topology.NewTopic("word-counts", serde.String, serde.Int64)
)

// words counts words, each record by so much.
func words(by int64) func(b *topology.Builder) {
	return func(b *topology.Builder) {
		stream.From(b, lines).
			FlatMapValues(strings.FieldsSeq).
			GroupBy(func(_, word string) string { return word }).
			Sum("counts", func(string) int64 { return by }).
			To(counts)
	}
}

// play puts the same into each topology.
func play(d *streamtest.Driver) *streamtest.Recording {
	r := d.Record()
	in := d.Topic(lines)
	in.PutAt(5, "k", "Gold gold")
	in.PutRecord(topology.Record[string, string]{Key: "k", Value: "all that glitters", Time: 7, Headers: topology.Headers{}.Add("h", []byte{1})})
	d.Advance(time.Second)
	in.PutAt(9, "k", "gold")
	return r
}

func TestRecordingIsAsBefore(t *testing.T) {
	play(streamtest.New(t, words(1))).Check("testdata/words.txt")
}

// TestRecordingShowsWhatHasChanged: the first difference is named, with what was put before it.
func TestRecordingShowsWhatHasChanged(t *testing.T) {
	r := &reported{TB: t}
	play(streamtest.New(r, words(2))).Check("testdata/words.txt")
	want := "streamtest: testdata/words.txt:2: after put lines \"k\" \"Gold gold\" @5\n" +
		"  got  word-counts-2 \"Gold\" 0x0000000000000002 @5\n" +
		"  want word-counts-2 \"Gold\" 0x0000000000000001 @5\n" +
		"THALWEG_UPDATE=1 go test takes the change"
	if r.text != want {
		t.Errorf("got\n%s\nwant\n%s", r.text, want)
	}
}

func TestRecordingIsWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "words.txt")
	t.Setenv("THALWEG_UPDATE", "1")
	play(streamtest.New(t, words(1))).Check(file)
	t.Setenv("THALWEG_UPDATE", "")
	r := play(streamtest.New(t, words(1)))
	r.Check(file)
	text, err := os.ReadFile(file)
	if err != nil || string(text) != r.Text() || !strings.Contains(r.Text(), "advance 1s") {
		t.Errorf("written %q, %v; recorded %q", text, err, r.Text())
	}
}

// reported is a test that keeps the first error it is told.
type reported struct {
	testing.TB
	text string
}

func (r *reported) Errorf(format string, args ...any) {
	if r.text == "" {
		r.text = fmt.Sprintf(format, args...)
	}
}

// BenchmarkNew is what a driver of four partitions with a store costs before the first record.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		t := &made{TB: b}
		b.StartTimer()
		streamtest.New(t, words(1), streamtest.Options{Seed: 1})
		b.StopTimer()
		for _, f := range t.cleanups {
			f()
		}
		b.StartTimer()
	}
}

// made keeps what a driver wants to be done at the end.
type made struct {
	testing.TB
	cleanups []func()
}

func (m *made) Cleanup(f func()) { m.cleanups = append(m.cleanups, f) }
