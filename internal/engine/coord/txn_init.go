package coord

import (
	"time"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// Init is an InitProducerID request with a transactional id.
type Init struct {
	ID      string
	Timeout time.Duration
	// ProducerID and Epoch are those the client has, to go on with (KIP-360); -1: none.
	ProducerID int64
	Epoch      int16
}

// Inited is the answer to an Init. It may be given once Ticket is durable.
type Inited struct {
	ProducerID int64
	Epoch      int16
	Ticket     log.Ticket
}

// Init gives a producer its id and epoch, and fences whoever had the transactional id before. An open transaction is
// aborted first.
func (s *Txns) Init(q Init) (Inited, code.Code) {
	switch {
	case q.ID == "":
		return Inited{}, code.InvalidRequest
	case q.Timeout <= 0 || q.Timeout > s.cfg.MaxTimeout:
		return Inited{}, code.InvalidTransactionTimeout
	case q.ProducerID >= 0 != (q.Epoch >= 0):
		return Inited{}, code.InvalidRequest
	}
	// A new id may be needed, and to get one may take the disk: so before anything is locked.
	spare, c := s.spareID(q.ID, true)
	if c != code.None {
		return Inited{}, c
	}
	t, c := s.lock(q.ID, true)
	if c != code.None {
		return Inited{}, c
	}
	defer t.mu.Unlock()
	retry, c := t.mayInit(&q)
	if c != code.None {
		return Inited{}, c
	}
	if t.state == TxnOngoing {
		if err := s.fenceAndAbort(t); err != nil {
			s.cfg.Logf("transaction %q: %v", t.id, err)
			return Inited{}, code.CoordinatorNotAvailable
		}
	}
	if t.ending != nil {
		return Inited{}, code.ConcurrentTransactions
	}
	return s.bump(t, &q, retry, spare)
}

// mayInit reports whether the producer that names itself is the current one, or its retry: then the answer to the
// first try was lost and is given again.
func (t *txn) mayInit(q *Init) (retry bool, c code.Code) {
	if q.ProducerID < 0 || t.epoch < 0 {
		return false, code.None
	}
	if q.ProducerID == t.producerID && q.Epoch == t.epoch {
		return false, code.None
	}
	lost := q.ProducerID == t.producerID && q.Epoch == t.prevEpoch ||
		q.ProducerID == t.prevID && q.Epoch >= lastEpoch && t.epoch == 0
	if !lost || t.state == TxnOngoing {
		return false, code.ProducerFenced
	}
	return true, code.None
}

// bump gives the producer its next epoch, or a new id when there is none.
func (s *Txns) bump(t *txn, q *Init, retry bool, spare int64) (Inited, code.Code) {
	before := t.progress
	switch {
	case retry:
	case t.epoch < 0 || t.epoch >= lastEpoch:
		if spare < 0 {
			return Inited{}, code.ConcurrentTransactions
		}
		t.prevID, t.prevEpoch = t.producerID, -1
		t.producerID, t.epoch = spare, 0
	default:
		t.prevEpoch = -1
		if q.ProducerID >= 0 {
			t.prevEpoch = q.Epoch
		}
		t.epoch++
	}
	t.timeout, t.state, t.partitions = q.Timeout, TxnEmpty, nil
	if err := s.save(t); err != nil {
		s.cfg.Logf("transaction %q: %v", t.id, err)
		t.progress = before
		return Inited{}, code.CoordinatorNotAvailable
	}
	return Inited{ProducerID: t.producerID, Epoch: t.epoch, Ticket: t.ticket}, code.None
}

// spareID returns a fresh producer id if the transactional id is about to need one, else -1.
func (s *Txns) spareID(id string, create bool) (int64, code.Code) {
	t, c := s.lock(id, create)
	if c != code.None {
		return -1, c
	}
	// A fence on the way may take one epoch more.
	needed := t.epoch < 0 || t.epoch >= lastEpoch-1
	t.mu.Unlock()
	if !needed {
		return -1, code.None
	}
	spare, err := s.cfg.NextProducerID()
	if err != nil {
		s.cfg.Logf("transaction %q: %v", id, err)
		return -1, code.CoordinatorNotAvailable
	}
	return spare, code.None
}
