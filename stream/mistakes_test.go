package stream_test

import (
	"fmt"
	"regexp"
	"runtime"
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

// TestMistakesInJoins holds what Build says of mistakes in joins, groupings and global tables: what is wrong, with the
// name and the value, and the way out.
func TestMistakesInJoins(t *testing.T) {
	second := window.Within(time.Second)
	for _, x := range []struct {
		what   string
		define func(b *topology.Builder)
		want   string
	}{
		{"no joiner", func(b *topology.Builder) {
			stream.From(b, lefts).Join("j", stream.From(b, rights), second, (func(string, string) string)(nil))
		}, "Join without a function"},
		{"a window that ends before it begins", func(b *topology.Builder) {
			stream.From(b, lefts).Join("j", stream.From(b, rights), second.Before(-2*time.Second), glue)
		}, `Join "j": window: negative extent -1s`},
		{"one name for two joins", func(b *topology.Builder) {
			l, r := stream.From(b, lefts), stream.From(b, rights)
			l.Join("j", r, second, glue)
			l.Join("j", r, second, glue)
		}, `Join: a store named "j-this-join-store" exists already .*: names of stores are durable and unique`},
		{"no name", func(b *topology.Builder) {
			stream.From(b, lefts).OuterJoin("", stream.From(b, rights), second, glueBoth).To(joined)
			stream.From(b, lefts).To(topology.NewTopic("a b", serde.String, serde.String))
		}, `topic name: "a b": only letters, digits`},
		{"grace on a table without history", func(b *topology.Builder) {
			stream.From(b, lefts).JoinTable("j", table.From(b, rights), glue, stream.JoinTableOptions{Grace: time.Second})
		}, `JoinTable "j" has a Grace, but the table keeps no history: give it state.Options{History: …}`},
		{"grace longer than the history", func(b *topology.Builder) {
			stream.From(b, lefts).LeftJoinTable("j", table.From(b, rights, history(time.Second)), glueLeft, stream.JoinTableOptions{Grace: time.Minute})
		}, `LeftJoinTable "j": Grace 1m0s is longer than the table's History of 1000 ms`},
		{"negative grace", func(b *topology.Builder) {
			stream.From(b, lefts).JoinTable("j", table.From(b, rights, history(time.Second)), glue, stream.JoinTableOptions{Grace: -1})
		}, `JoinTable "j": Grace -1ns, want whole milliseconds, 0 or more`},
		{"negative history", func(b *topology.Builder) { table.From(b, rights, history(-time.Second)) }, `"rights": History -1s, want whole milliseconds, 0 or more`},
		{"history of a processor's plain store", func(b *topology.Builder) {
			spec := state.NewKeyValue("kv", serde.String, serde.String, history(time.Second))
			stream.From(b, lefts).Process("p", func(*topology.Context[string, string]) (topology.Processor[string, string], error) { return nil, nil }, spec)
		}, `state: "kv": History is for tables; a processor's store is declared with NewVersioned`},
		{"no aggregate", func(b *topology.Builder) { table.From(b, lefts).GroupBy(aClass).Reduce("s", nil, nil) }, `Reduce "s" without a function`},
		{"no grouping", func(b *topology.Builder) {
			table.From(b, lefts).GroupBy((func(string, string) (string, string))(nil)).Count("s")
		}, "GroupBy without a function"},
		{"no reference", func(b *topology.Builder) {
			table.From(b, lefts).JoinForeign("j", table.From(b, rights), nil, glue)
		}, "JoinForeign without a function"},
		{"a global table with history", func(b *topology.Builder) { table.GlobalFrom(b, lefts, history(time.Second)) },
			`GlobalFrom "lefts" with a History: a global table keeps the latest rows alone`},
		{"a topic both global and read", func(b *topology.Builder) {
			stream.From(b, lefts).To(joined)
			table.GlobalFrom(b, lefts)
		}, `topic "lefts" is read already .*: one topic cannot be both global and the input of tasks`},
		{"a global store of windows", func(b *topology.Builder) {
			spec := state.NewWindow("w", time.Second, time.Second, serde.String, serde.String)
			stream.From(b, rights).To(joined)
			topology.GlobalStore(b, lefts, spec, func(state.Window[string, string], topology.Record[string, string]) error { return nil })
		}, `GlobalStore "w" is a state.Window.*: a global store is one of NewKeyValue or NewTimestamped`},
		{"tables of two builders", func(b *topology.Builder) {
			table.From(b, lefts).Join(table.From(topology.New("other"), rights), glue)
		}, "Join of tables of different builders"},
		{"an index without a function", func(b *topology.Builder) {
			table.From(b, lefts).Index("i", (func(string, string) string)(nil))
		}, "Index without a function"},
	} {
		t.Run(x.what, func(t *testing.T) {
			_, _, line, _ := runtime.Caller(0)
			_, err := topology.Define("test", x.define)
			if err == nil {
				t.Fatal("Build finds nothing")
			}
			if ok, _ := regexp.MatchString(x.want, err.Error()); !ok && !strings.Contains(err.Error(), x.want) {
				t.Errorf("got %v\nwant %s", err, x.want)
			}
			at := regexp.MustCompile(`topology: mistakes_test\.go:(\d+): `)
			for _, m := range strings.Split(err.Error(), "\n") {
				var n int
				where := at.FindStringSubmatch(m)
				if where == nil {
					t.Errorf("%q does not say where", m)
					continue
				}
				if _, err := fmt.Sscan(where[1], &n); err != nil || n >= line {
					t.Errorf("%q is not at the call in this file", m)
				}
			}
		})
	}
}
