package conformance_test

import (
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

var _ = register(map[string]build{
	"emit-tumbling":       func(b *topology.Builder) { closed(b, tumbling(10, 0), 10) },
	"emit-throttled":      func(b *topology.Builder) { closed(b, tumbling(10, 0), 10) },
	"emit-hopping":        func(b *topology.Builder) { closed(b, hopping(10, 5, 2), 10) },
	"emit-sliding":        func(b *topology.Builder) { closed(b, sliding(10, 5), 10) },
	"emit-tumbling-grace": func(b *topology.Builder) { closedCounts(b, tumbling(10, 5), 10) },
	"emit-sliding-no-grace": func(b *topology.Builder) {
		closedCounts(b, sliding(5, 0), 5)
	},
	"emit-hopping-odd": func(b *topology.Builder) {
		in(b, hopping(10, 3, 0)).Reduce("s", bar, keep(20000)).Final().To(timed(10, serde.Optional(serde.String)))
	},
	"emit-then-group": func(b *topology.Builder) {
		in(b, tumbling(10, 0)).Count("s1", keep(20000)).Final().
			Then(stream.WindowUpdates).
			Map(func(k window.Key[string], n int64) (string, string) { return "n" + text(n), k.Key }).
			GroupByKey().Count("s2").To(longs("out"))
	},

	"emit-session": func(b *topology.Builder) {
		inSessions(b, session(5, 0)).Aggregate("s", zero, plus, bridge, keep(20000)).Final().To(sessions(serde.String))
	},
	"emit-session-grace": func(b *topology.Builder) { closedSessions(b, session(5, 7)) },

	"trace-emit-session":    func(b *topology.Builder) { closedSessions(b, session(5, 0)) },
	"trace-emit-hopping":    func(b *topology.Builder) { closed(b, hopping(10, 5, 5), 10) },
	"trace-emit-hopping-2":  func(b *topology.Builder) { closed(b, hopping(10, 5, 5), 10) },
	"trace-emit-throttled":  func(b *topology.Builder) { closed(b, hopping(10, 5, 5), 10) },
	"trace-sliding-a-final": func(b *topology.Builder) { closed(b, sliding(10, 5), 10) },
})

func closed(b *topology.Builder, w window.Windows, size int) {
	in(b, w).Aggregate("s", zero, plus, keep(20000)).Final().To(timed(size, serde.String))
}

func closedCounts(b *topology.Builder, w window.Windows, size int) {
	in(b, w).Count("s", keep(20000)).Final().To(timed(size, serde.Int64))
}

func closedSessions(b *topology.Builder, w window.Sessions) {
	inSessions(b, w).Count("s", keep(20000)).Final().To(sessions(serde.Int64))
}
