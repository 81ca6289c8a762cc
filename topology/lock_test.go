package topology_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

// regions is a topology with one thing of each durable kind.
func regions(count, repartition string, partitions int) func(*topology.Builder) {
	return func(b *topology.Builder) {
		stream.From(b, in).
			SelectKey(func(k string, _ int64) string { return k[:1] }).
			Repartition(repartition, stream.RepartitionOptions{Partitions: partitions}).
			GroupByKey().Count(count).To(out)
	}
}

func define(t *testing.T, f func(*topology.Builder)) *topology.Topology {
	t.Helper()
	topo, err := topology.Define("app", f)
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

const lockText = `thalweg lock 1
app app
changelog app-counts-changelog
repartition app-by-region-repartition string, int64, partitions 3
sink out string, optional int64
source in string, int64
store counts timestamped-kv of string to int64
`

// TestLockSaysWhatIsDurable shows the text, and that it is read back as it was written.
func TestLockSaysWhatIsDurable(t *testing.T) {
	lock := define(t, regions("counts", "by-region", 3)).Lock()
	text, err := lock.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != lockText {
		t.Errorf("got\n%s\nwant\n%s", text, lockText)
	}
	back, err := topology.ParseLock(append([]byte("# kept by hand\n\n"), text...))
	if err != nil {
		t.Fatal(err)
	}
	if d := back.Diff(lock); len(d) != 0 {
		t.Errorf("differs from itself: %v", d)
	}
}

// TestLockDiffersByWhatIsLeftBehind shows that a lost store is told from a new stateless operator.
func TestLockDiffersByWhatIsLeftBehind(t *testing.T) {
	was := define(t, regions("counts", "by-region", 3)).Lock()
	for _, c := range []struct {
		name string
		is   func(*topology.Builder)
		want []string
	}{
		{"one more stateless operator", func(b *topology.Builder) {
			stream.From(b, in).
				Filter(func(k string, _ int64) bool { return k != "" }).
				SelectKey(func(k string, _ int64) string { return k[:1] }).
				Repartition("by-region", stream.RepartitionOptions{Partitions: 3}).
				GroupByKey().Count("counts").To(out)
		}, nil},
		{"renamed", regions("totals", "by-region", 3), []string{
			"changelog app-counts-changelog is no more: what it holds is left behind",
			"changelog app-totals-changelog is new",
			"store counts is no more: what it holds is left behind",
			"store totals is new",
		}},
		{"other partitions", regions("counts", "by-region", 5), []string{
			"repartition app-by-region-repartition was string, int64, partitions 3, is string, int64, partitions 5: what it holds is left behind",
		}},
		{"another type and no sink", func(b *topology.Builder) {
			stream.From(b, in).
				SelectKey(func(k string, _ int64) string { return k[:1] }).
				Repartition("by-region", stream.RepartitionOptions{Partitions: 3}).
				GroupByKey().Aggregate("counts", func() string { return "" }, func(_ string, _ int64, a string) string { return a })
		}, []string{
			"sink out is no more",
			"store counts was timestamped-kv of string to int64, is timestamped-kv of string to string: what it holds is left behind",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range was.Diff(define(t, c.is).Lock()) {
				got = append(got, d.String())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestBrokenLockFilesAreRefused shows that each error names the line.
func TestBrokenLockFilesAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "empty",
		"thalweg lock 2\napp x\n":              "line 1",
		"thalweg lock 1\nstore\n":              "line 2",
		"thalweg lock 1\nstore a\nstore a x\n": "twice",
	} {
		if _, err := topology.ParseLock([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error that says %q", text, err, want)
		}
	}
}

// TestGraphIsDescribedToPrograms holds the drawing for Graphviz and the description in JSON.
func TestGraphIsDescribedToPrograms(t *testing.T) {
	topo := define(t, func(b *topology.Builder) { stream.From(b, in).GroupByKey().Count("counts").To(out) })
	const dot = `digraph "app" {
  rankdir=TB
  node [shape=box]
  t0 [label="in" shape=oval]
  t1 [label="out" shape=oval]
  s0 [label="counts" shape=cylinder]
  subgraph cluster_0 {
    label="sub-topology 0"
    n0 [label="KSTREAM-SOURCE-0000000000"]
    n1 [label="counts"]
    n2 [label="KTABLE-TOSTREAM-0000000002"]
    n3 [label="KSTREAM-SINK-0000000003"]
  }
  n0 -> n1
  t0 -> n0
  n1 -> n2
  n2 -> n3
  n3 -> t1
  n1 -> s0 [dir=none style=dashed]
}
`
	if got := topo.DOT(); got != dot {
		t.Errorf("got\n%s\nwant\n%s", got, dot)
	}
	text, err := json.Marshal(topo)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		App  string
		Subs []struct {
			Nodes []struct {
				Name, Kind, Key, Value, Topic, Position string
				Stores, Children                        []string
			}
		} `json:"sub_topologies"`
		Topics []struct{ Name string }
		Stores []struct{ Name, Type, Changelog string }
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.App != "app" || len(d.Subs) != 1 || len(d.Subs[0].Nodes) != 4 || len(d.Topics) != 3 || len(d.Stores) != 1 {
		t.Fatalf("%s", text)
	}
	n := d.Subs[0].Nodes[1]
	if n.Kind != "processor" || n.Key != "string" || n.Value != "table.Change[int64]" || !slices.Equal(n.Stores, []string{"counts"}) ||
		len(n.Children) != 1 || !strings.HasPrefix(n.Position, "lock_test.go:") {
		t.Errorf("%+v", n)
	}
	if d.Stores[0].Changelog != "app-counts-changelog" {
		t.Errorf("%+v", d.Stores[0])
	}
}
