package conformance_test

import (
	"strconv"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// The names of this file are those of the cases' code: see the recordings' own page. A value may be null anywhere, so
// values are Opts, and a null is the text "null" in a concatenation.

type (
	opt    = serde.Opt[string]
	record = topology.Record[string, opt]
)

// null is a value that is not there.
var null opt

// source reads a topic of strings.
func source(b *topology.Builder, name string) stream.Stream[string, opt] {
	return stream.From(b, nullable(name))
}

// nullable is a topic of strings, null values included.
func nullable(name string) topology.Topic[string, opt] { return topology.Nullable(texts(name)) }

// texts is a topic of strings.
func texts(name string) topology.Topic[string, string] {
	return topology.NewTopic(name, serde.String, serde.String)
}

// longs is a topic of strings and numbers.
func longs(name string) topology.Topic[string, int64] {
	return topology.NewTopic(name, serde.String, serde.Int64)
}

// timed is the topic out of a windowed table: PW(size, v).
func timed[V any](size int, v serde.Serde[V]) topology.Topic[window.Key[string], V] {
	return topology.NewTopic("out", windowed.Time(serde.String, ms(size)), v)
}

// sessions is the topic out of a table of sessions: PSS(v).
func sessions[V any](v serde.Serde[V]) topology.Topic[window.Key[string], V] {
	return topology.NewTopic("out", windowed.Session(serde.String), v)
}

func tumbling(size, grace int) window.Windows { return window.Tumbling(ms(size)).Grace(ms(grace)) }

func hopping(size, advance, grace int) window.Windows {
	return window.Hopping(ms(size), ms(advance)).Grace(ms(grace))
}

// str is v in a concatenation.
func str(v opt) string { return v.Or("null") }

// keyOf is the key of r in a concatenation.
func keyOf(r record) string {
	if r.NoKey {
		return "null"
	}
	return r.Key
}

// num is the decimal number at the end of v, 0 if there is none.
func num(v opt) int { return numOf(v.Value) }

func numOf(s string) int {
	i := len(s)
	for i > 0 && s[i-1] >= '0' && s[i-1] <= '9' {
		i--
	}
	n, _ := strconv.Atoi(s[i:]) // "" is 0
	return n
}

// even reports whether v is a value whose number is even.
func even(v opt) bool { return v.OK && num(v)%2 == 0 }

// zero is the initial value Z.
func zero() string { return "0" }

// plus is the aggregator ADD.
func plus(_ string, v opt, a string) string { return a + "+" + str(v) }

// ms is a duration in event time.
func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func sliding(difference, grace int) window.Windows {
	return window.Sliding(ms(difference)).Grace(ms(grace))
}

func session(gap, grace int) window.Sessions { return window.Session(ms(gap)).Grace(ms(grace)) }
