package stream_test

import (
	"context"
	"errors"
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
// names and topics.
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
	mistakes := []mistake{
		// Options of tables and aggregates.
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Count("c1", state.Options{Bootstrap: true})
		}, `"c1": Bootstrap is for tables from a topic, which are read to their end before others: leave it out`},
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
		}, `state: "c3": TTL is for maps and tables: leave it out, windows and versions have their retention`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).ToTable("t5", state.Options{Retention: time.Second})
		}, `state: "t5": Retention is for stores of windows: leave it out, or set TTL`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).ToTable("t6", state.Options{NoChangelog: true, Changelog: map[string]string{"segment.bytes": "1000000"}})
		}, `state: "t6" has settings of a changelog, and NoChangelog: leave one of the two out`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(time.Second)).Count("c4", state.Options{Bootstrap: true})
		}, `Count "c4" with Bootstrap: that is for tables from a topic, leave it out`},
		{func(b *topology.Builder) {
			stream.From(b, lefts).Join("j6", stream.From(b, rights), window.Within(time.Second), glue, state.Options{Coalesce: true})
		}, `state: "j6-this-join-store": Coalesce is for tables: leave it out`},
		// Global tables and stores.
		{func(b *topology.Builder) { table.GlobalFrom(b, numbered("g1"), state.Options{Coalesce: true}) },
			`GlobalFrom "g1" with Coalesce: nothing follows a global table, leave it out`},
		{func(b *topology.Builder) { table.GlobalFrom(b, numbered("g2"), state.Options{TTL: time.Second}) },
			`GlobalFrom "g2" with a TTL: its topic says what is there, leave it out`},
		{func(b *topology.Builder) {
			table.GlobalFrom(b, numbered("g6"), state.Options{Backend: struct{ state.Backend }{}})
		}, `GlobalFrom "g6" with a Backend: a global table lives in memory, leave it out`},
		{func(b *topology.Builder) {
			topology.GlobalStore(b, numbered("g7"), kv("gs7", state.Options{Backend: struct{ state.Backend }{}}), func(state.KeyValue[string, int64], topology.Record[string, int64]) error { return nil })
		}, `GlobalStore "gs7" with a Backend: a global store lives in memory, leave it out`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).ToTable("t7", state.Options{Backend: (*struct{ state.Backend })(nil)})
		}, `state: "t7": its Backend is a nil *struct { state.Backend }: give one that is open, or none for Pebble`},
		{func(b *topology.Builder) {
			topology.GlobalStore(b, numbered("g3"), kv("gs3"), (func(state.KeyValue[string, int64], topology.Record[string, int64]) error)(nil))
		}, `GlobalStore "gs3" without a function: give one`},
		{func(b *topology.Builder) {
			topology.GlobalStore(b, numbered("g4"), kv("gs4", state.Options{TTL: time.Second}), func(state.KeyValue[string, int64], topology.Record[string, int64]) error { return nil })
		}, `GlobalStore "gs4" with a TTL: its topic says what is there, leave it out`},
		{func(b *topology.Builder) {
			g := table.GlobalFrom(topology.New("other"), numbered("g5"))
			stream.From(b, numbers).JoinGlobal(g, func(k string, _ int64) (string, bool) { return k, true }, func(a, b int64) int64 { return a + b })
		}, "JoinGlobal: stream and table belong to different builders: read both with one"},
		// Processors and their stores.
		{func(b *topology.Builder) {
			stream.From(b, numbers).Process("p1", pass, kv("s1", state.Options{Coalesce: true}))
		}, `Process "p1": the store "s1" has Coalesce, which is for tables: leave it out`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Process("p2", topology.Opener[string, int64, string, int64](nil))
		}, `Process "p2" without an Opener: give the function that makes the processor of a task`},
		{func(b *topology.Builder) { stream.From(b, numbers).Process("p 3", pass) }, `Process: "p 3": only letters, digits, '.', '_' and '-' are allowed, choose another`},
		{func(b *topology.Builder) { stream.From(b, numbers).Process("p4", pass, nil) }, "p4 is given a nil store: declare it with state.NewKeyValue or another"},
		{func(b *topology.Builder) { stream.From(b, numbers).Process("p5", pass, kv("s 5")) }, `store name: "s 5": only letters, digits, '.', '_' and '-' are allowed, choose another`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Process("p6", pass, kv("s6"))
			stream.From(b, numbers).Process("p7", pass, state.NewKeyValue("s6", serde.String, serde.String))
		}, `another store is named "s6" already (mistakes_stores_test.go: … ): names of stores are durable and unique, choose another`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Process("p8", pass, kv("s8", state.Options{}, state.Options{}))
		}, `state: "s8" is given 2 Options, want one at most`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Process("p9", pass, state.NewKeyValue("s9", serde.String, serde.Serde[int64](nil)))
		}, `state: "s9" has no serde for its keys or values: give both`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Process("p10", pass, state.NewVersioned("s10", time.Second, serde.String, serde.Int64, history(time.Minute)))
		}, `state: "s10": a history of 1s, and another of 1m0s in its Options: leave that one out`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Process("p11", pass, state.NewVersioned("s11", -time.Second, serde.String, serde.Int64))
		}, `state: "s11": negative history -1s, want 0 or more`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Process("p12", pass, state.NewWindow("s12", time.Minute, time.Second, serde.String, serde.Int64))
		}, `state: "s12" keeps windows of 60000 ms for 1000 ms: want a size of 0 or more, kept for as long at least`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Output().Side(topology.Tag[string, int64]{})
		}, "Side of a tag without a name: give its Name"},
		{func(b *topology.Builder) {
			out := stream.From(b, numbers).Output()
			out.Side(topology.Tag[string, int64]{Name: "odd"})
			out.Side(topology.Tag[string, string]{Name: "odd"})
		}, `the tag "odd" is of string, int64 already (mistakes_stores_test.go: … ): a tag has one pair of types, choose another name`},
		// Cogroups.
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Cogroup(add).And(stream.From(topology.New("other"), numbers).GroupByKey(), add)
		}, "Cogroup of streams of different builders: read all of them with one"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Cogroup((func(string, int64, int64) int64)(nil))
		}, "Cogroup without a function: give one"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Cogroup(add).Aggregate("a1", nil)
		}, `Aggregate "a1" without a function: give one`},
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
		}, `Join "j5": window: extent 1.000001s is finer than a millisecond, want whole ones; window: 1µs before is finer than a millisecond, want whole ones`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(time.Second).Grace(-time.Second)).Count("w1")
		}, "Windowed: window: negative grace -1s, want 0 or more"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(time.Second).Grace(time.Microsecond)).Count("w2")
		}, "Windowed: window: grace 1µs is finer than a millisecond, want whole ones"},
		{func(b *topology.Builder) { stream.From(b, numbers).GroupByKey().Windowed(window.Windows{}).Count("w3") },
			"Windowed: window: the zero Windows assigns nothing: use Tumbling, Hopping, Sliding, Unlimited or a calendar"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Unlimited(-1)).Count("w4")
		}, "Windowed: window: unlimited from  … , before 1970: use 0 or later"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Unlimited(0).Grace(time.Second)).Count("w5")
		}, "Windowed: window: an unlimited window never closes: leave Grace out"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Unlimited(0).CloseIdle(time.Second)).Count("w6")
		}, "Windowed: window: an unlimited window never closes: leave CloseIdle out"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Calendar("days", nil)).Count("w7")
		},
			`Windowed: window: calendar "days" without bounds: give the function that says them`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Calendar("", func(at time.Time) (time.Time, time.Time) { return at, at })).Count("w8", state.Options{Retention: time.Hour})
		}, "Windowed: window: a calendar without a name: give one"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Dedup("d1", time.Second, func(k string, _ int64) string { return k }, state.Options{Coalesce: true})
		}, `Dedup "d1" with Coalesce: that is for tables, leave it out`},
		{func(b *topology.Builder) {
			table.From(b, numbered("t7"), history(time.Second)).Suppress("u1", table.Suppression{After: time.Second})
		},
			`Suppress "u1" of a table that keeps history: an update may be older than what is held; Materialize it without History first`},
		// Names, topics and the rest.
		{func(b *topology.Builder) {
			stream.From(b, numbers).Repartition("r1", stream.RepartitionOptions{}, stream.RepartitionOptions{})
		}, `Repartition "r1" is given 2 options, want one at most`},
		{func(b *topology.Builder) { stream.From(b, numbers).Repartition("r 2") }, `Repartition: "r 2": only letters, digits, '.', '_' and '-' are allowed, choose another`},
		{func(b *topology.Builder) { stream.From(b, numbers).ToTable("") }, "ToTable: name: it is empty, give one"},
		{func(b *topology.Builder) { stream.From(b, numbers).ToTable(strings.Repeat("x", 201)) }, `x" is longer than 200 bytes, choose a shorter one`},
		{func(b *topology.Builder) { stream.From(b, numbered("..")) }, `topic name: ".." is not allowed, choose another`},
		{func(b *topology.Builder) { stream.From(b, numbers).ToDynamic(numbers, nil) },
			"ToDynamic: the topic's Key and Value need a serde each, and the name a function: give all three"},
		{func(b *topology.Builder) { b.Use[time.Month](nil) }, "Use of a nil serde for time.Month: leave it out for the default"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(time.Second)).Late()
		},
			"Late of a group that nothing aggregates: records are late for an aggregate, add one"},
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
		}, `topic "numbers" is read already (mistakes_stores_test.go: … ): one topic cannot be both global and the input of tasks, choose one`},
		{func(b *topology.Builder) { stream.From(b, numbers).Process("p13", pass, kv("")) }, "store name: it is empty, give one"},
		// Serdes.
		{func(b *topology.Builder) {
			stream.From(b, topology.NewTopic("e1", serde.String, serde.Encrypted(serde.Int64, serde.Keys{})))
		}, `topic "e1": value: serde: Encrypted without both functions of its Keys: set Current and Key`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Process("p14", pass, state.NewKeyValue("s14", serde.Serde[[]int](faulty{}), serde.Int64))
		}, `state: "s14": keys: it is faulty`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Aggregate("f1", func() func() { return nil }, func(string, int64, func()) func() { return nil })
		}, "f1: serde: no default for func(): give a serde with Builder.Use"},
		// Stores of the user's own kind.
		{func(b *topology.Builder) {
			stream.From(b, numbers).Process("p15", pass, state.New[restored]("s15", nil))
		}, `state: "s15": New without a function that opens the store: give one`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Process("p16", pass, state.New("s16", func(state.Env) (*int, error) { return new(int), nil }))
		}, `state: "s16": a *int has no method Restore(key, value []byte) error, by which it would be filled from its changelog: give it one, or set NoChangelog`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Dedup("d2", time.Second, func(k string, _ int64) string { return k }, state.Options{Bootstrap: true})
		}, `Dedup "d2" with Bootstrap: that is for tables from a topic, leave it out`},
		{func(b *topology.Builder) {
			table.From(b, numbered("t8")).GroupBy(func(k string, n int64) (message, int64) { return message{}, n }).Count("f2")
		}, "serde: stream_test.message is a protobuf message: import package serde/protobuf, or give a serde with Builder.Use"},
	}
	report(t, mistakes)
	reportAll(t, mistakes)
}

// faulty is a serde that can be of no use.
type faulty struct{}

func (faulty) Fault() error                         { return errors.New("it is faulty") }
func (faulty) Append([]byte, []int) ([]byte, error) { return nil, errors.New("faulty") }
func (faulty) Decode([]byte) (v []int, err error)   { return nil, errors.New("faulty") }

// restored is a store of the user's own kind, of which nothing is asked.
type restored struct{}

func (restored) Restore(_, _ []byte) error { return nil }

// message passes for one of protobuf's.
type message struct{}

func (message) ProtoReflect() {}
