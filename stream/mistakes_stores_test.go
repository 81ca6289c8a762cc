package stream_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// TestMistakesInStores holds what Build says of mistakes in stores and their options, processors, cogroups, async calls,
// names and topics. All of them are made in one topology: each is reported, with its line in this file.
func TestMistakesInStores(t *testing.T) {
	pass := func(*topology.Context[string, int64]) (topology.Processor[string, int64], error) { return nil, nil }
	ask := func(_ context.Context, n int64) (int64, error) { return n, nil }
	add := func(_ string, n, sum int64) int64 { return n + sum }
	zero := func() int64 { return 0 }
	numbered := func(name string) topology.Topic[string, int64] {
		return topology.NewTopic(name, serde.String, serde.Int64)
	}
	kv := func(name string, opts ...state.Options) state.Spec[state.KeyValue[string, int64]] {
		return state.NewKeyValue(name, serde.String, serde.Int64, opts...)
	}
	process := func(b *topology.Builder, name string, stores ...state.AnySpec) {
		stream.From(b, numbers).Process(name, pass, stores...)
	}
	mistakes := []struct {
		define func(b *topology.Builder)
		want   string
	}{
		// Options of tables and aggregates.
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Count("c1", state.Options{Bootstrap: true})
		}, `"c1": Bootstrap is for tables from a topic, which are read to their end before others`},
		{func(b *topology.Builder) {
			table.From(b, numbered("t1"), state.Options{Coalesce: true, History: time.Second})
		}, `"t1": Coalesce with a History: versions are passed on one by one, leave one of the two out`},
		{func(b *topology.Builder) { table.From(b, numbered("t2"), history(time.Microsecond)) }, `"t2": History 1µs, want whole milliseconds, 0 or more`},
		{func(b *topology.Builder) { table.From(b, numbered("t3"), state.Options{}, state.Options{}) }, `"t3" is given 2 Options, want one at most`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(time.Second)).Count("c2", state.Options{Retention: -time.Second})
		}, `Count "c2": Retention -1s, want whole milliseconds, 0 (as long as windows take records) or more`},
		{func(b *topology.Builder) { stream.From(b, numbers).ToTable("t4", state.Options{TTL: time.Microsecond}) },
			`state: "t4": a TTL of 1µs, want whole milliseconds, at least one`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(time.Second)).Count("c3", state.Options{TTL: time.Second})
		}, `state: "c3": TTL is for maps and tables; windows and versions have their retention`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).ToTable("t5", state.Options{Retention: time.Second})
		}, `state: "t5": Retention is for stores of windows`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).ToTable("t6", state.Options{NoChangelog: true, Changelog: map[string]string{"segment.bytes": "1000000"}})
		}, `state: "t6" has settings of a changelog, and NoChangelog`},
		// Global tables and stores.
		{func(b *topology.Builder) { table.GlobalFrom(b, numbered("g1"), state.Options{Coalesce: true}) },
			`GlobalFrom "g1" with Coalesce: nothing follows a global table`},
		{func(b *topology.Builder) { table.GlobalFrom(b, numbered("g2"), state.Options{TTL: time.Second}) },
			`GlobalFrom "g2" with a TTL: its topic says what is there`},
		{func(b *topology.Builder) {
			table.GlobalFrom(b, numbered("g6"), state.Options{Backend: struct{ state.Backend }{}})
		}, `GlobalFrom "g6" with a Backend: a global table lives in memory`},
		{func(b *topology.Builder) {
			topology.GlobalStore(b, numbered("g7"), kv("gs7", state.Options{Backend: struct{ state.Backend }{}}), func(state.KeyValue[string, int64], topology.Record[string, int64]) error { return nil })
		}, `GlobalStore "gs7" with a Backend: a global store lives in memory`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).ToTable("t7", state.Options{Backend: (*struct{ state.Backend })(nil)})
		}, `state: "t7": its Backend is a nil *struct`},
		{func(b *topology.Builder) {
			topology.GlobalStore(b, numbered("g3"), kv("gs3"), (func(state.KeyValue[string, int64], topology.Record[string, int64]) error)(nil))
		}, `GlobalStore "gs3" without a function`},
		{func(b *topology.Builder) {
			topology.GlobalStore(b, numbered("g4"), kv("gs4", state.Options{TTL: time.Second}), func(state.KeyValue[string, int64], topology.Record[string, int64]) error { return nil })
		}, `GlobalStore "gs4" with a TTL: its topic says what is there`},
		{func(b *topology.Builder) {
			g := table.GlobalFrom(topology.New("other"), numbered("g5"))
			stream.From(b, numbers).JoinGlobal(g, func(k string, _ int64) (string, bool) { return k, true }, func(a, b int64) int64 { return a + b })
		}, "JoinGlobal: stream and table belong to different builders: read both with one"},
		// Processors and their stores.
		{func(b *topology.Builder) { process(b, "p1", kv("s1", state.Options{Coalesce: true})) }, `Process "p1": the store "s1" has Coalesce, which is for tables`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Process("p2", topology.Opener[string, int64, string, int64](nil))
		}, `Process "p2" without an Opener: the function that makes the processor of a task`},
		{func(b *topology.Builder) { process(b, "p 3") }, `Process: "p 3": only letters, digits, '.', '_' and '-' are allowed`},
		{func(b *topology.Builder) { process(b, "p4", nil) }, "p4 is given a nil store: declare it with state.NewKeyValue or another"},
		{func(b *topology.Builder) { process(b, "p5", kv("s 5")) }, `store name: "s 5": only letters`},
		{func(b *topology.Builder) {
			process(b, "p6", kv("s6"))
			process(b, "p7", state.NewKeyValue("s6", serde.String, serde.String))
		}, `another store is named "s6" already (mistakes_stores_test.go: … ): names of stores are durable and unique`},
		{func(b *topology.Builder) { process(b, "p8", kv("s8", state.Options{}, state.Options{})) }, `state: "s8" is given 2 Options, want one at most`},
		{func(b *topology.Builder) {
			process(b, "p9", state.NewKeyValue("s9", serde.String, serde.Serde[int64](nil)))
		}, `state: "s9" has no serde for its keys or values`},
		{func(b *topology.Builder) {
			process(b, "p10", state.NewVersioned("s10", time.Second, serde.String, serde.Int64, history(time.Minute)))
		}, `state: "s10": a history of 1s, and another of 1m0s in its Options`},
		{func(b *topology.Builder) {
			process(b, "p11", state.NewVersioned("s11", -time.Second, serde.String, serde.Int64))
		}, `state: "s11": negative history -1s`},
		{func(b *topology.Builder) {
			process(b, "p12", state.NewWindow("s12", time.Minute, time.Second, serde.String, serde.Int64))
		}, `state: "s12" keeps windows of 60000 ms for 1000 ms`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Output().Side(topology.Tag[string, int64]{})
		}, "Side of a tag without a name: give its Name"},
		{func(b *topology.Builder) {
			out := stream.From(b, numbers).Output()
			out.Side(topology.Tag[string, int64]{Name: "odd"})
			out.Side(topology.Tag[string, string]{Name: "odd"})
		}, `the tag "odd" is of string, int64 already (mistakes_stores_test.go: … ): a tag has one pair of types`},
		// Cogroups.
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Cogroup(add).And(stream.From(topology.New("other"), numbers).GroupByKey(), add)
		}, "Cogroup of streams of different builders: read all of them with one"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Cogroup((func(string, int64, int64) int64)(nil))
		}, "Cogroup without a function"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Cogroup(add).Aggregate("a1", nil)
		}, `Aggregate "a1" without a function`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Cogroup(add).Windowed(window.Hopping(time.Second, time.Minute)).Aggregate("a2", zero)
		}, "Windowed: window: advance 1m0s, want 1ms to the size 1s"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Cogroup(add).Sessions(window.Session(0)).Aggregate("a3", zero, func(_ string, a, b int64) int64 { return a + b })
		}, "Sessions: window: a gap of 0s, want at least 1ms"},
		// Calls.
		{func(b *topology.Builder) { stream.From(b, numbers).MapValuesAsync("m1", 0, ask) }, `MapValuesAsync "m1": concurrency 0, want at least 1 call at once`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).MapValuesAsync("m2", 1, ask, stream.AsyncOptions{}, stream.AsyncOptions{})
		}, `MapValuesAsync "m2" is given 2 AsyncOptions, want one at most`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).MapValuesAsync("m3", 1, ask, stream.AsyncOptions{Timeout: -time.Second})
		}, `MapValuesAsync "m3": Timeout -1s and Attempts 0, want 0 (the default) or more`},
		// Joins and windows.
		{func(b *topology.Builder) {
			stream.From(b, lefts).Join("j1", stream.From(topology.New("other"), rights), window.Within(time.Second), glue)
		}, `Join "j1" of streams of different builders: read both with one`},
		{func(b *topology.Builder) {
			stream.From(b, lefts).JoinTable("j2", table.From(topology.New("other"), rights), glue)
		}, `JoinTable "j2": stream and table belong to different builders: read both with one`},
		{func(b *topology.Builder) {
			stream.From(b, lefts).JoinTable("j3", table.From(b, topology.NewTopic("r3", serde.String, serde.String)), glue, stream.JoinTableOptions{}, stream.JoinTableOptions{})
		}, `JoinTable "j3" is given 2 JoinTableOptions, want one at most`},
		{func(b *topology.Builder) {
			table.From(b, topology.NewTopic("l4", serde.String, serde.String)).
				JoinForeign("j4", table.From(topology.New("other"), rights), func(k, _ string) (string, bool) { return k, true }, glue)
		}, `JoinForeign "j4" of tables of different builders: read both with one`},
		{func(b *topology.Builder) {
			stream.From(b, lefts).Join("j5", stream.From(b, rights), window.Within(time.Second).Before(time.Microsecond), glue)
		}, `window: 1µs before is finer than a millisecond`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(time.Second).Grace(-time.Second)).Count("w1")
		}, "Windowed: window: negative grace -1s"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(time.Second).Grace(time.Microsecond)).Count("w2")
		}, "Windowed: window: grace 1µs is finer than a millisecond"},
		{func(b *topology.Builder) { stream.From(b, numbers).GroupByKey().Windowed(window.Windows{}).Count("w3") },
			"Windowed: window: the zero Windows assigns nothing: use Tumbling, Hopping, Sliding, Unlimited or a calendar"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Unlimited(-1)).Count("w4")
		}, "Windowed: window: unlimited from  … , before 1970"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Unlimited(0).Grace(time.Second)).Count("w5")
		}, "Windowed: window: an unlimited window never closes: it takes no Grace"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Unlimited(0).CloseIdle(time.Second)).Count("w6")
		}, "Windowed: window: an unlimited window never closes: it takes no CloseIdle"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Calendar("days", nil)).Count("w7")
		},
			`Windowed: window: calendar "days" without bounds`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Calendar("", func(at time.Time) (time.Time, time.Time) { return at, at })).Count("w8", state.Options{Retention: time.Hour})
		}, "Windowed: window: a calendar without a name"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Dedup("d1", time.Second, func(k string, _ int64) string { return k }, state.Options{Coalesce: true})
		}, `Dedup "d1" with Coalesce: it has no updates to leave out`},
		{func(b *topology.Builder) {
			table.From(b, numbered("t7"), history(time.Second)).Suppress("u1", table.Suppression{After: time.Second})
		},
			`Suppress "u1" of a table that keeps history: an update may be older than what is held; Materialize it without History first`},
		// Names, topics and the rest.
		{func(b *topology.Builder) {
			stream.From(b, numbers).Repartition("r1", stream.RepartitionOptions{}, stream.RepartitionOptions{})
		}, `Repartition "r1" is given 2 options, want one at most`},
		{func(b *topology.Builder) { stream.From(b, numbers).Repartition("r 2") }, `Repartition: "r 2": only letters`},
		{func(b *topology.Builder) { stream.From(b, numbers).ToTable("") }, "ToTable: name: it is empty"},
		{func(b *topology.Builder) { stream.From(b, numbers).ToTable(strings.Repeat("x", 201)) }, "is longer than 200 bytes"},
		{func(b *topology.Builder) { stream.From(b, numbered("..")) }, `topic name: ".." is not allowed`},
		{func(b *topology.Builder) { stream.From(b, numbers).ToDynamic(numbers, nil) },
			"ToDynamic: the topic's Key and Value need a serde each, and the name a function"},
		{func(b *topology.Builder) { b.Use[time.Month](nil) }, "Use of a nil serde for time.Month: leave it out for the default"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(time.Second)).Late()
		},
			"Late of a group that nothing aggregates: records are late for an aggregate"},
		{func(b *topology.Builder) { b.Use(serde.Serde[[]int](faulty{})) }, "Use of a serde for []int: it is faulty"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Filter(func(string, int64) bool { return true }).Named("n1").
				Filter(func(string, int64) bool { return true }).Named("n1")
		}, `a node named "n1" exists already (mistakes_stores_test.go: … ): choose another name`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Repartition("r3")
			stream.From(b, numbers).Repartition("r3")
		}, `the repartition topic "test-r3-repartition" exists already (mistakes_stores_test.go: … ): names are durable and unique; share one by Repartition(name) first`},
		{func(b *topology.Builder) {
			stream.From(b, numbers)
			stream.From(b, topology.NewTopic(numbers.Name, serde.String, serde.String))
		}, `topic "numbers" is read as string, int64 already (mistakes_stores_test.go: … ): read it once and map it`},
		{func(b *topology.Builder) {
			stream.From(b, numbers)
			table.GlobalFrom(b, numbers)
		}, `topic "numbers" is read already (mistakes_stores_test.go: … ): one topic cannot be both global and the input of tasks`},
		{func(b *topology.Builder) { process(b, "p13", kv("")) }, "store name: it is empty"},
	}
	at := regexp.MustCompile(`^topology: mistakes_stores_test\.go:\d+: `)
	for _, m := range mistakes {
		_, err := topology.Define("test", m.define)
		if err == nil {
			t.Errorf("Build finds nothing, want %q", m.want)
			continue
		}
		if !says(err, m.want) {
			t.Errorf("Build says\n%v\nwant\n%s", err, m.want)
		}
		for line := range strings.Lines(err.Error()) {
			if !at.MatchString(line) {
				t.Errorf("%q names no line of the user's", line)
			}
		}
	}
	// All at once: none hides another, but for what is found in stores, which are looked at when all else is well.
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

// says reports whether err has all parts of want, which are set apart by an ellipsis.
func says(err error, want string) bool {
	for part := range strings.SplitSeq(want, " … ") {
		if !strings.Contains(err.Error(), part) {
			return false
		}
	}
	return true
}

// faulty is a serde that can be of no use.
type faulty struct{}

func (faulty) Fault() error                         { return errors.New("it is faulty") }
func (faulty) Append([]byte, []int) ([]byte, error) { return nil, errors.New("faulty") }
func (faulty) Decode([]byte) (v []int, err error)   { return nil, errors.New("faulty") }
