package stream_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

var coalesce = state.Options{Coalesce: true}

func sayChange[V any](c table.Change[V]) string {
	say := func(v serde.Opt[V]) string {
		if !v.OK {
			return "-"
		}
		return fmt.Sprint(v.Value)
	}
	return say(c.Old) + ">" + say(c.New)
}

// TestCoalesce is the trace of Kafka Streams' cache: the last update of each key at a commit, in the order of the last
// writes, from what was there at the commit before, with the time of the last write; what came and went is not seen.
func TestCoalesce(t *testing.T) {
	d := streamtest.New(t, func(b *topology.Builder) {
		rows := stream.Upsert(stream.From(b, topology.Nullable(lefts)), "rows", coalesce)
		stream.Changes(rows).MapValues(sayChange[string]).To(joined)
	}, streamtest.Options{Partitions: 1, CommitEvery: 6})
	in, out := d.Topic(topology.Nullable(lefts)), d.Topic(joined)
	round := func(want string, steps ...string) {
		t.Helper()
		var rs []topology.Record[string, serde.Opt[string]]
		for i, s := range steps {
			k, v, _ := strings.Cut(s, "=")
			rs = append(rs, topology.Record[string, serde.Opt[string]]{Key: k, Value: serde.Opt[string]{Value: v, OK: v != ""}, Time: window.Instant(10 * i)})
		}
		in.PutAll(rs...)
		var got []string
		for _, r := range out.Read() {
			got = append(got, fmt.Sprintf("%s=%s@%d", r.Key, r.Value, int64(r.Time)))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("after %v: %q, want %q", steps, s, want)
		}
	}
	round("b=->1@10 a=->3@50", "a=1", "b=1", "a=2", "c=1", "c=", "a=3")
	round("b=1>-@20 d=->1@30 a=3>2@50", "a=1", "d=2", "b=", "d=1", "e=", "a=2")
}

// TestCoalesceEndsInTheSameRows puts the same records through tables with and without, killed now and then, and compares
// what comes of them: of each key the last update, and the aggregate that follows.
func TestCoalesceEndsInTheSameRows(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	run := func(o state.Options, fail bool) string {
		r := rand.New(rand.NewPCG(seed, 2))
		steps := randomSteps(r, true)
		opts := streamtest.Options{Partitions: 1, Seed: seed}
		if fail {
			opts.CommitEvery = 7
		}
		d := streamtest.New(t, func(b *topology.Builder) {
			l := stream.Upsert(stream.From(b, topology.Nullable(lefts)), "l", o)
			l.GroupBy(aClass).Count("classes", o).MapValues(func(n int64) string { return fmt.Sprint(n) }).To(joined)
			rs := stream.From(b, rights).GroupByKey()
			w := rs.Windowed(window.Tumbling(40*time.Millisecond).Grace(time.Second)).Count("windows", o)
			stream.WindowUpdates(w).Map(func(k window.Key[string], n int64) (string, string) {
				return fmt.Sprint(k.Key, k.Start), fmt.Sprint(n)
			}).To(joined)
			s := rs.Sessions(window.Session(20*time.Millisecond).Grace(time.Second)).Count("sessions", o)
			stream.WindowChanges(s).Map(func(k window.Key[string], c table.Change[int64]) (string, string) {
				return fmt.Sprint(k.Key, k.Start, k.End), fmt.Sprint(c.New)
			}).To(joined)
		}, opts)
		l, rt := d.Topic(topology.Nullable(lefts)), d.Topic(rights)
		for len(steps) > 0 {
			var ls []topology.Record[string, serde.Opt[string]]
			var rs []topology.Record[string, string]
			n := min(10, len(steps))
			for _, s := range steps[:n] {
				if s.left {
					ls = append(ls, topology.Record[string, serde.Opt[string]]{Key: s.key, Value: s.value, Time: s.at})
				} else {
					rs = append(rs, topology.Record[string, string]{Key: s.key, Value: s.value.Value, Time: s.at})
				}
			}
			steps = steps[n:]
			l.PutAll(ls...)
			rt.PutAll(rs...)
			if fail && r.IntN(2) == 0 {
				misfortune(d, r)
			}
		}
		last := map[string]string{}
		for _, r := range d.Topic(joined).Read() {
			last[r.Key] = r.Value
		}
		var out []string
		for k, v := range last {
			if v != "{0 false}" {
				out = append(out, k+"="+v)
			}
		}
		slices.Sort(out)
		return strings.Join(out, "\n")
	}
	if want, got := run(state.Options{}, false), run(coalesce, true); got != want {
		t.Errorf("coalesced:\n%s\nevery update:\n%s", got, want)
	}
}
