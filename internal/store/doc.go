// Package store keeps the state of tasks: typed hot tables over one Pebble database an instance, with undo for aborted
// transactions and checkpoints beside processing.
//
// There are few types. A [KV] or a [Window] is one store of one task; both are driven as a [Store]. The [DB] lies below
// all stores of an instance, the [Budget] bounds their memory, a Hasher makes the [Key] by which all of them find a
// row. A [Checkpoint] carries committed rows into the database.
//
// # A store's life
//
// A row is read and written in the hot table, which holds typed values. The first write of a row in a transaction puts
// its old value on an undo list. Flush writes the last value of each changed row to the changelog; Ended forgets the
// undo list, Abort applies it. A checkpoint, taken between transactions, writes the rows that changed since the last one
// into the database, together with the changelog position they stand for, atomically. After a crash the database stands
// for a committed prefix of the changelog, and the rest is replayed.
//
// Windows lie in a table for each start; where they overlap much, the newest of a key are cells of one row: see [ring]. Below,
// and in the changelog, both look the same.
//
// # Invariants
//
//  1. A row of the hot table equals the row below, or has a bit: of the current generation (to be written by the next
//     checkpoint), frozen (to be encoded by the one under way), or in flight (encoded, not yet below).
//  2. No value of an open transaction is in the buffer of a checkpoint.
//  3. The undo row of a dirty row is its committed value. Where the hot table had no row, the committed value is below.
//  4. The bits of a segment move with its rows. The checkpoint under way has yet to come to a segment with frozen ones.
//  5. A table is complete, or every row it does not hold and the database does is in its filter, or it has no filter yet.
//  6. A row with a bit is never evicted.
//  7. What a ring has moved on over cannot be seen, now or after an abort. If changelog or database have yet to get it, it is
//     in the table of its start, or will be there at the commit.
package store
