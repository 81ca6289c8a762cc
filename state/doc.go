// Package state declares stores and reads them: from a processor ([Spec] and the store kinds), and from outside ([Rows]).
//
// There are few types. A [Spec] declares a store under a durable name; it is the handle by which a processor gets the
// typed store. [KeyValue], [Timestamped], [Versioned], [Window], [Session] and [Timers] are the kinds of stores; [New] makes one's own. A
// [Backend] puts a storage tier of one's own below them. [Rows] and [WindowRows] answer questions
// from outside, through a [Client]. The smallest program, which passes on what it has not seen yet:
//
//	var (
//		events = topology.NewTopic("events", serde.String, serde.String)
//		fresh  = topology.NewTopic("events-fresh", serde.String, serde.String)
//		seen   = state.NewKeyValue("seen", serde.String, serde.Bool)
//	)
//
//	func dedup(b *topology.Builder) {
//		topology.Source(b, events).Process("dedup", newDedup, seen).Sink(fresh)
//	}
//
//	func newDedup(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
//		seen := ctx.Store(seen) // a state.KeyValue[string, bool]
//		return topology.ProcessorFunc[string, string](func(r topology.Record[string, string]) error {
//			if _, again, err := seen.Get(r.Key); again || err != nil {
//				return err
//			}
//			return errors.Join(seen.Put(r.Key, true), ctx.Forward(r))
//		}), nil
//	}
//
//	func main() { stream.Main("dedup", dedup, stream.Config{}) }
//
// # What a store promises
//
// A store belongs to one task, and so does each partition of it: no locks, and no other goroutine may use the handle.
// What is written becomes durable, and visible from outside, with the commit of the records that caused it; if these are
// aborted the store is as before. After a crash it is restored from its checkpoint on disk and the rest of its
// changelog.
//
// # Values
//
// The store keeps values as they are, not their encoding. So a value must not be changed in place after it was put, nor
// after it was got: maps, slices and what pointers lead to included. Put a changed copy instead. Values without pointers
// (numbers, arrays and structs of them) are by far the fastest: the garbage collector never looks at them.
//
// # Nulls
//
// A value that its serde writes as null is a delete. A key must not be null.
//
// # Expiry
//
// With Options.TTL a row is deleted once the store has seen a time more than so long after the row's own: that of the last
// record that wrote it. What is over goes before the record that shows it is processed, by time and then key bytes. Each is a
// deletion like any other; those of a table are passed on. A processor's store goes by the records of the processor.
//
// # Order
//
// Stores are ordered by the bytes of their encoded keys: strings as one expects, non-negative integers as numbers.
// Negative ones come after the others.
package state
