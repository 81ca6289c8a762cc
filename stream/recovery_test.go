package stream_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/state/statetest"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

var (
	lefts  = topology.NewTopic("lefts", serde.String, serde.String)
	rights = topology.NewTopic("rights", serde.String, serde.String)
	joined = topology.NewTopic("joined", serde.String, serde.String)
)

func glue(l, r string) string                       { return l + "/" + r }
func glueLeft(l string, r serde.Opt[string]) string { return l + "/" + r.Or("-") }
func glueBoth(l, r serde.Opt[string]) string        { return l.Or("-") + "/" + r.Or("-") }
func aClass(k, v string) (string, string)           { return k[:1], v }
func named(_, v string) (ref string, ok bool)       { return "k" + v[len(v)-1:], v[len(v)-1] != '9' }
func within(d, grace time.Duration) window.Join     { return window.Within(d).Grace(grace) }
func history(d time.Duration) state.Options         { return state.Options{History: d} }
func bothTables(b *topology.Builder, opts ...state.Options) (l, r table.Table[string, string]) {
	return table.From(b, lefts).Materialize("l", opts...), table.From(b, rights).Materialize("r", opts...)
}

// recovering are topologies whose results must not depend on when the app commits, dies, moves or scales.
var recovering = map[string]func(b *topology.Builder){
	"inner join": func(b *topology.Builder) {
		stream.From(b, lefts).Join("j", stream.From(b, rights), within(50*time.Millisecond, 0), glue).To(joined)
	},
	"left join": func(b *topology.Builder) {
		stream.From(b, lefts).LeftJoin("j", stream.From(b, rights), within(50*time.Millisecond, 20*time.Millisecond), glueLeft).To(joined)
	},
	"outer join": func(b *topology.Builder) {
		stream.From(b, lefts).OuterJoin("j", stream.From(b, rights), within(50*time.Millisecond, 0), glueBoth).To(joined)
	},
	"self join": func(b *topology.Builder) {
		s := stream.From(b, lefts)
		s.Join("j", s, within(50*time.Millisecond, 0), glue).To(joined)
	},
	"stream and table": func(b *topology.Builder) {
		stream.From(b, lefts).LeftJoinTable("j", table.From(b, rights), glueLeft).To(joined)
	},
	"stream and table with grace": func(b *topology.Builder) {
		stream.From(b, lefts).LeftJoinTable("j", table.From(b, rights, history(time.Minute)), glueLeft,
			stream.JoinTableOptions{Grace: 30 * time.Millisecond}).To(joined)
	},
	"tables": func(b *topology.Builder) {
		l, r := bothTables(b)
		l.OuterJoin(r, glueBoth).To(joined)
	},
	"tables with history": func(b *topology.Builder) {
		l, r := bothTables(b, history(100*time.Millisecond))
		l.LeftJoin(r, glueLeft).Materialize("s", history(time.Second)).To(joined)
	},
	"groups of a table": func(b *topology.Builder) {
		l, _ := bothTables(b)
		l.GroupBy(aClass).Aggregate("s", func() string { return "" },
			func(_, v, a string) string { return a + "+" + v },
			func(_, v, a string) string { return a + "-" + v }).To(joined)
	},
	"table with TTL": func(b *topology.Builder) {
		l, _ := bothTables(b, state.Options{TTL: 30 * time.Millisecond})
		l.GroupBy(aClass).Count("s", state.Options{TTL: 100 * time.Millisecond}).MapValues(func(n int64) string { return fmt.Sprint(n) }).To(joined)
		l.To(joined)
	},
	"topic as table with TTL": func(b *topology.Builder) {
		l := table.From(b, lefts, state.Options{TTL: 30 * time.Millisecond})
		l.LeftJoin(table.From(b, rights), glueLeft).To(joined)
	},
	"processor with TTL": func(b *topology.Builder) {
		stream.From(b, lefts).Merge(stream.From(b, rights)).Process("once", passing, passed).To(joined)
	},
	"timers": func(b *topology.Builder) {
		stream.From(b, lefts).Merge(stream.From(b, rights)).Process("timers", reminding, reminders).To(joined)
	},
	"foreign key": func(b *topology.Builder) {
		l, r := bothTables(b)
		l.LeftJoinForeign("j", r, named, glueLeft).To(joined)
	},
	"tumbling windows": func(b *topology.Builder) {
		reducedBy(b, window.Tumbling(20*time.Millisecond)).Then(stream.WindowUpdates).To(windowJoined)
	},
	"sliding windows": func(b *topology.Builder) {
		reducedBy(b, window.Sliding(20*time.Millisecond)).Then(stream.WindowUpdates).To(windowJoined)
	},
	"final windows": func(b *topology.Builder) {
		reducedBy(b, window.Hopping(30*time.Millisecond, 10*time.Millisecond).Grace(5*time.Millisecond)).Final().To(windowJoined)
	},
	"suppressed windows": func(b *topology.Builder) {
		reducedBy(b, window.Tumbling(20*time.Millisecond)).
			Suppress("closed", table.Suppression{UntilClose: true}).Then(stream.WindowUpdates).To(windowJoined)
	},
	"sessions": func(b *topology.Builder) {
		stream.From(b, lefts).Merge(stream.From(b, rights)).GroupByKey().Sessions(window.Session(10*time.Millisecond)).
			Reduce("s", glue).Then(stream.WindowUpdates).To(windowJoined)
	},
}

