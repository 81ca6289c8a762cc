package kafka

import (
	"errors"
	"io"
	"net"
	"os"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What a transaction can end in, beside success. Test with errors.Is.
var (
	// ErrFenced: somebody else has this producer's id, or the member is no longer in the group. What it had is lost.
	ErrFenced = errors.New("kafka: fenced")
	// ErrAborted: the transaction did not happen and the producer can go on.
	ErrAborted = errors.New("kafka: transaction aborted")
	// ErrUnknown: it cannot be known whether the transaction was committed.
	ErrUnknown = errors.New("kafka: outcome of the transaction unknown")
	// ErrGeneration: the group is between two generations; wait for the next and commit again.
	ErrGeneration = errors.New("kafka: the group is rebalancing")
)

// retriable reports whether the same request may succeed later: errors of the cluster's that pass, and broken
// connections.
func retriable(err error) bool {
	if kerr.IsRetriable(err) {
		return true
	}
	for _, e := range []error{
		kerr.UnstableOffsetCommit, kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator,
		kerr.CoordinatorNotAvailable, kerr.UnknownTopicID, kerr.KafkaStorageError,
		io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, os.ErrDeadlineExceeded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	var op *net.OpError
	return errors.As(err, &op) || kgo.IsRetryableBrokerErr(err)
}

// fenced reports whether err says that this producer or member has been replaced.
func fenced(err error) bool {
	for _, e := range []error{
		kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.FencedInstanceID, kerr.UnknownMemberID,
		kerr.InvalidProducerIDMapping, kerr.TransactionalIDAuthorizationFailed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// final reports whether err keeps a member out of its group for good.
func final(err error) bool {
	for _, e := range []error{
		kerr.FencedInstanceID, kerr.GroupAuthorizationFailed, kerr.InconsistentGroupProtocol, kerr.InvalidGroupID,
		kerr.InvalidSessionTimeout, kerr.GroupMaxSizeReached,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// rebalancing reports whether err says that the group has moved on, or is moving.
func rebalancing(err error) bool {
	return errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.RebalanceInProgress)
}
