package task_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/task"
	"github.com/thalweg/thalweg/internal/task/tasktest"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

var alarms = state.NewTimers("alarms", serde.String)

// alarmed passes records on and does what their values say: "set 20 30" sets the timers of the key and of "x" to those
// times, "stop" stops them. A call passes "due" on, at its time, and sets what again says.
func alarmed(by topology.Time, again func(k string, due int64) (string, int64)) func(*topology.Builder) {
	return func(b *topology.Builder) {
		open := func(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
			timers := ctx.Store(alarms)
			ctx.OnTimer(alarms, by, func(k string, due window.Instant) error {
				if again != nil {
					if k, at := again(k, int64(due)); k != "" {
						if err := timers.Set(k, window.Instant(at)); err != nil {
							return err
						}
					}
				}
				return ctx.Forward(topology.Record[string, string]{Key: k, Value: fmt.Sprint(k, "@", int64(due)), Time: due})
			})
			return topology.ProcessorFunc[string, string](func(r topology.Record[string, string]) error {
				var at, x window.Instant
				switch n, _ := fmt.Sscanf(r.Value, "set %d %d", &at, &x); {
				case n == 2:
					if err := timers.Set("x", x); err != nil {
						return err
					}
					fallthrough
				case n == 1:
					if err := timers.Set(r.Key, at); err != nil {
						return err
					}
				case r.Value == "stop":
					if err := timers.Stop(r.Key); err != nil {
						return err
					}
				}
				return ctx.Forward(r.With("-"))
			}), nil
		}
		topology.Source(b, texts("a")).Process("alarms", open, alarms).Sink(texts("out"))
	}
}

// TestTimersFollowTheRecord shows that timers go off behind the very record that moved stream time, by time and key,
// whatever came in the same batch; that a later Set replaces an earlier one; and that one whose time has passed is due
// at once.
func TestTimersFollowTheRecord(t *testing.T) {
	b := tasktest.Open(t, alarmed(topology.StreamTime, nil), tasktest.Options{})
	b.Feed("a", 0, at(5, "b", "set 30 20"), at(6, "a", "set 30"), at(7, "c", "set 10"), at(7, "c", "set 50"), at(29, "k", ""),
		at(35, "d", "set 1"), at(30, "e", "set 40"), at(36, "e", "stop"), at(90, "k", ""))
	b.Run()
	wantValues(t, "out", b.Out("out").Open(), "- - - - - x@20 - d@1 a@30 b@30 - - - c@50")
}

// TestAnAbortSetsTimersBack shows that what was set, stopped and called comes back.
func TestAnAbortSetsTimersBack(t *testing.T) {
	b := tasktest.Open(t, alarmed(topology.StreamTime, nil), tasktest.Options{})
	b.Feed("a", 0, at(1, "a", "set 20"), at(2, "b", "set 30"))
	b.Run()
	b.Commit()
	rs := []tasktest.Record{at(10, "c", "set 15"), at(11, "b", "stop"), at(25, "k", "")}
	b.Feed("a", 0, rs...)
	b.Run()
	wantValues(t, "before the abort", b.Out("out").Open(), "- - - c@15 a@20")
	b.Abort()
	b.Feed("a", 0, at(40, "k", ""))
	b.Run()
	b.Commit()
	wantValues(t, "committed", b.Out("out").Committed(), "- - - a@20 b@30")
}

// TestTimersSetByTimers shows that a call can set timers that are due in the same stretch of time, each in its place,
// and that times up to its own wait for the next record.
func TestTimersSetByTimers(t *testing.T) {
	b := tasktest.Open(t, alarmed(topology.StreamTime, func(k string, due int64) (string, int64) {
		switch {
		case k == "a" && due < 40:
			return k, due + 10
		case k == "b":
			return "past", 3
		}
		return "", 0
	}), tasktest.Options{})
	b.Feed("a", 0, at(1, "a", "set 10"), at(1, "b", "set 25"), at(60, "k", ""), at(60, "k", ""))
	b.Run()
	wantValues(t, "out", b.Out("out").Open(), "- - - a@10 a@20 b@25 a@30 a@40 - past@3")
}

// TestTimersByTheClock shows timers that go off between records, and one that the clock passes while the app is down.
func TestTimersByTheClock(t *testing.T) {
	d := streamtest.New(t, alarmed(topology.WallTime, nil), streamtest.Options{Partitions: 1})
	began := int64(d.Now())
	in, out := d.Topic(texts("a")), d.Topic(texts("out"))
	in.Put("a", fmt.Sprint("set ", began+1000))
	in.Put("b", fmt.Sprint("set ", began+3000))
	want := func(what string, values ...string) {
		t.Helper()
		var got []string
		for _, r := range out.Read() {
			got = append(got, r.Value)
		}
		if !slices.Equal(got, values) {
			t.Errorf("%s: %v, want %v", what, got, values)
		}
	}
	d.Advance(999 * time.Millisecond)
	want("before", "-", "-")
	d.Advance(time.Millisecond)
	want("at its time", fmt.Sprint("a@", began+1000))
	d.Crash(0)
	d.Advance(time.Hour)
	want("while down")
	d.Restart(0)
	want("at the start", fmt.Sprint("b@", began+3000))
	d.Advance(time.Hour)
	want("once")
}

// TestTimersAreMisused shows what the Opener is told.
func TestTimersAreMisused(t *testing.T) {
	topo, err := topology.Define("test", func(b *topology.Builder) {
		topology.Source(b, texts("a")).Process("twice", func(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
			for range 2 {
				ctx.OnTimer(alarms, topology.WallTime, func(string, window.Instant) error { return nil })
			}
			return topology.ProcessorFunc[string, string](ctx.Forward), nil
		}, alarms).Sink(texts("out"))
	})
	if err != nil {
		t.Fatal(err)
	}
	g := topo.Graph()
	_, err = task.Open(task.Env{
		Graph: g, Sub: g.Subs[0], Context: t.Context(), Logger: slog.New(slog.DiscardHandler), Now: time.Now, Hasher: hashed.NewHasher(1, 2),
		Reads: func(n *edge.Node) []*edge.Topic { return []*edge.Topic{n.Topic} }, Out: func(string) (edge.Out, error) { return nil, nil },
	})
	if err == nil || !strings.Contains(err.Error(), `the timers "alarms" have an OnTimer already`) {
		t.Errorf("two OnTimer: %v", err)
	}
}
