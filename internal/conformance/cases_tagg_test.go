package conformance_test

import (
	"fmt"

	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// chosen groups by value; key "null" has a null group key and key "NULL" a null pair: neither is in a group.
func chosen(k, v string) (string, opt) {
	if k == "null" || k == "NULL" {
		return "", null
	}
	return v, some(v)
}

func minus(_ string, v opt, a string) string { return a + "-" + str(v) }

var _ = register(map[string]build{
	"tagg-aggregate": func(b *topology.Builder) {
		summed(kept(b, "t", "t-store").GroupBy(classed(3)), "s").To(texts("out"))
	},
	"tagg-aggregate-null": func(b *topology.Builder) {
		kept(b, "t", "t-store").GroupBy(classed(2)).Fold("s",
			func(_, v string, a opt) opt {
				if numOf(v)%5 == 0 {
					return null
				}
				return some(a.Or("0") + "+" + v)
			},
			func(_, v string, a opt) opt {
				if numOf(v)%7 == 0 {
					return null
				}
				return some(a.Value + "-" + v)
			}).To(texts("out"))
	},
	"tagg-count": func(b *topology.Builder) { kept(b, "t", "t-store").GroupBy(classed(3)).Count("s").To(longs("out")) },
	"tagg-filter": func(b *topology.Builder) {
		t := kept(b, "t", "t-store").Filter(func(_, v string) bool { return numOf(v)%3 != 0 })
		summed(t.GroupBy(classed(2)), "s").To(texts("out"))
	},
	"tagg-null-mapper": func(b *topology.Builder) {
		kept(b, "t", "t-store").GroupBy(func(_, v string) (string, opt) {
			if n := numOf(v); n%7 == 0 || n%5 == 0 || n%4 == 0 { // no pair, no key, no value
				return "", null
			}
			return fmt.Sprint("g", numOf(v)%2), some(v)
		}).Aggregate("s", zero, plus, minus).To(texts("out"))
	},
	"tagg-reduce": func(b *topology.Builder) {
		kept(b, "t", "t-store").GroupBy(classed(3)).Reduce("s", red, func(x, y string) string { return x + "-" + y }).To(texts("out"))
	},
	"tagg-reduce-null": func(b *topology.Builder) {
		kept(b, "t", "t-store").GroupBy(classed(3)).Fold("s",
			func(_, v string, a opt) opt {
				if !a.OK {
					return some(v)
				}
				return some(red(a.Value, v))
			},
			func(_, v string, a opt) opt {
				if numOf(v)%2 == 0 {
					return null
				}
				return some(a.Value + "-" + v)
			}).To(texts("out"))
	},
	"tagg-same-key": func(b *topology.Builder) {
		summed(kept(b, "t", "t-store").GroupBy(func(k, v string) (string, string) {
			if k < "C" {
				return "x", v
			}
			return "y", v
		}), "s").To(texts("out"))
	},
	"tagg-unstored": func(b *topology.Builder) {
		t := table.From(b, texts("t")).MapValues(marked("m"))
		summed(t.GroupBy(func(_, v string) (string, string) { return fmt.Sprint("g", len(v)), v }), "s").To(texts("out"))
	},

	"trace-table-count": func(b *topology.Builder) {
		kept(b, "t", "t-store").GroupBy(func(_, v string) (string, string) { return v, v }).Count("s").To(longs("out"))
	},
	"trace-table-group": func(b *topology.Builder) {
		kept(b, "t", "t-store").GroupBy(chosen).Aggregate("s", zero, plus, minus).To(texts("out"))
	},
	"trace-table-group-versioned": func(b *topology.Builder) {
		versioned(b, "t", "t-store", 1000).GroupBy(chosen).Aggregate("s", zero, plus, minus).To(texts("out"))
	},
	"trace-table-same-group": func(b *topology.Builder) {
		summed(kept(b, "t", "t-store").GroupBy(func(k, v string) (string, string) { return k, v }), "s").To(texts("out"))
	},
})
