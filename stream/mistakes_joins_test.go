package stream_test

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// TestMistakesInJoins holds what Build says of mistakes in joins, groupings and global tables: what is wrong, with the
// name and the value, and the way out.
func TestMistakesInJoins(t *testing.T) {
	second := window.Within(time.Second)
	report(t, []mistake{
		// No joiner.
		{func(b *topology.Builder) {
			stream.From(b, lefts).Join("j", stream.From(b, rights), second, (func(string, string) string)(nil))
		}, "Join without a function: give one"},
		// A window that ends before it begins.
		{func(b *topology.Builder) {
			stream.From(b, lefts).Join("j", stream.From(b, rights), second.Before(-2*time.Second), glue)
		}, `Join "j": window: negative extent -1s, want 0 or more`},
		// One name for two joins.
		{func(b *topology.Builder) {
			l, r := stream.From(b, lefts), stream.From(b, rights)
			l.Join("j", r, second, glue)
			l.Join("j", r, second, glue)
		}, `Join: a store named "j-this-join-store" exists already (mistakes_joins_test.go: … ): names of stores are durable and unique, choose another`},
		// No name.
		{func(b *topology.Builder) {
			stream.From(b, lefts).OuterJoin("", stream.From(b, rights), second, glueBoth).To(joined)
			stream.From(b, lefts).To(topology.NewTopic("a b", serde.String, serde.String))
		}, `topic name: "a b": only letters, digits, '.', '_' and '-' are allowed, choose another`},
		// Grace on a table without history.
		{func(b *topology.Builder) {
			stream.From(b, lefts).JoinTable("j", table.From(b, rights), glue, stream.JoinTableOptions{Grace: time.Second})
		}, `JoinTable "j" has a Grace, but the table keeps no history: give it state.Options{History: …}`},
		// Grace longer than the history.
		{func(b *topology.Builder) {
			stream.From(b, lefts).LeftJoinTable("j", table.From(b, rights, history(time.Second)), glueLeft, stream.JoinTableOptions{Grace: time.Minute})
		}, `LeftJoinTable "j": Grace 1m0s is longer than the table's History of 1000 ms, want that at most`},
		// Negative grace.
		{func(b *topology.Builder) {
			stream.From(b, lefts).JoinTable("j", table.From(b, rights, history(time.Second)), glue, stream.JoinTableOptions{Grace: -1})
		}, `JoinTable "j": Grace -1ns, want whole milliseconds, 0 or more`},
		// Negative history.
		{func(b *topology.Builder) { table.From(b, rights, history(-time.Second)) }, `"rights": History -1s, want whole milliseconds, 0 or more`},
		// History of a processor's plain store.
		{func(b *topology.Builder) {
			spec := state.NewKeyValue("kv", serde.String, serde.String, history(time.Second))
			stream.From(b, lefts).Process("p", func(*topology.Context[string, string]) (topology.Processor[string, string], error) { return nil, nil }, spec)
		}, `state: "kv": History is for tables: declare a processor's store with NewVersioned`},
		// No aggregate.
		{func(b *topology.Builder) { table.From(b, lefts).GroupBy(aClass).Reduce("s", nil, nil) }, `Reduce "s" without a function: give one`},
		// No grouping.
		{func(b *topology.Builder) {
			table.From(b, lefts).GroupBy((func(string, string) (string, string))(nil)).Count("s")
		}, "GroupBy without a function: give one"},
		// No reference.
		{func(b *topology.Builder) {
			table.From(b, lefts).JoinForeign("j", table.From(b, rights), nil, glue)
		}, "JoinForeign without a function: give one"},
		// A global table with history.
		{func(b *topology.Builder) { table.GlobalFrom(b, lefts, history(time.Second)) },
			`GlobalFrom "lefts" with a History: a global table keeps the latest rows alone, leave it out`},
		// A topic both global and read.
		{func(b *topology.Builder) {
			stream.From(b, lefts).To(joined)
			table.GlobalFrom(b, lefts)
		}, `topic "lefts" is read already (mistakes_joins_test.go: … ): one topic cannot be both global and the input of tasks, choose one`},
		// A global store of windows.
		{func(b *topology.Builder) {
			spec := state.NewWindow("w", time.Second, time.Second, serde.String, serde.String)
			stream.From(b, rights).To(joined)
			topology.GlobalStore(b, lefts, spec, func(state.Window[string, string], topology.Record[string, string]) error { return nil })
		}, `GlobalStore "w" is a state.Window[string,string]: a global store is a map, declare it with NewKeyValue or NewTimestamped`},
		// Tables of two builders.
		{func(b *topology.Builder) {
			table.From(b, lefts).Join(table.From(topology.New("other"), rights), glue)
		}, "Join of tables of different builders: read both with one"},
		// An index without a function.
		{func(b *topology.Builder) {
			table.From(b, lefts).Index("i", (func(string, string) string)(nil))
		}, "Index without a function: give one"},
	})
}
