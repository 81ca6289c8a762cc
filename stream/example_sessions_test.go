package stream_test

import (
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
