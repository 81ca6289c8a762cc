package stream_test

import (
	"testing"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// TestMistakesInTopics holds what Build says of mistakes in topics and their patterns.
func TestMistakesInTopics(t *testing.T) {
	both := shops
	both.Name = "orders"
	report(t, []mistake{
		{func(b *topology.Builder) {
			stream.From(b, topology.Topic[string, int64]{Name: "x"}).To(numbers)
		}, `topic "x": Key and Value need a serde each, use NewTopic or give them`},
		{func(b *topology.Builder) { stream.From(b, both).To(counts) }, `topic "orders" has the Pattern "^orders-\\w+$" too: give one of the two`},
		{func(b *topology.Builder) { stream.From(b, numbers).To(shops) }, `To of the pattern "^orders-\\w+$": a pattern is for stream.From; give the topic a Name`},
		{func(b *topology.Builder) { table.From(b, shops) }, `a table of the pattern "^orders-\\w+$": read it with stream.From and make a table of that, with ToTable`},
		{func(b *topology.Builder) { table.GlobalFrom(b, shops) }, `A global table or store of the pattern "^orders-\\w+$": a pattern is for stream.From; give the topic a Name`},
		{func(b *topology.Builder) {
			stream.From(b, ordersOf("rome"))
			stream.From(b, shops)
		}, `topic "orders-rome" is read already (mistakes_topics_test.go: … ), and matches the pattern "^orders-\\w+$": read it once`},
		{func(b *topology.Builder) {
			stream.From(b, shops)
			stream.From(b, topology.Topic[string, string]{Pattern: shops.Pattern, Key: serde.String, Value: serde.String})
		}, `topic "/^orders-\\w+$/" is read as string, int64 already (mistakes_topics_test.go: … ): read it once and map it`},
	})
}

// TestMistakesOfBuilders holds what is wrong with a builder as a whole: of those, the line is that of Build.
func TestMistakesOfBuilders(t *testing.T) {
	mistakes := []mistake{
		{func(*topology.Builder) {}, "the topology is empty: read a topic with stream.From or table.From"},
		{func(b *topology.Builder) {
			stream.From(b, numbers).To(counts)
			_, _ = b.Build()
		}, "Build of a topology that is already built: a Builder makes one, use topology.New again"},
	}
	for _, m := range mistakes {
		build(t, "test", m, "mistakes_test.go")
	}
	names := []mistake{
		{func(b *topology.Builder) { stream.From(b, numbers).To(counts) }, `app name: "an app": only letters, digits, '.', '_' and '-' are allowed, choose another`},
	}
	for _, m := range names {
		build(t, "an app", m, "mistakes_test.go")
	}
}
