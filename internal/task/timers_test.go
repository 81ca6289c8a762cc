package task_test

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/thalweg/thalweg/internal/task"
	"github.com/thalweg/thalweg/internal/task/tasktest"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// ticking forwards each punctuation as a record and passes the records on.
func ticking(by topology.Time, every time.Duration, calls *[]int64) func(*topology.Builder) {
	return func(b *topology.Builder) {
		open := func(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
			ctx.Schedule(every, by, func(now window.Instant) error {
				*calls = append(*calls, int64(now))
				return ctx.Forward(topology.Record[string, string]{Key: "tick", Value: "tick", Time: now})
			})
			return topology.ProcessorFunc[string, string](ctx.Forward), nil
		}
		topology.Source(b, texts("a")).Process("ticks", open).Sink(texts("out"))
	}
}

func wantCalls(t *testing.T, what string, got []int64, want ...int64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: calls %v, want %v", what, got, want)
	}
}

// TestStreamTimePunctuation is the trace of Kafka Streams: once for each due time passed, with the time it is, aligned
// to 0.
func TestStreamTimePunctuation(t *testing.T) {
	var calls []int64
	b := tasktest.Open(t, ticking(topology.StreamTime, 10*time.Millisecond, &calls), tasktest.Options{})
	for _, tm := range []int64{20, 25, 142, 145, 155, 159, 160, 161} {
		b.Feed("a", 0, at(tm, "k", "v"))
		b.Run()
	}
	wantCalls(t, "stream time", calls, 20, 142, 155, 160)
}

// TestStreamTimeWithinOneBatch shows that it does not matter how many records come at once.
func TestStreamTimeWithinOneBatch(t *testing.T) {
	var calls []int64
	b := tasktest.Open(t, ticking(topology.StreamTime, 10*time.Millisecond, &calls), tasktest.Options{})
	b.Feed("a", 0, at(20, "k", "v"), at(25, "k", "v"), at(142, "k", "v"), at(130, "k", "v"), at(155, "k", "v"))
	b.Run()
	wantCalls(t, "stream time", calls, 20, 142, 155)
	wantValues(t, "a punctuation follows the record that made it due", b.Out("out").Open(), "v tick v v tick v v tick")
}

