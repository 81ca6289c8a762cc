package conformance_test

import (
	"fmt"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

var _ = register(map[string]build{
	"win-tumbling-count":     func(b *topology.Builder) { counted(b, tumbling(10, 0), 10) },
	"win-tumbling-long":      func(b *topology.Builder) { counted(b, tumbling(30000, 10000), 30000) },
	"win-tumbling-retention": func(b *topology.Builder) { counted(b, tumbling(10, 5), 10, keep(200)) },
	"win-tumbling-reduce":    func(b *topology.Builder) { reduced(b, tumbling(10, 3), 10) },
	"win-tumbling-aggregate": func(b *topology.Builder) { aggregated(b, tumbling(10, 1000), 10) },
	"win-tumbling-aggregate-null": func(b *topology.Builder) {
		in(b, tumbling(10, 5)).Fold("s", unlessNumber(4)).To(timed(10, serde.String))
	},
	"win-tumbling-filter": func(b *topology.Builder) {
		in(b, tumbling(10, 5)).Count("s").
			Filter(func(_ window.Key[string], n int64) bool { return n%2 == 0 }).
			MapWithKey(func(k window.Key[string], n int64) string { return fmt.Sprintf("%s@%d=%d", k.Key, k.Start, n) }).
			To(timed(10, serde.String))
	},
	"win-tumbling-group-by": func(b *topology.Builder) {
		source(b, "in").MapRecord(groupKey(2)).GroupByKey().Windowed(tumbling(10, 5)).Aggregate("s", zero, plus).To(timed(10, serde.String))
	},
	"win-hopping-count":     func(b *topology.Builder) { counted(b, hopping(10, 5, 0), 10) },
	"win-hopping-reduce":    func(b *topology.Builder) { reduced(b, hopping(10, 3, 4), 10) },
	"win-hopping-aggregate": func(b *topology.Builder) { aggregated(b, hopping(12, 5, 30), 12) },
	"win-unlimited-count":   func(b *topology.Builder) { counted(b, window.Unlimited(0), forever) },
	"win-unlimited-start":   func(b *topology.Builder) { aggregated(b, window.Unlimited(20), forever) },

	"win-sliding-count":      func(b *topology.Builder) { counted(b, sliding(5, 0), 5, keep(20000)) },
	"win-sliding-early-late": func(b *topology.Builder) { counted(b, sliding(20, 5), 20, keep(20000)) },
	"win-sliding-reduce":     func(b *topology.Builder) { reduced(b, sliding(10, 3), 10, keep(20000)) },
	"win-sliding-aggregate":  func(b *topology.Builder) { aggregated(b, sliding(20, 100), 20, keep(20000)) },
	"win-sliding-early":      func(b *topology.Builder) { aggregated(b, sliding(50, 100), 50, keep(20000)) },
	"win-sliding-one":        func(b *topology.Builder) { aggregated(b, sliding(1, 2), 1, keep(20000)) },

	"trace-hopping": func(b *topology.Builder) { aggregated(b, hopping(10, 5, 100), 10) },
	"trace-hopping-late": func(b *topology.Builder) {
		in(b, hopping(10, 5, 90)).Aggregate("s", stream.Zero, plus).To(timed(10, serde.String))
	},
	"win-session-count": func(b *topology.Builder) { sessionCounts(b, session(5, 0), keep(20000)) },
	"win-session-long":  func(b *topology.Builder) { sessionCounts(b, session(20000, 10000), keep(1000000)) },
	"win-session-reduce": func(b *topology.Builder) {
		inSessions(b, session(5, 3)).Reduce("s", bar, keep(20000)).To(sessions(serde.Optional(serde.String)))
	},
	"win-session-aggregate":        func(b *topology.Builder) { sessionTexts(b, session(10, 100), keep(20000)) },
	"win-session-zero-grace-merge": func(b *topology.Builder) { sessionTexts(b, session(8, 2), keep(20000)) },

	"trace-session":        func(b *topology.Builder) { sessionCounts(b, session(5, 0)) },
	"trace-session-grace":  func(b *topology.Builder) { sessionCounts(b, session(10, 1)) },
	"trace-session-bridge": func(b *topology.Builder) { sessionTexts(b, session(300000, 300000)) },

	"trace-sliding-a":    func(b *topology.Builder) { aggregated(b, sliding(10, 5), 10) },
	"trace-sliding-b":    func(b *topology.Builder) { aggregated(b, sliding(10, 50), 10) },
	"trace-sliding-c":    func(b *topology.Builder) { aggregated(b, sliding(50, 0), 50) },
	"trace-sliding-d":    func(b *topology.Builder) { aggregated(b, sliding(5, 0), 5) },
	"trace-sliding-late": func(b *topology.Builder) { aggregated(b, sliding(10, 5), 10) },
})

// forever is the size of a window without an end.
const forever = int(time.Duration(1<<63-1) / time.Millisecond)

// in is the topic in, grouped by key and windows.
func in(b *topology.Builder, w window.Windows) stream.Windowed[string, opt] {
	return source(b, "in").GroupByKey().Windowed(w)
}

// keep is WS(name, retention).
func keep(retention int) state.Options { return state.Options{Retention: ms(retention)} }

func counted(b *topology.Builder, w window.Windows, size int, opts ...state.Options) {
	in(b, w).Count("s", opts...).To(timed(size, serde.Int64))
}

func reduced(b *topology.Builder, w window.Windows, size int, opts ...state.Options) {
	in(b, w).Reduce("s", bar, opts...).To(timed(size, serde.Optional(serde.String)))
}

func aggregated(b *topology.Builder, w window.Windows, size int, opts ...state.Options) {
	in(b, w).Aggregate("s", zero, plus, opts...).To(timed(size, serde.String))
}

// inSessions is the topic in, grouped by key and sessions.
func inSessions(b *topology.Builder, w window.Sessions) stream.Sessions[string, opt] {
	return source(b, "in").GroupByKey().Sessions(w)
}

func sessionCounts(b *topology.Builder, w window.Sessions, opts ...state.Options) {
	inSessions(b, w).Count("s", opts...).To(sessions(serde.Int64))
}

func sessionTexts(b *topology.Builder, w window.Sessions, opts ...state.Options) {
	inSessions(b, w).Aggregate("s", zero, plus, bridge, opts...).To(sessions(serde.String))
}

// bridge is the merger MRG.
func bridge(_ string, x, y string) string { return "(" + x + "&" + y + ")" }

// bar is the reducer RED.
func bar(x, y opt) opt { return serde.Some(str(x) + "|" + str(y)) }

// unlessNumber is ADD, but for values whose number is a multiple of m: those delete.
func unlessNumber(m int) func(string, opt, opt) opt {
	return func(k string, v, a opt) opt {
		if num(v)%m == 0 {
			return null
		}
		return serde.Some(plus(k, v, a.Or(zero())))
	}
}

// groupKey gives a record one of n groups as its key, and every sixth none.
func groupKey(n int) func(record) record {
	return func(r record) record {
		x := num(r.Value)
		r.Key, r.NoKey = fmt.Sprint("g", x%n), false
		if x%6 == 0 {
			r.Key, r.NoKey = "", true
		}
		return r
	}
}