// windowJoined is joined, with keys of windows.
var windowJoined = topology.NewTopic("joined", windowed.Session(serde.String), serde.String)

func reducedBy(b *topology.Builder, w window.Windows) table.Windowed[string, string] {
	return stream.From(b, lefts).Merge(stream.From(b, rights)).GroupByKey().Windowed(w).Reduce("s", glue)
}

// reminders are timers of the records' keys.
var reminders = state.NewTimers("reminders", serde.String)

// reminding sets the timer of each key to some time after its record, or stops it, and passes on what goes off.
func reminding(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
	timers := ctx.Store(reminders)
	ctx.OnTimer(reminders, topology.StreamTime, func(k string, due window.Instant) error {
		if due%3 == 0 {
			if err := timers.Set(k, due+20); err != nil {
				return err
			}
		}
		return ctx.Forward(topology.Record[string, string]{Key: k, Value: fmt.Sprint("due ", int64(due)), Time: due})
	})
	return topology.ProcessorFunc[string, string](func(r topology.Record[string, string]) error {
		if r.Value[len(r.Value)-1] == '7' {
			return timers.Stop(r.Key)
		}
		return timers.Set(r.Key, r.Time+window.Instant(len(r.Value))*7)
	}), nil
}

// passed are the values that passing has seen lately.
var passed = state.NewKeyValue("passed", serde.String, serde.String, state.Options{TTL: 20 * time.Millisecond})

// passing passes on how many keys there have been lately.
func passing(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
	seen := ctx.Store(passed)
	return topology.ProcessorFunc[string, string](func(r topology.Record[string, string]) error {
		all := ""
		for k := range seen.All() {
			all += k
		}
		if err := seen.Put(r.Key, r.Value); err != nil {
			return err
		}
		return ctx.Forward(r.With(all))
	}), nil
}

// step is a record, or where Topic is "" nothing.
type step struct {
	left  bool
	key   string
	value serde.Opt[string]
	at    window.Instant
}

func randomSteps(r *rand.Rand, deletes bool) (steps []step) {
	at := 0
	for i := range 150 {
		at += r.IntN(12)
		s := step{left: r.IntN(2) == 0, key: fmt.Sprint("k", r.IntN(8)), at: window.Instant(max(0, at-r.IntN(2)*r.IntN(60)))}
		s.value = serde.Opt[string]{Value: fmt.Sprint("v", i), OK: !deletes || r.IntN(6) > 0}
		steps = append(steps, s)
	}
	return steps
}

// TestResultsDoNotDependOnFailures puts the same records through an app that lives on and through one that is killed,
// wiped and scaled between them, over Pebble and over a tier of the caller's own, and compares every result of each key.
func TestResultsDoNotDependOnFailures(t *testing.T) {
	for name, define := range recovering {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			deletes := strings.Contains(name, "table") && !strings.Contains(name, "stream") || name == "foreign key"
			run := func(fail bool, below state.Backend) string {
				r := rand.New(rand.NewPCG(seed, 1))
				steps := randomSteps(r, deletes)
				opts := streamtest.Options{Partitions: 1, Seed: seed, Backend: below}
				if fail {
					opts.CommitEvery = 1 + r.IntN(4)
				}
				d := streamtest.New(t, define, opts)
				l, rt := d.Topic(topology.Nullable(lefts)), d.Topic(topology.Nullable(rights))
				for _, s := range steps {
					if fail && r.IntN(6) == 0 {
						misfortune(d, r)
					}
					in := rt
					if s.left {
						in = l
					}
					in.PutAt(s.at, s.key, s.value)
				}
				// Much later everything has waited long enough.
				l.PutAt(1_000_000, "k8", serde.Some("end"))
				l.PutAt(2_000_000, "k8", serde.Some("end"))
				var out []string
				for _, r := range d.Topic(topology.Nullable(joined)).Read() {
					out = append(out, fmt.Sprintf("%s=%v@%d", r.Key, r.Value, r.Time))
				}
				if len(out) < 20 {
					t.Errorf("%d results: the test shows little", len(out))
				}
				slices.SortStableFunc(out, func(a, b string) int { return strings.Compare(a[:2], b[:2]) })
				return strings.Join(out, "\n")
			}
			want := run(false, nil)
			if got := run(true, nil); got != want {
				t.Errorf("with failures:\n%s\nwithout:\n%s", got, want)
			}
			if got := run(true, statetest.Files{}); got != want {
				t.Errorf("over a tier of the caller's own, with failures:\n%s\nwithout, over Pebble:\n%s", got, want)
			}
		})
	}
}

// misfortune does one thing to the app that must not change its results.
func misfortune(d *streamtest.Driver, r *rand.Rand) {
	switch r.IntN(5) {
	case 0, 1:
		d.Crash(0)
		d.Restart(0)
	case 2:
		d.Wipe(0)
	case 3:
		d.Scale(2)
		d.Scale(1)
	case 4:
		d.Commit()
	}
}
