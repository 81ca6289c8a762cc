// Package log keeps the partitions of one data directory: segments, indexes, producer state, and the one commit WAL
// that makes them durable together.
//
// There are two types to know. A [Dir] is a locked data directory; [Open] recovers it and [Dir.Close] gives it back.
// A [Partition] is one log in it: batches go in by [Partition.Append] and out by [Partition.Read]. An append does not
// wait for the disk; it returns a [Ticket], and [Dir.WaitDurable] waits for it, together with all others who wait.
//
// # How a batch becomes durable
//
// Append writes the batch to the partition's segment file, unsynced, and queues it for the WAL. One goroutine, the
// committer, writes what is queued, of all partitions, to a preallocated WAL file, syncs it once, and moves the high
// watermarks. Nothing above the high watermark is visible to readers. When a WAL file is full, the flusher syncs the
// segments of the partitions in it and writes their manifests; then the file is used again.
//
// # Invariants
//
//   - Start ≤ LSO ≤ HW ≤ End for each partition, and none of them but LSO and Start can be computed from the others.
//   - The WAL is the truth about everything at and above a partition's recovery point, its segments about everything
//     below. Recovery therefore never asks what a segment holds above the recovery point: it is written anew.
//   - After a crash the directory holds a prefix of what was queued for the WAL, over all partitions together.
//   - A manifest names only files that are there and synced; a file is removed after the manifest that lacks it is
//     durable.
//   - An index file is a cache: each entry in it has its checksum and is true by itself, and a file that is not what was
//     written is made anew by who meets it.
//   - Locks are taken in the order Dir.createMu, Partition.cleanMu, Partition.flushMu, Dir.mu, Partition.mu, wal.mu; no
//     sync happens under the last three, nor under a segment's locks that are taken under Partition.mu.
//
// # Files
//
//	LOCK, LOCK.owner             the lock, and who holds it
//	FORMAT                       version of all that follows
//	STATE                        leader epoch, and whether the last Close was clean
//	control/                     the engine's, not this package's: its socket
//	wal/NNNNNN.wal               commit WAL files
//	<topic id>-<partition>/      one log
//	    meta                     name and settings
//	    manifest                 segments, recovery point, log start, epochs, producers
//	    <base>.<gen>.log         batches
//	    <base>.<gen>.index       sparse index: a cache
//	    <base>.<gen>.txn         aborted transactions whose marker is in the segment
//	deleted-…                    logs of deleted topics, on their way out
package log