// TestWallTimePunctuation is the other trace: aligned to the time of registration.
func TestWallTimePunctuation(t *testing.T) {
	var calls []int64
	b := tasktest.Open(t, ticking(topology.WallTime, 10*time.Millisecond, &calls), tasktest.Options{})
	began := b.Now
	for _, ms := range []int64{0, 9, 10, 20, 29, 30, 50, 50} {
		b.Now = began.Add(time.Duration(ms) * time.Millisecond)
		if err := b.Punctuate(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range calls {
		calls[i] -= began.UnixMilli()
	}
	wantCalls(t, "clock", calls, 10, 20, 30, 50)
	if !b.Dirty() {
		t.Error("nothing to commit after punctuations")
	}
	if got := b.NextWall() - began.UnixMilli(); got != 60 {
		t.Errorf("next at +%d, want +60", got)
	}
}

// TestAbortedPunctuationIsCalledAgain shows that what a punctuation has done comes back with the records of its
// transaction.
func TestAbortedPunctuationIsCalledAgain(t *testing.T) {
	var calls []int64
	b := tasktest.Open(t, ticking(topology.StreamTime, 10*time.Millisecond, &calls), tasktest.Options{})
	b.Feed("a", 0, at(20, "k", "v"))
	b.Run()
	b.Commit()
	b.Feed("a", 0, at(142, "k", "v"))
	b.Run()
	b.Abort()
	b.Feed("a", 0, at(142, "k", "v"))
	b.Run()
	b.Commit()
	wantCalls(t, "with an abort between", calls, 20, 142, 142)
	wantValues(t, "committed", b.Out("out").Committed(), "v tick v tick")
}

// TestOneCallAndNoMore stops a schedule in its own call: an abort brings that call back too, a commit ends it.
func TestOneCallAndNoMore(t *testing.T) {
	calls := 0
	b := tasktest.Open(t, func(b *topology.Builder) {
		open := func(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
			var stop func()
			stop = ctx.Schedule(10*time.Millisecond, topology.StreamTime, func(window.Instant) error { calls++; stop(); return nil })
			return topology.ProcessorFunc[string, string](ctx.Forward), nil
		}
		topology.Source(b, texts("a")).Process("once", open).Sink(texts("out"))
	}, tasktest.Options{})
	for round, end := range []func(){b.Abort, func() { b.Commit() }, func() { b.Commit() }} {
		b.Feed("a", 0, at(100, "k", "v"), at(200, "k", "v"))
		b.Run()
		end()
		if want := min(round+1, 2); calls != want {
			t.Errorf("round %d: %d calls, want %d", round, calls, want)
		}
	}
}

func TestPunctuationsGoByDueTimes(t *testing.T) {
	var order []string
	b := tasktest.Open(t, func(b *topology.Builder) {
		open := func(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
			for _, s := range []struct {
				name  string
				every time.Duration
			}{{"slow", 50 * time.Millisecond}, {"quick", 20 * time.Millisecond}} {
				ctx.Schedule(s.every, topology.WallTime, func(window.Instant) error { order = append(order, s.name); return nil })
			}
			return topology.ProcessorFunc[string, string](ctx.Forward), nil
		}
		topology.Source(b, texts("a")).Process("two", open).Sink(texts("out"))
	}, tasktest.Options{})
	b.Now = b.Now.Add(70 * time.Millisecond)
	if err := b.Punctuate(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(order, []string{"quick", "slow"}) {
		t.Errorf("order %v, want the schedule first that was due first", order)
	}
}

func TestFailedPunctuation(t *testing.T) {
	broken := errors.New("broken")
	open := func(fail func() error) func(*topology.Builder) {
		return func(b *topology.Builder) {
			topology.Source(b, texts("a")).Process("ticks", func(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
				ctx.Schedule(10*time.Millisecond, topology.StreamTime, func(window.Instant) error { return fail() })
				return topology.ProcessorFunc[string, string](ctx.Forward), nil
			}).Sink(texts("out"))
		}
	}
	b := tasktest.Open(t, open(func() error { return broken }), tasktest.Options{})
	b.Feed("a", 0, at(10, "k", "v"))
	if _, err := b.Process(10); !errors.Is(err, broken) {
		t.Errorf("%v, want the callback's error", err)
	}
	var asked []task.Failure
	b = tasktest.Open(t, open(func() error { panic(broken) }), tasktest.Options{
		Decide: func(f task.Failure) task.Action { asked = append(asked, f); return task.Skip },
	})
	b.Feed("a", 0, at(10, "k", "v"), at(20, "k", "w"))
	if n := b.Run(); n != 2 || len(asked) != 2 || !errors.Is(asked[0].Err, broken) || asked[0].Topic != "" {
		t.Errorf("%d records, failures %v, want both records and two panics without a record", n, asked)
	}
	wantValues(t, "records", b.Out("out").Open(), "v w")
}

func TestNoScheduleIsNeverDue(t *testing.T) {
	b := tasktest.Open(t, merged, tasktest.Options{})
	if got := b.NextWall(); got != math.MaxInt64 {
		t.Errorf("next punctuation at %d without any", got)
	}
}

// TestScheduleMadeLate shows that a schedule made while stream time is known fires at once, without waiting for it to
// move.
func TestScheduleMadeLate(t *testing.T) {
	var calls []int64
	b := tasktest.Open(t, func(b *topology.Builder) {
		open := func(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
			return topology.ProcessorFunc[string, string](func(r topology.Record[string, string]) error {
				if r.Value == "now" {
					ctx.Schedule(10*time.Millisecond, topology.StreamTime, func(now window.Instant) error {
						calls = append(calls, int64(now))
						return nil
					})
				}
				return nil
			}), nil
		}
		topology.Source(b, texts("a")).Process("late", open).Sink(texts("out"))
	}, tasktest.Options{})
	b.Feed("a", 0, at(100, "k", ""), at(50, "k", "now"), at(60, "k", ""), at(115, "k", ""))
	b.Run()
	wantCalls(t, "made at 50 when stream time is 100", calls, 100, 115)
}
