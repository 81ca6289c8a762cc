package conformance_test

import (
	"fmt"

	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// change is an update of a row, as a stream of them has it.
type change = table.Change[string]

var _ = register(map[string]build{
	"tbl-filter": func(b *topology.Builder) { table.From(b, texts("t")).Filter(evenRow).To(texts("out")) },
	"tbl-filter-both-stored": func(b *topology.Builder) {
		kept(b, "t", "t-store").Filter(evenRow).Materialize("s").To(texts("out"))
	},
	"tbl-filter-filter": func(b *topology.Builder) {
		kept(b, "t", "t-store").Filter(evenRow).Filter(func(_, v string) bool { return numOf(v)%3 == 0 }).To(texts("out"))
	},
	"tbl-filter-not": func(b *topology.Builder) { kept(b, "t", "t-store").FilterNot(evenRow).To(texts("out")) },
	"tbl-filter-stored": func(b *topology.Builder) {
		table.From(b, texts("t")).Filter(evenRow).Materialize("s").To(texts("out"))
	},
	"tbl-filter-stored-parent": func(b *topology.Builder) { kept(b, "t", "t-store").Filter(evenRow).To(texts("out")) },
	"tbl-map-values": func(b *topology.Builder) {
		mapped(kept(b, "t", "t-store"), func(k, v string) opt {
			if numOf(v)%5 == 0 {
				return null
			}
			return some(k + v)
		}).To(texts("out"))
	},
	"tbl-map-values-stored": func(b *topology.Builder) {
		mapped(table.From(b, texts("t")), func(_, v string) opt {
			if numOf(v)%5 == 0 {
				return null
			}
			return some(v + "m")
		}).Materialize("s").Filter(func(_, v string) bool { return len(v) < 4 }).To(texts("out"))
	},
	"tbl-source":        func(b *topology.Builder) { table.From(b, texts("t")).To(texts("out")) },
	"tbl-source-reuse":  func(b *topology.Builder) { table.From(b, texts("t"), state.Options{}).To(texts("out")) },
	"tbl-source-stored": func(b *topology.Builder) { kept(b, "t", "t-store").To(texts("out")) },
	"tbl-to-stream-key": func(b *topology.Builder) {
		stream.Changes(kept(b, "t", "t-store")).
			Map(func(k string, c change) (string, opt) {
				if !c.New.OK {
					return k + "x", null
				}
				return k + fmt.Sprint(num(c.New)%3), c.New
			}).To(nullable("out"))
	},
	"tbl-transform-values": func(b *topology.Builder) {
		stream.Changes(kept(b, "t", "t-store")).MapWithKey(func(k string, c change) string {
			if !c.New.OK {
				return "none-" + k
			}
			return k + c.New.Value
		}).To(texts("out"))
	},
	"tbl-versioned-filter": func(b *topology.Builder) {
		versioned(b, "t", "t-store", 1000).Filter(evenRow).To(texts("out"))
	},
	"tbl-versioned-filter-stored": func(b *topology.Builder) {
		t := versioned(b, "t", "t-store", 1000).Filter(evenRow).Materialize("s0", keeping(1000))
		summed(t.GroupBy(classed(3)), "s").To(texts("out"))
	},
	"tbl-versioned-group": func(b *topology.Builder) {
		summed(versioned(b, "t", "t-store", 1000).GroupBy(classed(3)), "s").To(texts("out"))
	},
	"tbl-versioned-long": func(b *topology.Builder) {
		versioned(b, "t", "t-store", 60000).MapValues(marked("m")).To(texts("out"))
	},
	"tbl-versioned-source": func(b *topology.Builder) { versioned(b, "t", "t-store", 30).To(texts("out")) },

	"trace-filter-off":   func(b *topology.Builder) { table.From(b, texts("t")).Filter(evenRow).To(texts("out")) },
	"trace-filter-on":    func(b *topology.Builder) { kept(b, "t", "t-store").Filter(evenRow).To(texts("out")) },
	"trace-table-source": func(b *topology.Builder) { kept(b, "t", "t-store").To(texts("out")) },
})
