package task_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/task"
	"github.com/thalweg/thalweg/internal/task/tasktest"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/topology"
)

var errRefused = errors.New("refused")

// picky passes numbers on, refuses some in Process and writes none below 0.
func picky(b *topology.Builder) {
	open := func(ctx *topology.Context[string, int64]) (topology.Processor[string, int64], error) {
		return topology.ProcessorFunc[string, int64](func(r topology.Record[string, int64]) error {
			switch r.Value {
			case 13:
				return errRefused
			case 14:
				panic("fourteen")
			case 15:
				panic(errRefused)
			}
			return ctx.Forward(r)
		}), nil
	}
	topology.Source(b, topology.NewTopic("a", serde.String, serde.Int64)).Process("picky", open).Sink(topology.NewTopic("out", serde.String, unsigned{serde.Int64}))
}

// unsigned refuses to write negative numbers.
type unsigned struct{ serde.Serde[int64] }

func (u unsigned) Append(dst []byte, v int64) ([]byte, error) {
	if v < 0 {
		return nil, errRefused
	}
	return u.Serde.Append(dst, v)
}

// number is a record with that number as value.
func number(n int64) tasktest.Record {
	b, _ := serde.Int64.Append(nil, n)
	return at(1, "k", string(b))
}

// bad are records that fail, and in which phase.
var bad = []struct {
	name  string
	rec   tasktest.Record
	phase edge.Phase
	text  string // in the error
	node  string
}{
	{"short value", at(1, "k", "abc"), edge.Decode, "value: serde: int64 of 3 bytes", "KSTREAM-SOURCE"},
	{"null value", tasktest.Record{Time: 1, Key: "k", Null: true}, edge.Decode, "null value where a int64 was expected", "KSTREAM-SOURCE"},
	{"time before 1970", tasktest.Record{Time: -5, Key: "k", Value: number(1).Value}, edge.Decode, "is before 1970", "KSTREAM-SOURCE"},
	{"processor's error", number(13), edge.Process, "refused", "picky"},
	{"panic", number(14), edge.Process, "panic: fourteen", ""},
	{"panic with an error", number(15), edge.Process, "refused", ""},
	{"value that cannot be written", number(-1), edge.Produce, "value: refused", "KSTREAM-SINK"},
}

func TestStopNamesRecordAndNode(t *testing.T) {
	for _, x := range bad {
		t.Run(x.name, func(t *testing.T) {
			b := tasktest.Open(t, picky, tasktest.Options{})
			b.Feed("a", 0, number(1), x.rec, number(2))
			_, err := b.Process(10)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range []string{"task 0_0", x.phase.String() + " failed", "a-0@1", x.text, x.node, "Config.Errors."} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %q", err, want)
				}
			}
			if strings.Count(err.Error(), "failed at") != 1 {
				t.Errorf("%v\nis wrapped more than once", err)
			}
			if got := b.Out("out").Open(); len(got) != 1 {
				t.Errorf("%d records out, want the one before", len(got))
			}
			if os := b.Offsets(); len(os) != 1 || os[0].Offset != 1 {
				t.Errorf("offsets %v, want the position at the failed record", os)
			}
		})
	}
}

func TestSkipGoesOn(t *testing.T) {
	for _, x := range bad {
		t.Run(x.name, func(t *testing.T) {
			var asked []task.Failure
			b := tasktest.Open(t, picky, tasktest.Options{Decide: func(f task.Failure) task.Action { asked = append(asked, f); return task.Skip }})
			b.Feed("a", 0, number(1), x.rec, x.rec, number(2))
			b.Run()
			if len(asked) != 2 || asked[0].Phase != x.phase || asked[0].Offset != 1 || asked[1].Offset != 2 || asked[0].Task != "0_0" ||
				string(asked[0].Key) != "k" || string(asked[0].Value) != x.rec.Value || !strings.Contains(asked[0].Err.Error(), x.text) {
				t.Errorf("asked %+v, want both records once", asked)
			}
			wantValues(t, "out", b.Out("out").Open(), number(1).Value+" "+number(2).Value)
			if got := b.Dropped("failed-" + x.phase.String()); got != 2 {
				t.Errorf("%d counted as failed, want 2", got)
			}
			if os := b.Commit(); len(os) != 1 || os[0].Offset != 4 {
				t.Errorf("offsets %v, want 4", os)
			}
		})
	}
}

