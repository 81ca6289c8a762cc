package conformance_test

import (
	"github.com/thalweg/thalweg/topology"
)

var _ = register(map[string]build{
	"agg-aggregate": func(b *topology.Builder) {
		source(b, "in").GroupByKey().Aggregate("s", zero, plus).To(texts("out"))
	},
	"agg-count": func(b *topology.Builder) {
		source(b, "in").GroupByKey().Count("s").To(longs("out"))
	},
	"trace-count": func(b *topology.Builder) {
		source(b, "in").GroupByKey().Count("s").To(longs("out"))
	},
})
