package conformance_test

import (
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// untilClose is Suppressed.untilWindowCloses(unbounded()).
var untilClose = table.Suppression{UntilClose: true}

// after is Suppressed.untilTimeLimit(after, maxRecords(records), or unbounded()).
func after(limit, records int) table.Suppression {
	return table.Suppression{After: ms(limit), MaxRecords: records}
}

func suppressed(b *topology.Builder, until table.Suppression) {
	kept(b, "t", "t-store").Suppress("sup", until).To(texts("out"))
}

var _ = register(map[string]build{
	"sup-count": func(b *topology.Builder) {
		source(b, "in").GroupByKey().Count("s").Suppress("sup", after(15, 3)).To(longs("out"))
	},
	"sup-max-records":     func(b *topology.Builder) { suppressed(b, after(20, 2)) },
	"sup-time-limit":      func(b *topology.Builder) { suppressed(b, after(10, 0)) },
	"sup-time-limit-zero": func(b *topology.Builder) { suppressed(b, after(0, 0)) },
	"sup-then-join": func(b *topology.Builder) {
		kept(b, "t", "t-store").Suppress("sup", after(10, 0)).Join(kept(b, "u", "u-store"), both).To(texts("out"))
	},
	"sup-tumbling": func(b *topology.Builder) { suppressedCounts(b, tumbling(10, 5), 10) },
	"sup-hopping": func(b *topology.Builder) {
		in(b, hopping(10, 5, 0)).Aggregate("s", zero, plus).Suppress("sup", untilClose).To(timed(10, serde.String))
	},
	"sup-sliding": func(b *topology.Builder) {
		in(b, sliding(10, 4)).Aggregate("s", zero, plus, keep(20000)).Suppress("sup", untilClose).To(timed(10, serde.String))
	},
	"sup-session": func(b *topology.Builder) {
		inSessions(b, session(5, 3)).Aggregate("s", zero, plus, bridge, keep(20000)).Suppress("sup", untilClose).To(sessions(serde.String))
	},
	"sup-window-deletes": func(b *topology.Builder) {
		in(b, tumbling(10, 5)).Fold("s", unlessNumber(3)).Suppress("sup", untilClose).To(timed(10, serde.String))
	},

	"trace-suppress-time":    func(b *topology.Builder) { suppressed(b, after(2, 0)) },
	"trace-suppress-records": func(b *topology.Builder) { suppressed(b, after(0, 1)) },
	"trace-suppress-one":     func(b *topology.Builder) { suppressedCounts(b, tumbling(1, 1), 1) },
	"trace-suppress-session": func(b *topology.Builder) {
		inSessions(b, session(5, 0)).Count("s").Suppress("sup", untilClose).To(sessions(serde.Int64))
	},
	"trace-suppress-window": func(b *topology.Builder) {
		counts := in(b, tumbling(2, 1)).Count("s")
		counts.Suppress("sup", untilClose).To(timed(2, serde.Int64))
		raw := timed(2, serde.Int64)
		raw.Name = "raw"
		counts.To(raw)
	},
})

func suppressedCounts(b *topology.Builder, w window.Windows, size int) {
	in(b, w).Count("s").Suppress("sup", untilClose).To(timed(size, serde.Int64))
}
