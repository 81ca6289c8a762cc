package conformance_test

import (
	"fmt"
	"iter"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

var _ = register(map[string]build{
	"multi-count-of-counts": func(b *topology.Builder) {
		source(b, "in").GroupByKey().Count("s1").
			GroupBy(func(k string, n int64) (string, string) { return fmt.Sprint("n", n), k }).
			Count("s2").To(longs("out"))
	},
	"multi-enrich-window": func(b *topology.Builder) {
		source(b, "in").LeftJoinTable("j", kept(b, "t", "t-store"), withRowLeft).
			SelectKey(func(_, v string) string { return fmt.Sprint("e", numOf(v)%2) }).
			GroupByKey().Windowed(tumbling(10, 5)).Aggregate("s", zero, add).
			Then(stream.WindowUpdates).
			Map(func(w window.Key[string], v string) (string, string) { return fmt.Sprintf("%s@%d", w.Key, w.Start), v }).
			To(texts("out"))
	},
	"multi-join-count": func(b *topology.Builder) {
		source(b, "l").Join("j", source(b, "r"), within(10, 10, 0), bothOpt).
			GroupByKey().Sessions(window.Session(ms(5))).Count("s", state.Options{Retention: ms(20000)}).
			To(sessions(serde.Int64))
	},
	"multi-two-outputs": func(b *topology.Builder) {
		s := source(b, "in")
		s.Filter(func(_ string, v opt) bool { return even(v) }).To(nullable("out1"))
		g := s.GroupByKey()
		g.Count("s1").To(longs("out2"))
		perWindow := timed(10, serde.Int64)
		perWindow.Name = "out3"
		g.Windowed(tumbling(10, 0)).Count("s2").To(perWindow)
	},
	"multi-word-count": func(b *topology.Builder) {
		source(b, "in").FlatMapValues(func(v opt) iter.Seq[string] {
			return func(yield func(string) bool) {
				if n := num(v); v.OK && yield(fmt.Sprint("w", n%3)) && yield(fmt.Sprint("w", n%5)) {
					yield(v.Value)
				}
			}
		}).GroupBy(func(_, w string) string { return w }).Count("s").To(longs("out"))
	},
})