func TestDeadLetterHoldsTheRecordAsItWasRead(t *testing.T) {
	for _, x := range bad {
		t.Run(x.name, func(t *testing.T) {
			b := tasktest.Open(t, picky, tasktest.Options{Decide: func(task.Failure) task.Action { return task.DeadLetter }})
			x.rec.Headers = []batch.KV{{Key: "own", Value: []byte("header")}}
			b.Feed("a", 0, number(1), x.rec, number(2))
			b.Run()
			letters := b.Out(tasktest.DeadLetters).Open()
			if len(letters) != 1 {
				t.Fatalf("%d dead letters, want 1", len(letters))
			}
			l := letters[0]
			if l.Key != "k" || l.Value != x.rec.Value || l.Null != x.rec.Null || l.Time != max(x.rec.Time, 0) {
				t.Errorf("dead letter %+v of %+v", l, x.rec)
			}
			headers := map[string]string{}
			for _, h := range l.Headers {
				headers[h.Key] = string(h.Value)
			}
			for key, want := range map[string]string{
				"own": "header", "thalweg.topic": "a", "thalweg.partition": "0", "thalweg.offset": "1", "thalweg.phase": x.phase.String(), "thalweg.task": "0_0",
			} {
				if headers[key] != want {
					t.Errorf("header %s: %q, want %q", key, headers[key], want)
				}
			}
			if !strings.Contains(headers["thalweg.error"], x.text) || !strings.HasPrefix(headers["thalweg.node"], x.node) {
				t.Errorf("error %q at %q, want %q at %q", headers["thalweg.error"], headers["thalweg.node"], x.text, x.node)
			}
			wantValues(t, "out", b.Out("out").Open(), number(1).Value+" "+number(2).Value)
		})
	}
}

// TestPanicInATurnOfMany shows that a record which panics is taken once, whatever lies around it.
func TestPanicInATurnOfMany(t *testing.T) {
	b := tasktest.Open(t, picky, tasktest.Options{Decide: func(task.Failure) task.Action { return task.Skip }})
	var rs []tasktest.Record
	want := []string{}
	for i := range int64(100) {
		n := i
		if i%7 == 0 {
			n = 14
		}
		if n < 13 || n > 15 {
			want = append(want, number(n).Value)
		}
		rs = append(rs, number(n))
	}
	b.Feed("a", 0, rs...)
	if n := b.Run(); n != 100 || b.Processed() != 100 {
		t.Errorf("%d records, %d counted, want 100", n, b.Processed())
	}
	wantValues(t, "out", b.Out("out").Open(), strings.Join(want, " "))
}

// TestErrorOfTheLogIsNotTheRecordsFault shows that what a topic answers is not handed to the policy.
func TestErrorOfTheLogIsNotTheRecordsFault(t *testing.T) {
	b := tasktest.Open(t, picky, tasktest.Options{Decide: func(f task.Failure) task.Action { t.Errorf("asked of %v", f.Err); return task.Skip }})
	fenced := fmt.Errorf("fenced")
	b.Out("out").Err = fenced
	b.Feed("a", 0, number(1))
	if _, err := b.Process(1); !errors.Is(err, fenced) {
		t.Errorf("%v, want the error of the topic", err)
	}
}

func TestSkippedHeads(t *testing.T) {
	topic := texts("a")
	topic.BadTime = topology.BadTimeSkip
	b := tasktest.Open(t, func(b *topology.Builder) { topology.Source(b, topic).Sink(texts("out")) }, tasktest.Options{})
	b.Feed("a", 0, at(-1, "k", "x"), at(5, "k", "y"), at(-7, "k", "z"))
	if n := b.Run(); n != 1 {
		t.Errorf("%d records processed, want 1", n)
	}
	if got := b.Dropped("bad-time"); got != 2 {
		t.Errorf("%d dropped for their time, want 2", got)
	}
	if os := b.Commit(); len(os) != 1 || os[0].Offset != 3 {
		t.Errorf("offsets %v, want 3", os)
	}
	b.Feed("a", 0, at(-1, "k", "x"))
	b.Run()
	if os := b.Commit(); len(os) != 1 || os[0].Offset != 4 {
		t.Errorf("offsets %v, want 4 after a skipped record alone", os)
	}
}

func TestOtherAnswersToABadTime(t *testing.T) {
	for _, x := range []struct {
		policy topology.TimePolicy
		want   int64
	}{{topology.BadTimePartitionTime, 70}, {topology.BadTimeNow, 1_000_000}} {
		topic := texts("a")
		topic.BadTime = x.policy
		b := tasktest.Open(t, func(b *topology.Builder) { topology.Source(b, topic).Sink(texts("out")) }, tasktest.Options{})
		b.Feed("a", 0, at(70, "k", "x"), at(20, "k", "y"), at(-1, "k", "z"))
		b.Run()
		if rs := b.Out("out").Open(); len(rs) != 3 || rs[2].Time != x.want {
			t.Errorf("policy %v: %+v, want the last at %d", x.policy, rs, x.want)
		}
	}
}

// TestPanicInATimestamp shows that the function which is asked before a record is chosen is held to the same rules.
func TestPanicInATimestamp(t *testing.T) {
	topic := texts("a")
	topic.Timestamp = func(r topology.Record[string, string]) time.Time {
		if r.Value == "bad" {
			panic("no time")
		}
		return r.Time.Time()
	}
	b := tasktest.Open(t, func(b *topology.Builder) { topology.Source(b, topic).Sink(texts("out")) }, tasktest.Options{
		Decide: func(task.Failure) task.Action { return task.Skip },
	})
	b.Feed("a", 0, at(1, "k", "x"), at(2, "k", "bad"), at(3, "k", "y"))
	b.Run()
	wantValues(t, "out", b.Out("out").Open(), "x y")
}
