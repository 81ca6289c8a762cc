package conformance_test

import (
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

func notThird(_, v string) bool { return numOf(v)%3 != 0 }
func third(_, v string) bool    { return numOf(v)%3 == 0 }

// two are the sides l and r with a store each; of a history > 0 they keep versions.
func two(b *topology.Builder, l, r int) (rows, rows) {
	side := func(topic string, history int) rows {
		if history > 0 {
			return versioned(b, topic, topic+"-store", history)
		}
		return kept(b, topic, topic+"-store")
	}
	return side("l", l), side("r", r)
}

func innerOf(history1, history2 int) build {
	return func(b *topology.Builder) { l, r := two(b, history1, history2); l.Join(r, both).To(texts("out")) }
}

func leftOf(history1, history2 int) build {
	return func(b *topology.Builder) { l, r := two(b, history1, history2); l.LeftJoin(r, left).To(texts("out")) }
}

func outerOf(history1, history2 int) build {
	return func(b *topology.Builder) { l, r := two(b, history1, history2); l.OuterJoin(r, outer).To(texts("out")) }
}

var _ = register(map[string]build{
	"ttj-inner": innerOf(0, 0),
	"ttj-left":  leftOf(0, 0),
	"ttj-outer": outerOf(0, 0),
	"ttj-chain": func(b *topology.Builder) {
		l, r := two(b, 0, 0)
		l.Join(r, both).LeftJoin(kept(b, "x", "x-store"), left).To(texts("out"))
	},
	"ttj-chain-outer": func(b *topology.Builder) {
		l, r := two(b, 0, 0)
		l.OuterJoin(r, outer).OuterJoin(kept(b, "x", "x-store"), outer).Materialize("s").To(texts("out"))
	},
	"ttj-inner-stored": func(b *topology.Builder) {
		l, r := two(b, 0, 0)
		l.Join(r, both).Materialize("s").To(texts("out"))
	},
	"ttj-left-stored": func(b *topology.Builder) {
		l, r := two(b, 0, 0)
		l.LeftJoin(r, left).Materialize("s").To(texts("out"))
	},
	"ttj-outer-stored": func(b *topology.Builder) {
		l, r := two(b, 0, 0)
		l.OuterJoin(r, outer).Materialize("s").To(texts("out"))
	},
	"ttj-lazy": func(b *topology.Builder) {
		l, r := two(b, 0, 0)
		l.Filter(notThird).LeftJoin(r.MapValues(marked("m")), left).To(texts("out"))
	},
	"ttj-lazy-outer-filter": func(b *topology.Builder) {
		l, r := two(b, 0, 0)
		l.Filter(notThird).OuterJoin(r.FilterNot(third), outer).To(texts("out"))
	},
	"ttj-null-joiner": func(b *topology.Builder) {
		l, r := two(b, 0, 0)
		l.OuterJoin(r, func(l, r opt) opt {
			if (num(l)+num(r))%4 == 0 {
				return null
			}
			return some(outer(l, r))
		}).Then(table.Present).Materialize("s").To(texts("out"))
	},
	"ttj-self-left": func(b *topology.Builder) {
		t := kept(b, "l", "l-store")
		t.LeftJoin(t, left).To(texts("out"))
	},
	"ttj-self-mapped": func(b *topology.Builder) {
		t := kept(b, "l", "l-store")
		t.Join(t.MapValues(marked("m")), both).To(texts("out"))
	},
	"ttj-then-group": func(b *topology.Builder) {
		l, r := two(b, 0, 0)
		summed(l.LeftJoin(r, left).GroupBy(classed(3)), "s").To(texts("out"))
	},
	"ttj-versioned-inner": innerOf(1000, 1000),
	"ttj-versioned-left":  leftOf(1000, 1000),
	"ttj-versioned-one":   outerOf(0, 1000),
	"ttj-versioned-outer": outerOf(30, 30),
	"ttj-versioned-result": func(b *topology.Builder) {
		l, r := two(b, 1000, 1000)
		l.OuterJoin(r, outer).Materialize("s", keeping(1000)).Filter(evenRow).To(texts("out"))
	},

	"trace-tt-inner":                 innerOf(0, 0),
	"trace-tt-left":                  leftOf(0, 0),
	"trace-tt-outer":                 outerOf(0, 0),
	"trace-tt-inner-left-versioned":  innerOf(1000, 0),
	"trace-tt-inner-versioned":       innerOf(1000, 1000),
	"trace-tt-left-versioned":        leftOf(1000, 1000),
	"trace-tt-outer-right-versioned": outerOf(0, 1000),
	"trace-tt-outer-versioned":       outerOf(1000, 1000),
})
