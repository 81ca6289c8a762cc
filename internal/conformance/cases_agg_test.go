package conformance_test

import (
	"fmt"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

var _ = register(map[string]build{
	"agg-count":       func(b *topology.Builder) { byKey(b).Count("s").To(longs("out")) },
	"agg-aggregate":   func(b *topology.Builder) { byKey(b).Aggregate("s", zero, plus).To(texts("out")) },
	"agg-versioned":   func(b *topology.Builder) { byKey(b).Aggregate("s", zero, plus, keeping(20)).To(texts("out")) },
	"agg-reduce":      func(b *topology.Builder) { byKey(b).Reduce("s", bar).To(nullable("out")) },
	"agg-reduce-null": func(b *topology.Builder) { byKey(b).Reduce("s", barUnlessFour).To(nullable("out")) },
	"agg-aggregate-null": func(b *topology.Builder) {
		byKey(b).Fold("s", unlessNumber(4)).To(texts("out"))
	},
	"agg-group-by": func(b *topology.Builder) {
		source(b, "in").MapRecord(groupKey(3)).GroupByKey().Aggregate("s", zero, plus).To(texts("out"))
	},
	"agg-two-on-one": func(b *topology.Builder) {
		g := source(b, "in").SelectKey(func(_ string, v opt) string { return fmt.Sprint("g", num(v)%3) }).Repartition("g").GroupByKey()
		g.Count("s1").To(longs("out1"))
		g.Reduce("s2", bar).To(nullable("out2"))
	},
	"agg-then-table-group": func(b *topology.Builder) {
		byLength(byKey(b).Aggregate("s1", zero, plus)).To(texts("out"))
	},
	"agg-reduce-then-table-group": func(b *topology.Builder) {
		byLength(byKey(b).Reduce("s1", bar).Then(table.Present)).To(texts("out"))
	},
	"trace-count": func(b *topology.Builder) { byKey(b).Count("s").To(longs("out")) },
})

func byKey(b *topology.Builder) stream.Grouped[string, opt] { return source(b, "in").GroupByKey() }

// barUnlessFour is RED, but for values whose number is a multiple of 4: those delete.
func barUnlessFour(x, y opt) opt {
	if num(y)%4 == 0 {
		return null
	}
	return serde.Some(str(x) + "|" + str(y))
}

// byLength groups rows by their length.
func byLength(t rows) rows {
	return summed(t.GroupBy(func(_, v string) (string, string) { return fmt.Sprint("g", len(v)%3), fmt.Sprint(len(v)) }), "s2")
}
