package stream_test

import (
	"cmp"
	"testing"
	"time"

	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// TestMistakesInWindows holds what Build says of mistakes in windows, suppression and what goes with them.
func TestMistakesInWindows(t *testing.T) {
	day := func(at time.Time) (time.Time, time.Time) { return at, at.AddDate(0, 0, 1) }
	mistakes := []mistake{
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Sessions(window.Session(0)).Count("s0")
		}, "Sessions: window: a gap of 0s, want at least 1ms"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Calendar("days", day)).Count("w1")
		}, `Count "w1": a calendar of one's own does not say how long a window can be: give state.Options{Retention: …}, at least that and the grace`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(time.Second)).Count("w2", state.Options{}, state.Options{})
		}, `Count "w2" is given 2 Options, want one at most`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Unlimited(0)).Count("w3").Final()
		}, "Final can follow an aggregate by windows that close, and Filter, MapValues and MapWithKey behind that; elsewhere use Suppress with UntilClose"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Unlimited(0)).Count("w4").Suppress("u4", table.Suppression{UntilClose: true})
		}, `Suppress "u4" until windows close that never do: give After`},
		{func(b *topology.Builder) { table.From(b, lefts).Suppress("u5", table.Suppression{UntilClose: true}) },
			`Suppress "u5" until windows close, of a table without windows: give After`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(time.Second)).Count("w6").
				Suppress("u6", table.Suppression{UntilClose: true, MaxRecords: 1})
		}, `Suppress "u6" until windows close cannot pass on early: set Full to Stop`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(time.Second)).Count("w7").
				Suppress("u7", table.Suppression{UntilClose: true, After: time.Second})
		}, `Suppress "u7": After and UntilClose, choose one`},
		{func(b *topology.Builder) {
			table.From(b, lefts).Suppress("u8", table.Suppression{After: time.Microsecond})
		},
			`Suppress "u8": 1µs is finer than a millisecond, want whole ones`},
		{func(b *topology.Builder) { table.From(b, lefts).Suppress("u9", table.Suppression{MaxRecords: -1}) }, `Suppress "u9": negative limits: {After:0s … }; use 0 for none`},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Dedup("d", time.Microsecond, func(k string, _ int64) string { return k })
		},
			`Dedup "d" within 1µs, want whole milliseconds, at least one`},
		{func(b *topology.Builder) { stream.From(b, numbers).GroupByKey().Top("t", 0, cmp.Compare[int64]) }, `Top "t" of 0 records, want at least 1`},
		{func(b *topology.Builder) {
			g := stream.From(b, numbers).GroupBy(func(k string, _ int64) string { return k }).Windowed(window.Tumbling(time.Second))
			g.Late()
			g.Count("l1")
			g.Count("l2")
		}, "Late of a group with 2 aggregates, each behind a repartition topic of its own: Repartition first, then GroupByKey"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).Repartition("r", stream.RepartitionOptions{Partitions: -1})
		}, `Repartition "r" into -1 partitions, want 0 (as many as the sources have) or more`},
		{func(b *topology.Builder) { stream.From(b, numbers).Named("") }, "Named: empty name: give one, or leave Named out"},
		{func(b *topology.Builder) { stream.From(b, numbers).Merge(stream.From(topology.New("other"), numbers)) }, "Merge of outputs of different builders: read all of them with one"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(0)).Count("w8")
		}, "Windowed: window: size 0s, want at least 1ms"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Windowed(window.Tumbling(time.Minute)).Count("w9", state.Options{Retention: time.Second})
		}, `Count "w9": retention 1s is shorter than windows take records, want 1m0s at least`},
	}
	report(t, mistakes)
	reportAll(t, mistakes)
}
