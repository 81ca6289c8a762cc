package conformance_test

import (
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

var _ = register(map[string]build{
	"cog-two": func(b *topology.Builder) { cogrouped(b).Aggregate("s", zero).To(texts("out")) },
	"cog-three": func(b *topology.Builder) {
		add := func(sign string) func(string, opt, opt) opt {
			return func(_ string, v, a opt) opt { return serde.Some(str(a) + sign + str(v)) }
		}
		rekeyed := source(b, "in2").GroupBy(func(_ string, v opt) string { return "ABC"[num(v)%3 : num(v)%3+1] })
		source(b, "in").GroupByKey().Cogroup(add("+")).And(rekeyed, add("*")).
			And(source(b, "in3").GroupByKey(), func(k string, v, a opt) opt {
				if num(v)%3 == 0 {
					return null
				}
				return add("#")(k, v, a)
			}).
			Aggregate("s", func() opt { return serde.Some("0") }).To(nullable("out"))
	},
	"cog-window": func(b *topology.Builder) {
		cogrouped(b).Windowed(tumbling(10, 5)).Aggregate("s", zero).To(timed(10, serde.String))
	},
	"cog-sliding": func(b *topology.Builder) {
		cogrouped(b).Windowed(sliding(10, 5)).Aggregate("s", zero, keep(20000)).To(timed(10, serde.String))
	},
	"cog-session": func(b *topology.Builder) {
		cogrouped(b).Sessions(session(5, 3)).Aggregate("s", zero, bridge, keep(20000)).To(sessions(serde.String))
	},
	"trace-cogroup": func(b *topology.Builder) {
		add := func(_ string, v opt, a string) string { return a + str(v) }
		source(b, "one").GroupByKey().Cogroup(add).And(source(b, "two").GroupByKey(), add).
			Aggregate("s", stream.Zero).To(texts("out"))
	},
})

// cogrouped are the topics in and in2 in one aggregate.
func cogrouped(b *topology.Builder) stream.Cogrouped[string, string] {
	return source(b, "in").GroupByKey().Cogroup(plus).
		And(source(b, "in2").GroupByKey(), func(_ string, v opt, a string) string { return a + "*" + str(v) })
}
