// Package topology holds the graph and the Processor API: the floor below the DSL.
//
// There are few types: a [Builder] collects nodes, a [Topic] is where records live, an [Output] is the typed handle of
// what a node emits, a [Processor] is a node of the caller's own, a [Context] is what it works with, a [Topology] is the
// finished graph.
//
// A topology is a function of a Builder:
//
//	var (
//		clicks = topology.NewTopic("clicks", serde.String, serde.String)
//		first  = topology.NewTopic("first-clicks", serde.String, serde.String)
//		seen   = state.NewKeyValue("seen", serde.String, serde.Int64)
//	)
//
//	func firsts(b *topology.Builder) {
//		topology.Source(b, clicks).Process("firsts", newFirsts, seen).Sink(first)
//	}
//
//	func newFirsts(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
//		seen := ctx.Store(seen) // a state.KeyValue[string, int64]
//		return topology.ProcessorFunc[string, string](func(r topology.Record[string, string]) error {
//			if _, again, err := seen.Get(r.Key); err != nil || again {
//				return err
//			}
//			if err := seen.Put(r.Key, int64(r.Time)); err != nil {
//				return err
//			}
//			return ctx.Forward(r)
//		}), nil
//	}
//
// stream.Main runs it, streamtest.New tests it, [Define] finishes it or returns every mistake in it, each with the
// file and line of the call.
//
// # Tasks
//
// Nodes that are connected, by edges or by a store they share, form a sub-topology. It runs as one task for each
// partition of the topics it reads. A task works on one goroutine and has processors and stores of its own, so a
// processor needs no lock.
//
// # Names
//
// What may own a topic or a store takes its name first, and the name is durable: state is found again under it. No other
// node needs one; [Output.Named] gives a label for descriptions, metrics and errors.
package topology
