package coord

import (
	"maps"
	"slices"
	"time"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// End is an EndTxn request.
type End struct {
	ID         string
	ProducerID int64
	Epoch      int16
	Commit     bool
	// Bumps says that the client speaks version 2 of the protocol (EndTxn v5): every end gives it a new epoch.
	Bumps bool
}

// End ends the transaction of a producer and returns its id and epoch from now on. It may be answered when the ticket
// is durable; all that the transaction wrote is visible, or gone, by then.
func (s *Txns) End(e End) (Inited, code.Code) {
	if e.ID == "" {
		return Inited{}, code.InvalidRequest
	}
	spare := int64(-1)
	if e.Bumps {
		var c code.Code
		if spare, c = s.spareID(e.ID, false); c != code.None {
			return Inited{}, c
		}
	}
	t, c := s.lock(e.ID, false)
	if c != code.None {
		return Inited{}, c
	}
	defer t.mu.Unlock()
	retry, c := t.mayEnd(&e)
	if c != code.None {
		return Inited{}, c
	}
	done := Inited{ProducerID: t.producerID, Epoch: t.epoch, Ticket: t.ticket}
	answered, c := t.endedAlready(&e, retry)
	if c != code.None {
		return Inited{}, c
	}
	if answered {
		return done, code.None
	}
	plan, nextID, nextEpoch, version := ending{commit: e.Commit, producerID: t.producerID, epoch: t.epoch}, t.producerID, t.epoch, int16(1)
	if e.Bumps {
		plan.epoch, nextEpoch, version = t.epoch+1, t.epoch+1, 2
		if t.epoch >= lastEpoch {
			if spare < 0 {
				return Inited{}, code.ConcurrentTransactions
			}
			nextID, nextEpoch = spare, 0
		}
	}
	if err := s.prepare(t, plan, nextID, nextEpoch, version); err != nil {
		s.cfg.Logf("transaction %q: %v", t.id, err)
		return Inited{}, code.CoordinatorNotAvailable
	}
	return Inited{ProducerID: nextID, Epoch: nextEpoch, Ticket: t.ticket}, code.None
}

// mayEnd checks who asks. A client of version 2 whose answer was lost asks again with the epoch before.
func (t *txn) mayEnd(e *End) (retry bool, c code.Code) {
	bumped := e.Bumps && t.version >= 2
	switch {
	case e.ProducerID == t.producerID && e.Epoch == t.epoch:
		return false, code.None
	case bumped && e.ProducerID == t.producerID && e.Epoch == t.epoch-1:
		return true, code.None
	case bumped && e.ProducerID == t.prevID && e.Epoch == lastEpoch && t.epoch == 0:
		return true, code.None
	case e.ProducerID != t.producerID:
		return false, code.InvalidProducerIDMapping
	}
	return false, code.ProducerFenced
}

// endedAlready settles the request if there is nothing to end: true if it is answered as it stands.
func (t *txn) endedAlready(e *End, retry bool) (bool, code.Code) {
	switch t.state {
	case TxnOngoing:
		if retry {
			return false, code.ProducerFenced // the client began another transaction since
		}
		return false, code.None
	case TxnPrepareCommit, TxnPrepareAbort:
		if e.Commit == (t.state == TxnPrepareCommit) {
			return false, code.ConcurrentTransactions
		}
		return false, code.InvalidTxnState
	case TxnCompleteCommit, TxnCompleteAbort:
		same := e.Commit == (t.state == TxnCompleteCommit)
		if same && (retry || !e.Bumps) {
			return true, code.None
		}
		if retry || !e.Bumps {
			return false, code.InvalidTxnState
		}
	}
	// Version 2 may abort a transaction that was never begun, and gets its new epoch.
	if e.Bumps && !e.Commit && !retry {
		return false, code.None
	}
	return false, code.InvalidTxnState
}

// prepare writes down how the transaction ends, and ends it so. The producer is known by its next id and epoch at once:
// one that begins again before all markers are written is asked to wait, not fenced. t.mu must be held.
func (s *Txns) prepare(t *txn, plan ending, nextID int64, nextEpoch, version int16) error {
	before := t.progress
	plan.outstanding = maps.Clone(t.partitions)
	if t.state != TxnOngoing {
		plan.outstanding = nil
		t.started = s.clock.Now()
		t.partitions = nil
	}
	t.state = TxnPrepareAbort
	if plan.commit {
		t.state = TxnPrepareCommit
	}
	t.version, t.ending, t.prevEpoch = version, &plan, -1
	if nextEpoch != t.epoch {
		t.prevEpoch = t.epoch
	}
	if nextID != t.producerID {
		t.prevID = t.producerID
	}
	t.producerID, t.epoch = nextID, nextEpoch
	if err := s.save(t); err != nil {
		t.progress = before
		return err
	}
	t.timer.cancel()
	s.finish(t)
	return nil
}

// markerRetry is how long a marker that could not be written waits for the next try.
const markerRetry = time.Second

// finish writes the markers that are missing and completes the transaction. Until all are written it tries again and
// the transactional id takes no other. t.mu must be held.
func (s *Txns) finish(t *txn) {
	e := t.ending
	for _, tp := range slices.SortedFunc(maps.Keys(e.outstanding), compareTP) {
		ticket, err := s.mark(tp, e)
		if err != nil {
			s.cfg.Logf("transaction %q: marker for %s-%d: %v", t.id, tp.Topic, tp.Partition, err)
			continue
		}
		t.ticket = max(t.ticket, ticket)
		delete(e.outstanding, tp)
	}
	if len(e.outstanding) > 0 {
		s.retry(t)
		return
	}
	before := t.progress
	t.state = TxnCompleteAbort
	if e.commit {
		t.state = TxnCompleteCommit
	}
	t.partitions, t.ending = nil, nil
	if err := s.save(t); err != nil {
		s.cfg.Logf("transaction %q: %v", t.id, err)
		t.progress = before
		s.retry(t)
		return
	}
	if e.commit {
		s.committed.Add(1)
	} else {
		s.aborted.Add(1)
	}
}

func (s *Txns) retry(t *txn) {
	t.timer.cancel()
	t.timer = s.after(t, markerRetry, func() {
		if t.ending != nil {
			s.finish(t)
		}
	})
}

// mark writes the marker of one partition. A partition whose topic was deleted needs none.
func (s *Txns) mark(tp TopicPartition, e *ending) (log.Ticket, error) {
	p := s.cfg.Partition(tp)
	if p == nil {
		return 0, nil
	}
	done, err := p.EndTxn(e.producerID, e.epoch, e.commit, s.dir.LeaderEpoch())
	if err != nil {
		return 0, err
	}
	if tp.Topic == s.cfg.OffsetsTopic {
		s.groups.endTxn(tp.Partition, e.producerID, e.commit, done.Ticket)
	}
	return done.Ticket, nil
}

// fenceAndAbort aborts the open transaction under an epoch that no client has, nor gets by asking again. t.mu must be
// held.
func (s *Txns) fenceAndAbort(t *txn) error {
	fence := t.epoch + 1
	if err := s.prepare(t, ending{producerID: t.producerID, epoch: fence}, t.producerID, fence, t.version); err != nil {
		return err
	}
	t.prevEpoch = -1
	return nil
}
