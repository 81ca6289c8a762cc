package stream_test

import (
	"fmt"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// perSession is a topic of sessions.
var perSession = topology.NewTopic("per-session", windowed.Session(serde.String), serde.Int64)

// sessionsOf groups numbers by sessions with a gap of 5 ms.
func sessionsOf(b *topology.Builder) stream.Sessions[string, int64] {
	return stream.From(b, numbers).GroupByKey().Sessions(window.Session(5 * ms))
}

// showSessions puts numbers and prints the sessions they make.
func showSessions(define func(*topology.Builder) table.Windowed[string, int64]) {
	streamtest.Example(func(b *topology.Builder) { define(b).To(perSession) }, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(0, "a", 1)
		in.PutAt(4, "a", 2)
		in.PutAt(20, "a", 7)
		d.Topic(perSession).Print()
	})
}

func ExampleGrouped_Sessions() {
	showSessions(func(b *topology.Builder) table.Windowed[string, int64] {
		return stream.From(b, numbers).GroupByKey().Sessions(window.Session(5 * ms)).Count("visits")
	})
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00Z} 1
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00Z} null
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.004Z} 2
	// {a 1970-01-01T00:00:00.02Z 1970-01-01T00:00:00.02Z} 1
}

func ExampleSessions_Count() {
	showSessions(func(b *topology.Builder) table.Windowed[string, int64] { return sessionsOf(b).Count("visits").Final() })
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.004Z} 2
}

func ExampleSessions_Sum() {
	showSessions(func(b *topology.Builder) table.Windowed[string, int64] {
		return sessionsOf(b).Sum("sums", func(n int64) int64 { return 10 * n }).Final()
	})
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.004Z} 30
}

func ExampleSessions_Top() {
	showSessions(func(b *topology.Builder) table.Windowed[string, int64] {
		return sessionsOf(b).Top("top", 1, func(a, b int64) int { return int(a - b) }).
			MapValues(func(top []int64) int64 { return top[0] }).Final()
	})
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.004Z} 2
}

func ExampleSessions_Reduce() {
	showSessions(func(b *topology.Builder) table.Windowed[string, int64] {
		return sessionsOf(b).Reduce("sums", func(a, b int64) int64 { return a + b }).Final()
	})
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.004Z} 3
}

func ExampleSessions_Aggregate() {
	showSessions(func(b *topology.Builder) table.Windowed[string, int64] {
		add := func(_ string, n, sum int64) int64 { return sum + n }
		return sessionsOf(b).Aggregate("sums", stream.Zero, add, add).Final()
	})
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.004Z} 3
}

func ExampleSessions_Then() {
	count := func(s stream.Sessions[string, int64]) table.Windowed[string, int64] { return s.Count("visits") }
	showSessions(func(b *topology.Builder) table.Windowed[string, int64] { return sessionsOf(b).Then(count).Final() })
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.004Z} 2
}

func ExampleSessions_Late() {
	streamtest.Example(func(b *topology.Builder) {
		s := sessionsOf(b)
		s.Count("visits").To(perSession)
		s.Late().To(others)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.PutAt(20, "a", 7)
		in.PutAt(0, "a", 1) // a session that ended at 0 closed at 5
		d.Topic(others).Print()
	})
	// Output:
	// a 1
}

// both are numbers and more, added up by key.
func both(b *topology.Builder) stream.Cogrouped[string, int64] {
	add := func(_ string, n, sum int64) int64 { return sum + n }
	subtract := func(_ string, n, sum int64) int64 { return sum - n }
	return stream.From(b, numbers).GroupByKey().Cogroup(add).And(stream.From(b, more).GroupByKey(), subtract)
}

// showBoth puts into numbers and more, and prints what comes out.
func showBoth[K any](define func(*topology.Builder), out topology.Topic[K, int64]) {
	streamtest.Example(define, func(d *streamtest.Driver) {
		d.Topic(numbers).PutAt(1, "a", 5)
		d.Topic(more).PutAt(2, "a", 2)
		d.Topic(numbers).PutAt(12, "a", 1)
		d.Topic(out).Print()
	})
}

func ExampleGrouped_Cogroup() {
	showBoth(func(b *topology.Builder) {
		add := func(_ string, n, sum int64) int64 { return sum + n }
		stream.From(b, numbers).GroupByKey().Cogroup(add).
			And(stream.From(b, more).GroupByKey(), add).
			Aggregate("sums", stream.Zero).To(results)
	}, results)
	// Output:
	// a 5
	// a 7
	// a 8
}

func ExampleCogrouped_And() {
	showBoth(func(b *topology.Builder) { both(b).Aggregate("balance", stream.Zero).To(results) }, results)
	// Output:
	// a 5
	// a 3
	// a 4
}

