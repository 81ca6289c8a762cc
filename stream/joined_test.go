package stream_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// TestJoinWithATableThatLooksAtItsKeys joins with rows that are computed from key and value: a join that has the key's
// bytes at hand has to decode them for that.
func TestJoinWithATableThatLooksAtItsKeys(t *testing.T) {
	rows := topology.NewTopic("rows", serde.String, serde.String)
	others := topology.NewTopic("others", serde.String, serde.String)
	results := topology.NewTopic("results", serde.String, serde.String)
	both := func(l, r string) string { return l + r }
	derived := map[string]func(t table.Table[string, string]) table.Table[string, string]{
		"filter": func(t table.Table[string, string]) table.Table[string, string] {
			return t.Filter(func(k, _ string) bool { return k == "a" })
		},
		"map with key": func(t table.Table[string, string]) table.Table[string, string] {
			return t.MapWithKey(func(k, v string) string { return k + v })
		},
		"both, mapped": func(t table.Table[string, string]) table.Table[string, string] {
			return t.MapWithKey(func(k, v string) string { return k + v }).MapValues(func(v string) string { return v })
		},
	}
	for name, derive := range derived {
		want := "x" + "1"
		if name != "filter" {
			want = "x" + "a1"
		}
		for kind, join := range map[string]func(b *topology.Builder, t table.Table[string, string]){
			"stream": func(b *topology.Builder, t table.Table[string, string]) {
				stream.From(b, others).JoinTable("j", t, both).To(results)
			},
			"table": func(b *topology.Builder, t table.Table[string, string]) {
				table.From(b, others).Join(t, both).To(results)
			},
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				d := streamtest.New(t, func(b *topology.Builder) { join(b, derive(table.From(b, rows))) })
				d.Topic(rows).Put("a", "1")
				d.Topic(others).Put("a", "x")
				d.Topic(results).Want(streamtest.KV("a", want))
			})
		}
	}
}

// TestSelfJoinOfAnInstant shows that windows of 0 and 1 ms join each record with itself, and with others of its time: as
// two stores would.
func TestSelfJoinOfAnInstant(t *testing.T) {
	results := topology.NewTopic("results", serde.String, serde.String)
	for _, w := range []window.Join{window.Within(0), window.Within(0).After(time.Millisecond), window.Within(0).Grace(time.Millisecond)} {
		d := streamtest.New(t, func(b *topology.Builder) {
			s := stream.From(b, numbers)
			s.Join("j", s, w, func(l, r int64) string { return fmt.Sprint(l, r) }).To(results)
		})
		in := d.Topic(numbers)
		in.PutAt(5, "a", 1)
		in.PutAt(5, "a", 2)
		d.Topic(results).Want(streamtest.KV("a", "1 1"), streamtest.KV("a", "2 1"), streamtest.KV("a", "1 2"), streamtest.KV("a", "2 2"))
	}
}

// TestLowestTimeIsThatOfTheFirstThatWaited: a record that came out of order, and has found its partner before anything else
// was looked at, counts for the time from which unmatched ones are looked for, as in Kafka Streams.
func TestLowestTimeIsThatOfTheFirstThatWaited(t *testing.T) {
	rights := topology.NewTopic("rights", serde.String, serde.String)
	results := topology.NewTopic("results", serde.String, serde.String)
	w := window.Within(6 * ms).After(7 * ms).Grace(12 * ms)
	d := streamtest.New(t, func(b *topology.Builder) {
		stream.From(b, topology.Nullable(texts)).LeftJoin("j", stream.From(b, rights), w, func(l serde.Opt[string], r serde.Opt[string]) string {
			return l.Value + r.Value
		}).To(results)
	}, streamtest.Options{Partitions: 1})
	left, right, out := d.Topic(topology.Nullable(texts)), d.Topic(rights), d.Topic(results)
	left.PutAt(7, "z", serde.Opt[string]{}) // moves time on, and is dropped
	left.PutAt(0, "d", serde.Some("d"))
	right.PutAt(0, "d", "1")
	left.PutAt(14, "c", serde.Some("c"))
	left.PutAt(18, "b", serde.Some("b"))
	left.PutAt(31, "a", serde.Some("a")) // looks from 0: 18 is the last time looked at
	right.PutAt(36, "y", "2")            // 18 is not over, so nothing is looked at, though 14 is
	out.Want(streamtest.KV("d", "d1"))
	right.PutAt(37, "y", "3")
	out.Want(streamtest.KV("c", "c"))
}
