package coord

import (
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// Versions of requests from which on a partition is added to the transaction by writing to it (KIP-890), and those
// that can be told to abort when it was not.
const (
	produceImplicit     = 12
	produceAbortable    = 11
	txnOffsetsImplicit  = 5
	txnOffsetsAbortable = 4
)

// AddPartitions adds partitions to the transaction of a producer, which it opens if need be. It may be answered when
// the ticket is durable.
func (s *Txns) AddPartitions(id string, producerID int64, epoch int16, parts []TopicPartition) (log.Ticket, code.Code) {
	t, c := s.known(id, producerID, epoch, code.ProducerFenced)
	if c != code.None {
		return 0, c
	}
	defer t.mu.Unlock()
	if t.ending != nil {
		return 0, code.ConcurrentTransactions
	}
	return s.include(t, 1, parts...)
}

// include makes sure that parts are in t's open transaction. t.mu must be held.
func (s *Txns) include(t *txn, version int16, parts ...TopicPartition) (log.Ticket, code.Code) {
	missing := t.state != TxnOngoing
	for _, tp := range parts {
		if _, ok := t.partitions[tp]; !ok {
			missing = true
		}
	}
	if !missing {
		return t.ticket, code.None
	}
	if len(t.partitions)+len(parts) > maxTxnPartitions {
		return 0, code.PolicyViolation
	}
	if err := s.begin(t, version, parts...); err != nil {
		s.cfg.Logf("transaction %q: %v", t.id, err)
		return 0, code.CoordinatorNotAvailable
	}
	return t.ticket, code.None
}

// AddOffsets adds the offsets of a group to the transaction of a producer.
func (s *Txns) AddOffsets(id string, producerID int64, epoch int16, group string) (log.Ticket, code.Code) {
	if group == "" {
		return 0, code.InvalidGroupID
	}
	return s.AddPartitions(id, producerID, epoch, []TopicPartition{s.offsetsPartition(group)})
}

func (s *Txns) offsetsPartition(group string) TopicPartition {
	return TopicPartition{Topic: s.cfg.OffsetsTopic, Partition: s.groups.Partition(group)}
}

// TxnAppend is a transactional batch to be written.
type TxnAppend struct {
	TransactionalID string
	ProducerID      int64
	Epoch           int16
	Partition       TopicPartition
	Version         int16        // of the produce request
	Write           func() error // appends the batch; called with the transaction locked
}

// Append writes a transactional batch while the transaction cannot end, so that no batch slips in behind the marker.
func (s *Txns) Append(a TxnAppend) error {
	t, c := s.known(a.TransactionalID, a.ProducerID, a.Epoch, code.InvalidProducerEpoch)
	if c != code.None {
		return c
	}
	defer t.mu.Unlock()
	if t.ending != nil {
		if a.Version >= produceImplicit {
			return code.ConcurrentTransactions
		}
		return code.NotEnoughReplicas
	}
	if a.Version >= produceImplicit {
		if _, c := s.include(t, 2, a.Partition); c != code.None {
			return c
		}
		return a.Write()
	}
	if !t.has(a.Partition) {
		if a.Version >= produceAbortable {
			return code.TransactionAbortable
		}
		return code.InvalidTxnState
	}
	return a.Write()
}

// has reports whether tp is in the open transaction.
func (t *txn) has(tp TopicPartition) bool {
	_, ok := t.partitions[tp]
	return ok && t.state == TxnOngoing
}

// CommitOffsets stores offsets of a group as a part of the producer's transaction. version is that of the request.
// Each commit has its own result; they may be told when the ticket is durable.
func (s *Txns) CommitOffsets(id string, producerID int64, epoch int16, version int16, from Sender, commits []Commit) ([]code.Code, log.Ticket) {
	results := make([]code.Code, len(commits))
	if from.Group == "" {
		return fill(results, code.InvalidGroupID), 0
	}
	fenced := code.ProducerFenced
	if version >= txnOffsetsImplicit {
		fenced = code.InvalidProducerEpoch
	}
	t, c := s.known(id, producerID, epoch, fenced)
	if c != code.None {
		return fill(results, c), 0
	}
	defer t.mu.Unlock()
	tp := s.offsetsPartition(from.Group)
	switch {
	case t.ending != nil:
		c = code.ConcurrentTransactions
	case version >= txnOffsetsImplicit:
		_, c = s.include(t, 2, tp)
	case t.has(tp):
	case version >= txnOffsetsAbortable:
		c = code.TransactionAbortable
	default:
		c = code.InvalidTxnState
	}
	if c != code.None {
		return fill(results, c), 0
	}
	results, ticket := s.groups.commitTxn(from, producerID, epoch, commits)
	return results, max(ticket, t.ticket)
}