func ExampleCogrouped_Aggregate() {
	showBoth(func(b *topology.Builder) {
		both(b).Aggregate("balance", func() int64 { return 100 }).To(results)
	}, results)
	// Output:
	// a 105
	// a 103
	// a 104
}

func ExampleCogrouped_Then() {
	showBoth(func(b *topology.Builder) {
		both(b).Then(func(c stream.Cogrouped[string, int64]) table.Table[string, int64] {
			return c.Aggregate("balance", stream.Zero)
		}).To(results)
	}, results)
	// Output:
	// a 5
	// a 3
	// a 4
}

func ExampleCogrouped_Windowed() {
	showBoth(func(b *topology.Builder) {
		both(b).Windowed(window.Tumbling(10*ms)).Aggregate("balance", stream.Zero).To(perWindow)
	}, perWindow)
	// Output:
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} 5
	// {a 1970-01-01T00:00:00Z 1970-01-01T00:00:00.01Z} 3
	// {a 1970-01-01T00:00:00.01Z 1970-01-01T00:00:00.02Z} 1
}

func ExampleCogroupedWindows_Aggregate() {
	showBoth(func(b *topology.Builder) {
		both(b).Windowed(window.Tumbling(10*ms)).Aggregate("balance", func() int64 { return 100 }).
			Then(stream.Unwindowed).To(results)
	}, results)
	// Output:
	// a 105
	// a 103
	// a 101
}

func ExampleCogrouped_Sessions() {
	showBoth(func(b *topology.Builder) {
		merge := func(_ string, a, b int64) int64 { return a + b }
		both(b).Sessions(window.Session(5*ms)).Aggregate("balance", stream.Zero, merge).Then(stream.Unwindowed).To(results)
	}, results)
	// Output:
	// a 5
	// a 3
	// a 1
}

func ExampleCogroupedSessions_Aggregate() {
	showBoth(func(b *topology.Builder) {
		merge := func(_ string, a, b int64) int64 { return a + b }
		both(b).Sessions(window.Session(5*ms)).Aggregate("balance", stream.Zero, merge).To(perSession)
	}, perSession)
	// Output:
	// {a 1970-01-01T00:00:00.001Z 1970-01-01T00:00:00.001Z} 5
	// {a 1970-01-01T00:00:00.001Z 1970-01-01T00:00:00.001Z} null
	// {a 1970-01-01T00:00:00.001Z 1970-01-01T00:00:00.002Z} 3
	// {a 1970-01-01T00:00:00.012Z 1970-01-01T00:00:00.012Z} 1
}

// counts by key and by window, of sums and of the greatest.
func ExampleGrouped_Sum() {
	showNumbers(func(b *topology.Builder) {
		stream.From(b, numbers).GroupByKey().Sum("sums", func(n int64) int64 { return n }).To(results)
	})
	// Output:
	// a 1
	// a 3
	// a 10
}

func ExampleGrouped_Top() {
	showNumbers(func(b *topology.Builder) {
		stream.From(b, numbers).GroupByKey().Top("top", 2, func(a, b int64) int { return int(a - b) }).
			MapValues(func(top []int64) string { return fmt.Sprint(top) }).To(labels)
	})
	// Output:
	// a [1]
	// a [2 1]
	// a [7 2]
}

func ExampleWindowed_Sum() {
	showNumbers(func(b *topology.Builder) {
		stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(10*ms)).
			Sum("sums", func(n int64) int64 { return n }).Then(stream.Unwindowed).To(results)
	})
	// Output:
	// a 1
	// a 3
	// a 7
}

func ExampleWindowed_Top() {
	showNumbers(func(b *topology.Builder) {
		stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(10*ms)).
			Top("top", 1, func(a, b int64) int { return int(a - b) }).
			MapValues(func(top []int64) int64 { return top[0] }).Then(stream.Unwindowed).To(results)
	})
	// Output:
	// a 1
	// a 2
	// a 7
}

func ExampleStream_Dedup() {
	showNumbers(func(b *topology.Builder) {
		stream.From(b, numbers).Dedup("once", 10*ms, func(_ string, n int64) bool { return n > 1 }).To(results)
	})
	// Output:
	// a 1
	// a 2
	// a 7
}

// showNumbers puts numbers and prints what comes out.
func showNumbers(define func(*topology.Builder)) {
	streamtest.Example(define, func(d *streamtest.Driver) {
		in, out, text := d.Topic(numbers), d.Topic(results), d.Topic(labels)
		in.PutAt(0, "a", 1)
		in.PutAt(4, "a", 2)
		in.PutAt(20, "a", 7)
		out.Print()
		text.Print()
	})
}
