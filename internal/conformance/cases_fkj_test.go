package conformance_test

import (
	"fmt"
	"strings"

	"github.com/thalweg/thalweg/topology"
)

// refTo names a right row by the number's class, and none where the number is divisible by never.
func refTo(classes, never int) func(_, v string) (string, bool) {
	return func(_, v string) (string, bool) {
		n := numOf(v)
		return fmt.Sprint("r", n%classes), never == 0 || n%never != 0
	}
}

// afterBar names the right row behind the bar of a value.
func afterBar(_, v string) (string, bool) {
	_, ref, _ := strings.Cut(v, "|")
	return ref, ref != ""
}

func traceForeign(b *topology.Builder) {
	l, r := two(b, 0, 0)
	l.JoinForeign("fk", r, afterBar, func(l, r string) string { return "(" + l + "," + r + ")" }).Materialize("s").To(texts("out"))
}

func traceLeftForeign(b *topology.Builder) {
	l, r := two(b, 0, 0)
	l.LeftJoinForeign("fk", r, afterBar, func(l string, r opt) string { return "(" + l + "," + str(r) + ")" }).Materialize("s").To(texts("out"))
}

var _ = register(map[string]build{
	"fkj-inner": func(b *topology.Builder) {
		l, r := two(b, 0, 0)
		l.JoinForeign("fk", r, refTo(4, 9), both).Materialize("s").To(texts("out"))
	},
	"fkj-inner-unstored": func(b *topology.Builder) {
		l, r := two(b, 0, 0)
		l.JoinForeign("fk", r, refTo(3, 0), both).To(texts("out"))
	},
	"fkj-left": func(b *topology.Builder) {
		l, r := two(b, 0, 0)
		l.LeftJoinForeign("fk", r, refTo(4, 9), left).Materialize("s").To(texts("out"))
	},
	"fkj-left-stable": func(b *topology.Builder) {
		l, r := two(b, 0, 0)
		l.LeftJoinForeign("fk", r, func(_, v string) (string, bool) {
			n := numOf(v)
			return fmt.Sprint("r", n/12%3), n%25 != 0
		}, left).Materialize("s").To(texts("out"))
	},
	"fkj-self": func(b *topology.Builder) {
		t := kept(b, "l", "l-store")
		t.JoinForeign("fk", t, func(_, v string) (string, bool) { n := numOf(v) % 3; return "ABC"[n : n+1], true }, both).
			Materialize("s").To(texts("out"))
	},
	"fkj-then-group": func(b *topology.Builder) {
		l, r := two(b, 0, 0)
		l.JoinForeign("fk", r, refTo(3, 0), both).Materialize("s").
			GroupBy(classed(3)).Count("s2").
			To(longs("out2"))
	},
	"fkj-versioned": func(b *topology.Builder) {
		l, r := two(b, 1000, 1000)
		l.LeftJoinForeign("fk", r, refTo(4, 9), left).Materialize("s").To(texts("out"))
	},

	"trace-fk-inner":   traceForeign,
	"trace-fk-inner-2": traceForeign,
	"trace-fk-left":    traceLeftForeign,
	"trace-fk-left-2":  traceLeftForeign,
})
