// Package stream is the DSL: streams of records, what one does with them, and the app that runs it all.
//
// There are few types: a [Stream] is a typed handle on records, [Grouped] and [Windowed] stand on the way from a stream
// to a table, an [App] is a running instance, a [Config] is how it runs. The smallest program:
//
//	var (
//		lines  = topology.NewTopic("lines", serde.None, serde.String)
//		counts = topology.NewTopic("word-counts", serde.String, serde.Int64)
//	)
//
//	func words(b *topology.Builder) {
//		stream.From(b, lines).
//			MapValues(strings.ToLower).
//			FlatMapValues(strings.FieldsSeq).
//			GroupBy(func(_ serde.Void, word string) string { return word }).
//			Count("counts").
//			To(counts)
//	}
//
//	func main() { stream.Main("wordcount", words, stream.Config{}) }
//
// With no brokers configured it runs on a log engine of its own, in this process, durable under Config.Dir; with
// Config.Brokers the same program runs on Apache Kafka or Redpanda. Start more instances and they share the work.
//
// # Guarantees
//
// Results are exactly-once: state, output and positions in the input move together in a transaction, every
// Config.CommitInterval, or as soon as the inputs have run dry. Effects outside of the topics (ForEach, Peek) are at
// least once.
//
// # Keys and partitions
//
// Records of equal keys meet in one task. Operators that need that (aggregates, joins) send the records through a topic
// of the app's own if the key has changed since the source: Map, SelectKey, GroupBy and Process say that it has,
// MapValues and Filter that it has not.
//
// # Failures
//
// What a callback returns as an error, a panic in it, and a record that does not decode go to Config.Errors: stop at the
// record (the default, naming topic-partition@offset), skip and count it, or put it into the dead-letter topic within the
// same transaction.
package stream
