package log

import "errors"

// Errors of Open.
var (
	// ErrLocked is returned (wrapped) by Open when another process, or this one, holds the directory; the text names
	// the holder's pid and address as it wrote them beside the lock file.
	ErrLocked = errors.New("log: data directory is locked")
	// ErrFormat says that the directory was written by a newer version, or by an older one that was killed.
	ErrFormat = errors.New("log: data directory has another format")
	// ErrCorrupt says that what was durable once cannot be read any more.
	ErrCorrupt = errors.New("log: corrupt")
)

// Errors of appends and reads; the caller maps them to Kafka's codes.
var (
	// ErrOutOfRange is an offset below the log start or above the end.
	ErrOutOfRange = errors.New("log: offset out of range")
	// ErrOffline is a storage error: the partition takes nothing any more.
	ErrOffline = errors.New("log: partition offline")
	// ErrOutOfOrder is a sequence that does not follow the producer's last: OUT_OF_ORDER_SEQUENCE_NUMBER.
	ErrOutOfOrder = errors.New("log: out of order sequence")
	// ErrProducerEpoch is an epoch older than the producer's: INVALID_PRODUCER_EPOCH.
	ErrProducerEpoch = errors.New("log: old producer epoch")
	// ErrTxnState is a non-transactional batch of a producer with an open transaction here: INVALID_TXN_STATE.
	ErrTxnState = errors.New("log: producer has an open transaction")
	// ErrDiskFull refuses an append before the disk is full; it can be retried.
	ErrDiskFull = errors.New("log: disk nearly full")
	// ErrClosed is returned once the directory is closed or the topic deleted.
	ErrClosed = errors.New("log: closed")
	// ErrExists is returned by Create for a log that is there.
	ErrExists = errors.New("log: exists")
)
