package conformance_test

import (
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

func withRow(l opt, r string) string            { return str(l) + "/" + r }
func withRowLeft(l opt, r opt) string           { return str(l) + "/" + str(r) }
func waiting(grace int) stream.JoinTableOptions { return stream.JoinTableOptions{Grace: ms(grace)} }

// rekeyedToRows gives a record the key of a row; every ninth none.
func rekeyedToRows(r record) record {
	n := num(r.Value)
	r.Key, r.NoKey = "ABC"[n%3:n%3+1], n%9 == 0
	return r
}

// onTable joins a stream with a table of strings; of a history > 0 it keeps versions.
func onTable(in, topic string, history int, inner bool, opts ...stream.JoinTableOptions) build {
	return func(b *topology.Builder) {
		s := source(b, in)
		var t rows
		if history > 0 {
			t = versioned(b, topic, "t-store", history)
		} else {
			t = kept(b, topic, "t-store")
		}
		if inner {
			s.JoinTable("j", t, withRow, opts...).To(texts("out"))
		} else {
			s.LeftJoinTable("j", t, withRowLeft, opts...).To(texts("out"))
		}
	}
}

var _ = register(map[string]build{
	"stj-inner":           onTable("in", "t", 0, true),
	"stj-left":            onTable("in", "t", 0, false),
	"stj-versioned-inner": onTable("in", "t", 1000, true),
	"stj-versioned-left":  onTable("in", "t", 30, false),
	"stj-grace-inner":     onTable("in", "t", 1000, true, waiting(10)),
	"stj-grace-left":      onTable("in", "t", 1000, false, waiting(10)),
	"stj-grace-zero": func(b *topology.Builder) {
		s := source(b, "in").Process("keyed", func(ctx *topology.Context[string, opt]) (topology.Processor[string, opt], error) {
			return topology.ProcessorFunc[string, opt](func(r record) error {
				if r.NoKey {
					return nil
				}
				return ctx.Forward(r)
			}), nil
		})
		s.LeftJoinTable("j", versioned(b, "t", "t-store", 1000), withRowLeft, waiting(0)).To(texts("out"))
	},
	"stj-inner-rekeyed": func(b *topology.Builder) {
		source(b, "in").MapRecord(rekeyedToRows).JoinTable("j", kept(b, "t", "t-store"), withRow).To(texts("out"))
	},
	"stj-left-rekeyed": func(b *topology.Builder) {
		source(b, "in").MapRecord(rekeyedToRows).LeftJoinTable("j", kept(b, "t", "t-store"), withRowLeft).To(texts("out"))
	},
	"stj-lazy-table": func(b *topology.Builder) {
		t := kept(b, "t", "t-store").Filter(evenRow).MapValues(marked("m"))
		source(b, "in").LeftJoinTable("j", t, withRowLeft).To(texts("out"))
	},
	"stj-aggregate": func(b *topology.Builder) {
		s := source(b, "in")
		t := s.Merge(source(b, "t")).GroupByKey().Reduce("s", func(x, y opt) opt { return some(red(str(x), str(y))) })
		s.LeftJoinTable("j", t, leftOpt).To(texts("out"))
	},

	"trace-st-grace":           onTable("in", "t", 1000, true, waiting(2)),
	"trace-st-inner":           onTable("l", "r", 0, true),
	"trace-st-left":            onTable("l", "r", 0, false),
	"trace-st-inner-versioned": onTable("l", "r", 1000, true),
	"trace-st-left-versioned":  onTable("l", "r", 1000, false),
})
