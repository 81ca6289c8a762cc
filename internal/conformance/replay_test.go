package conformance_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thalweg/thalweg/internal/conformance"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// build is a topology: what a case's code is, in Thalweg.
type build = func(b *topology.Builder)

// builders are all cases that are built, by name. Each file of cases adds its own.
var builders = map[string]build{}

// register adds the cases of one file.
func register(cases map[string]build) bool {
	for name, f := range cases {
		if builders[name] != nil {
			panic("two builders of " + name)
		}
		builders[name] = f
	}
	return true
}

// deviations are the cases that Thalweg does not follow, with the reason. Families for information alone are not
// recorded here: see conformance.Load.
var deviations = map[string]string{
	"trace-left-old-api": "JoinWindows.of is deprecated: its unmatched records leave before the window has closed, and match again later",
	"trace-numbering":    "it is of the names that Kafka Streams generates; here durable names are given by the user",
}

// goldenDir is where the recordings are: those of the project, or others.
func goldenDir() string {
	if dir := os.Getenv("GOLDEN_DIR"); dir != "" {
		return dir
	}
	return "testdata"
}

// TestRecordings replays every recording and compares all that came out.
func TestRecordings(t *testing.T) {
	all, err := conformance.Load(goldenDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("no recordings in %s", goldenDir())
	}
	byCase := map[string][]*conformance.Recording{}
	for _, r := range all {
		byCase[r.Case] = append(byCase[r.Case], r)
	}
	complete(t, byCase)
	var recordings, steps atomic.Int64
	t.Run("case", func(t *testing.T) {
		for _, name := range slices.Sorted(maps.Keys(byCase)) {
			f, rs := builders[name], byCase[name]
			if f == nil {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for _, r := range rs {
					t.Run(fmt.Sprint(r.Seed), func(t *testing.T) { replay(t, f, r) })
					recordings.Add(1)
					steps.Add(int64(len(r.Steps)))
				}
			})
		}
	})
	t.Logf("%d of %d cases: %d recordings, %d steps; %d deviations",
		len(byCase)-len(deviations), len(byCase), recordings.Load(), steps.Load(), len(deviations))
}

// complete checks that each case has a builder and each builder recordings.
func complete(t *testing.T, byCase map[string][]*conformance.Recording) {
	for name := range byCase {
		switch {
		case deviations[name] != "" && builders[name] != nil:
			t.Errorf("%s is built, and a deviation: %s", name, deviations[name])
		case deviations[name] == "" && builders[name] == nil:
			t.Errorf("%s has no builder", name)
		}
	}
	for name := range builders {
		if byCase[name] == nil {
			t.Errorf("%s has no recording", name)
		}
	}
	for name := range deviations {
		if byCase[name] == nil {
			t.Errorf("the deviation %s has no recording", name)
		}
	}
}

// throttles are the settings by which Kafka Streams delays what has closed.
var throttles = []string{
	"__emit.interval.ms.kstreams.windowed.aggregation__",
	"__emit.interval.ms.kstreams.outer.join.spurious.results.fix__",
}

// configured is f with the settings of the recording.
func configured(rec *conformance.Recording, f build) build {
	return func(b *topology.Builder) {
		for _, name := range throttles {
			if ms := rec.Config[name]; ms != nil {
				b.EmitEvery(edge.Millis(number(ms)))
			}
		}
		f(b)
	}
}

// replay runs one recording on the production task loop.
func replay(t *testing.T, f build, rec *conformance.Recording) {
	d := streamtest.New(t, configured(rec, f), streamtest.Options{Partitions: 1, Start: time.UnixMilli(0), Seed: rec.Seed})
	w := &written{sinks: rec.Sinks, logs: map[string]*changelog{}}
	d.Written(w.add)
	ins := map[string]*streamtest.Topic[[]byte, serde.Opt[[]byte]]{}
	for _, name := range rec.Sources {
		ins[name] = d.Topic(topology.Nullable(topology.NewTopic(name, serde.Bytes, serde.Bytes)))
	}
	for _, name := range rec.Sinks {
		d.Topic(texts(name)) // a topic picked for each record is there already
	}
	// Between sinks behind different repartition topics there is no order.
	ordered := !strings.Contains(rec.Describe, "-repartition")
	for i, s := range rec.Steps {
		w.out = w.out[:0]
		what := fmt.Sprintf("the clock moved by %d ms", s.Wall)
		if s.In == nil {
			d.Advance(time.Duration(s.Wall) * time.Millisecond)
		} else {
			what = text(*s.In)
			ins[s.In.Topic].PutRecord(input(s.In))
		}
		if diff := outputs(s.Out, w.out, ordered); diff != "" {
			t.Fatalf("step %d of %d: %s\n%s", i+1, len(rec.Steps), what, diff)
		}
	}
	final(t, d, rec, w)
}

// input is a recorded record, as bytes.
func input(r *conformance.Record) topology.Record[[]byte, serde.Opt[[]byte]] {
	key, value := encodings(r.Key)[0], encodings(r.Value)[0]
	out := topology.Record[[]byte, serde.Opt[[]byte]]{Key: key, NoKey: key == nil, Time: window.Instant(r.TS)}
	out.Value = serde.Opt[[]byte]{Value: value, OK: value != nil}
	for _, h := range r.Headers {
		var v []byte
		if h[1] != nil {
			v = []byte(*h[1])
		}
		out.Headers = out.Headers.Add(*h[0], v)
	}
	return out
}

// written is what a topology has written.
type written struct {
	sinks []string
	out   []sunk
	logs  map[string]*changelog // by topic
}

// sunk is a record of a sink.
type sunk struct {
	topic string
	topology.Record[[]byte, []byte]
}

// changelog is the last record of each key, and every record.
type changelog struct {
	last map[string]topology.Record[[]byte, []byte]
	all  []topology.Record[[]byte, []byte]
}

func (w *written) add(topic string, r topology.Record[[]byte, []byte]) {
	if slices.Contains(w.sinks, topic) {
		w.out = append(w.out, sunk{topic, r})
	}
	if strings.HasPrefix(topic, "test-") {
		l := w.logs[topic]
		if l == nil {
			l = &changelog{last: map[string]topology.Record[[]byte, []byte]{}}
			w.logs[topic] = l
		}
		l.last[string(r.Key)] = r
		l.all = append(l.all, r)
	}
}
