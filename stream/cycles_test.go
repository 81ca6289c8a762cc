package stream_test

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// TestChains holds one chain for each family, each going round twice. It guards the instantiation law: were a method to
// return X[F[K], V], this file would fail to build with "instantiation cycle".
func TestChains(t *testing.T) {
	_, err := topology.Define("chains", func(b *topology.Builder) {
		in := topology.NewTopic("in", serde.String, serde.Int64)
		s := stream.From(b, in)
		minute := window.Tumbling(time.Minute)
		once := windowed.Time(serde.String, time.Minute)
		b.Use(once)
		b.Use(windowed.Time(once, time.Minute))

		w := s.GroupByKey().Windowed(minute).Count("1").Then(stream.WindowUpdates).
			GroupByKey().Windowed(minute).Count("2").Then(stream.WindowUpdates).
			GroupByKey().Windowed(minute).Count("3").Then(stream.WindowChanges)
		var _ stream.Stream[window.Key[window.Key[window.Key[string]]], table.Change[int64]] = w

		var _ stream.Stream[string, table.Change[table.Change[int64]]] = fold(s, "4").Then(stream.Changes).Then(again("5")).Then(stream.Changes)
		var _ table.Table[string, string] = s.GroupByKey().Fold("6", func(_ string, _ int64, old serde.Opt[string]) serde.Opt[string] { return old })
		var _ stream.Stream[string, int64] = s.GroupByKey().Windowed(minute).Count("7").Then(stream.Unwindowed).
			GroupByKey().Windowed(minute).Reduce("8", func(a, _ int64) int64 { return a }).Then(stream.Unwindowed)
		var _ table.Table[string, serde.Opt[serde.Opt[int64]]] = table.From(b, topology.NewTopic("accounts", serde.String, serde.Int64)).MapValues(serde.Some).MapValues(serde.Some)
		var _ stream.Stream[string, int64] = s.JoinTable("9", table.From(b, topology.NewTopic("rows", serde.String, serde.Int64)),
			func(a, b int64) int64 { return a + b }).Then(mine).Then(mine)
		s.MapValues(serde.Some).To(topology.Nullable(topology.NewTopic("out", serde.String, serde.Int64)))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// fold makes a table of the last value of each key.
func fold[K, V any](s stream.Stream[K, V], name string) table.Table[K, V] {
	return s.GroupByKey().Reduce(name, func(_, v V) V { return v })
}

func again(name string) func(stream.Stream[string, table.Change[int64]]) table.Table[string, table.Change[int64]] {
	return func(s stream.Stream[string, table.Change[int64]]) table.Table[string, table.Change[int64]] {
		return fold(s, name)
	}
}

// mine is a user's operator; it chains like those of the library.
func mine[K, V any](s stream.Stream[K, V]) stream.Stream[K, V] {
	return s.Filter(func(K, V) bool { return true })
}
