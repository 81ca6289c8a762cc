package conformance_test

import (
	"fmt"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

func within(before, after, grace int) window.Join {
	return window.Within(0).Before(ms(before)).After(ms(after)).Grace(ms(grace))
}

func innerStreams(before, after, grace int) build {
	return func(b *topology.Builder) {
		source(b, "l").Join("j", source(b, "r"), within(before, after, grace), bothOpt).To(texts("out"))
	}
}

func leftStreams(before, after, grace int) build {
	return func(b *topology.Builder) {
		source(b, "l").LeftJoin("j", source(b, "r"), within(before, after, grace), leftOpt).To(texts("out"))
	}
}

func outerStreams(before, after, grace int) build {
	return func(b *topology.Builder) {
		source(b, "l").OuterJoin("j", source(b, "r"), within(before, after, grace), outerOpt).To(texts("out"))
	}
}

// selfStreams joins a stream with itself: on one store, or on two, where a node stands between.
func selfStreams(before, after, grace int, one bool) build {
	return func(b *topology.Builder) {
		s := source(b, "in")
		l := s
		if !one {
			l = s.Filter(func(string, opt) bool { return true })
		}
		l.Join("j", s, within(before, after, grace), bothOpt).To(texts("out"))
	}
}

// keyed gives a record the key k and its number's class; every ninth none, if there are such.
func keyed(classes int, some bool) func(record) record {
	return func(r record) record {
		n := num(r.Value)
		r.Key, r.NoKey = fmt.Sprint("k", n%classes), some && n%9 == 0
		return r
	}
}

func rekeyedSides(b *topology.Builder, none bool) (l, r stream.Stream[string, opt]) {
	return source(b, "l").MapRecord(keyed(2, true)), source(b, "r").MapRecord(keyed(3, none))
}

var _ = register(map[string]build{
	"ssj-inner":          innerStreams(10, 10, 0),
	"ssj-inner-after0":   innerStreams(10, 0, 2),
	"ssj-inner-asym":     innerStreams(5, 12, 3),
	"ssj-inner-before0":  innerStreams(0, 10, 2),
	"ssj-inner-grace":    innerStreams(10, 10, 5),
	"ssj-inner-long":     innerStreams(30000, 30000, 10000),
	"ssj-inner-negative": innerStreams(-5, 10, 0),
	"ssj-inner-zero":     innerStreams(0, 0, 3),
	"ssj-inner-repartition": func(b *topology.Builder) {
		l, r := rekeyedSides(b, false)
		l.Join("j", r, within(10, 10, 0), bothOpt).To(texts("out"))
	},
	"ssj-left":           leftStreams(10, 10, 0),
	"ssj-left-after0":    leftStreams(10, 0, 2),
	"ssj-left-asym":      leftStreams(12, 5, 3),
	"ssj-left-before0":   leftStreams(0, 10, 2),
	"ssj-left-grace":     leftStreams(10, 10, 5),
	"ssj-left-throttled": leftStreams(10, 10, 0),
	"ssj-left-repartition": func(b *topology.Builder) {
		l, r := rekeyedSides(b, true)
		l.LeftJoin("j", r, within(10, 10, 0), leftOpt).To(texts("out"))
	},
	"ssj-outer":         outerStreams(10, 10, 0),
	"ssj-outer-after0":  outerStreams(10, 0, 3),
	"ssj-outer-asym":    outerStreams(5, 20, 0),
	"ssj-outer-before0": outerStreams(0, 10, 3),
	"ssj-outer-grace":   outerStreams(10, 10, 5),
	"ssj-outer-long":    outerStreams(30000, 30000, 10000),
	"ssj-self":          selfStreams(10, 10, 0, false),
	"ssj-self-asym":     selfStreams(3, 12, 5, false),
	"ssj-self-opt":      selfStreams(10, 10, 0, true),
	"ssj-self-asym-opt": selfStreams(3, 12, 5, true),

	"trace-join-inner": innerStreams(10000, 10000, 0),
	"trace-join-left":  leftStreams(10000, 10000, 0),
	"trace-join-outer": outerStreams(10000, 10000, 0),
	"trace-left-t1":    leftStreams(100, 100, 0),
	"trace-left-t2":    leftStreams(100, 100, 10),
	"trace-left-t3":    leftStreams(100, 100, 10),
	"trace-left-t6":    leftStreams(100, 0, 0),
	"trace-left-t7":    leftStreams(0, 100, 0),
	"trace-outer-t4":   outerStreams(100, 100, 10),
	"trace-outer-t5":   outerStreams(5, 20, 0),
	"trace-outer-t7":   outerStreams(0, 100, 0),
	"trace-outer-t8":   outerStreams(100, 100, 10),
})
