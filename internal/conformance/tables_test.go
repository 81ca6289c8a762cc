package conformance_test

import (
	"fmt"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

type rows = table.Table[string, string]

// kept is a table of strings with a store: KS(store).
func kept(b *topology.Builder, topic, store string) rows {
	return table.From(b, texts(topic)).Materialize(store)
}

// versioned is a table of strings that keeps versions: VS(store, history).
func versioned(b *topology.Builder, topic, store string, history int) rows {
	return table.From(b, texts(topic)).Materialize(store, keeping(history))
}

// keeping are the options of a store of versions.
func keeping(history int) state.Options { return state.Options{History: ms(history)} }

// mapped is MapValues with a function that may say null.
func mapped(t rows, f func(k, v string) opt) rows { return t.MapWithKey(f).Then(table.Present) }

func evenRow(_, v string) bool { return numOf(v)%2 == 0 }

// classed is a grouping by prefix and the number's class.
func classed(n int) func(_, v string) (string, string) {
	return func(_, v string) (string, string) { return fmt.Sprint("g", numOf(v)%n), v }
}

// add, sub and red are ADD, SUB and RED on values that are never null.
func add(_, v, a string) string { return a + "+" + v }
func sub(_, v, a string) string { return a + "-" + v }
func red(x, y string) string    { return x + "|" + y }

// summed is aggregate(Z, ADD, SUB, KS(store)).
func summed(g table.Grouped[string, string], store string) rows {
	return g.Aggregate(store, zero, add, sub)
}

// both, left and outer are J as each kind of join calls it.
func both(l, r string) string     { return l + "/" + r }
func left(l string, r opt) string { return l + "/" + str(r) }
func outer(l opt, r opt) string   { return str(l) + "/" + str(r) }
func bothOpt(l, r opt) string     { return str(l) + "/" + str(r) }
func some(v string) opt           { return serde.Some(v) }
func marked(mark string) func(string) string {
	return func(v string) string { return v + mark }
}

// leftOpt and outerOpt are J where values are Opts themselves: those of a record that is there are present.
func leftOpt(l opt, r serde.Opt[opt]) string             { return outerOpt(serde.Some(l), r) }
func outerOpt(l serde.Opt[opt], r serde.Opt[opt]) string { return str(l.Value) + "/" + str(r.Value) }
