package topology_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

var (
	in  = topology.NewTopic("in", serde.String, serde.Int64)
	out = topology.NewTopic("out", serde.String, serde.Int64)
)

// TestDescribeIsKafkaStreams compares a description with the format that Kafka Streams' viewers read.
func TestDescribeIsKafkaStreams(t *testing.T) {
	topo, err := topology.Define("app", func(b *topology.Builder) {
		prices := table.From(b, topology.NewTopic("prices", serde.String, serde.Int64))
		stream.From(b, in).
			SelectKey(func(_ string, n int64) string { return fmt.Sprint(n) }).
			JoinTable("in-prices", prices, func(a, p int64) int64 { return a * p }).
			To(out)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `Topologies:
   Sub-topology: 0
    Source: in-prices-repartition-source (topics: [in-prices-repartition])
      --> KSTREAM-JOIN-0000000007
    Processor: KSTREAM-JOIN-0000000007 (stores: [prices])
      --> KSTREAM-SINK-0000000008
      <-- in-prices-repartition-source
    Source: KSTREAM-SOURCE-0000000000 (topics: [prices])
      --> KTABLE-SOURCE-0000000001
    Sink: KSTREAM-SINK-0000000008 (topic: out)
      <-- KSTREAM-JOIN-0000000007
    Processor: KTABLE-SOURCE-0000000001 (stores: [prices])
      --> none
      <-- KSTREAM-SOURCE-0000000000

  Sub-topology: 1
    Source: KSTREAM-SOURCE-0000000002 (topics: [in])
      --> KSTREAM-KEY-SELECT-0000000003
    Processor: KSTREAM-KEY-SELECT-0000000003 (stores: [])
      --> in-prices-repartition-filter
      <-- KSTREAM-SOURCE-0000000002
    Processor: in-prices-repartition-filter (stores: [])
      --> in-prices-repartition-sink
      <-- KSTREAM-KEY-SELECT-0000000003
    Sink: in-prices-repartition-sink (topic: in-prices-repartition)
      <-- in-prices-repartition-filter

`
	if got := topo.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, s := range []string{"flowchart TD", `(["app-in-prices-repartition"])`, `[("prices")]`} {
		if !strings.Contains(topo.Mermaid(), s) {
			t.Errorf("the Mermaid chart lacks %q:\n%s", s, topo.Mermaid())
		}
	}
}

// TestNeedsStopWhereValuesAreMade shows what sources decode: a count decodes nothing, a filter both, a sink behind a
// new key the key alone.
func TestNeedsStopWhereValuesAreMade(t *testing.T) {
	for _, c := range []struct {
		name     string
		define   func(stream.Stream[string, int64])
		key, val bool
	}{
		{"count", func(s stream.Stream[string, int64]) { s.GroupByKey().Count("c") }, false, false},
		{"copy", func(s stream.Stream[string, int64]) { s.To(out) }, false, false},
		{"filter", func(s stream.Stream[string, int64]) {
			s.Filter(func(string, int64) bool { return true }).To(out)
		}, true, true},
		{"map values", func(s stream.Stream[string, int64]) { s.MapValues(func(n int64) int64 { return n }).To(out) }, false, true},
		{"count to a topic", func(s stream.Stream[string, int64]) { s.GroupByKey().Count("c").To(out) }, false, false},
	} {
		topo, err := topology.Define("app", func(b *topology.Builder) { c.define(stream.From(b, in)) })
		if err != nil {
			t.Fatal(c.name, err)
		}
		w := topo.Graph().Nodes[0].Wants
		if w.Key != c.key || w.Val != c.val {
			t.Errorf("%s: the source decodes key %v, value %v; want %v, %v", c.name, w.Key, w.Val, c.key, c.val)
		}
	}
}

// TestPartitionCountsFollowTheSources shows how many partitions internal topics get, and what is refused.
func TestPartitionCountsFollowTheSources(t *testing.T) {
	topo, err := topology.Define("app", func(b *topology.Builder) {
		prices := table.From(b, topology.NewTopic("prices", serde.String, serde.Int64))
		s := stream.From(b, in)
		s.SelectKey(func(string, int64) string { return "" }).JoinTable("j", prices, func(a, _ int64) int64 { return a }).To(out)
		s.GroupBy(func(string, int64) string { return "" }).Count("c")
		s.Repartition("fixed", stream.RepartitionOptions{Partitions: 5}).GroupBy(func(string, int64) string { return "" }).Count("d")
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := topo.Graph().Partitions(map[string]int32{"in": 3, "prices": 7, "out": 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int32{"app-j-repartition": 7, "app-c-repartition": 3, "app-fixed-repartition": 5, "app-d-repartition": 5} {
		if got[name] != n {
			t.Errorf("%s has %d partitions, want %d", name, got[name], n)
		}
	}
	for _, c := range []struct {
		have map[string]int32
		want string
	}{
		{map[string]int32{"in": 3, "out": 1}, `topic "prices" does not exist`},
		{map[string]int32{"in": 3, "prices": 7, "out": 1, "app-c-repartition": 4}, `has 4 partitions, the topology needs 3`},
	} {
		if _, err := topo.Graph().Partitions(c.have); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v does not say %q", err, c.want)
		}
	}
}

// TestJoinsNeedEqualPartitionCounts refuses a join of topics that are not partitioned alike.
func TestJoinsNeedEqualPartitionCounts(t *testing.T) {
	topo, err := topology.Define("app", func(b *topology.Builder) {
		stream.From(b, in).JoinTable("j", table.From(b, out), func(a, _ int64) int64 { return a })
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = topo.Graph().Partitions(map[string]int32{"in": 3, "out": 4})
	if err == nil || !strings.Contains(err.Error(), `JoinTable j joins topics of unequal partition counts: "in" has 3, "out" has 4`) {
		t.Errorf("error %v", err)
	}
}
