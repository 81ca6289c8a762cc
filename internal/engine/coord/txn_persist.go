package coord

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/journal"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// Versions of the records of the transaction topic.
const (
	txnKeyVersion   = 0
	txnValueVersion = 1
)

func txnKey(id string) []byte {
	k := kmsg.NewTxnMetadataKey()
	k.Version, k.TransactionalID = txnKeyVersion, id
	return k.AppendTo(nil)
}

// save writes the transaction as it is now. In a Prepare state the record has the producer id and epoch of the markers,
// so that they can be written again after a crash, and the next ones beside them. t.mu must be held.
func (s *Txns) save(t *txn) error {
	t.updated = s.clock.Now()
	v := kmsg.NewTxnMetadataValue()
	v.Version, v.State = txnValueVersion, kmsg.TransactionState(t.state)
	v.ProducerID, v.ProducerEpoch, v.PreviousProducerID = t.producerID, t.epoch, t.prevID
	if e := t.ending; e != nil {
		v.ProducerID, v.ProducerEpoch = e.producerID, e.epoch
		v.NextProducerID, v.NextProducerEpoch = t.producerID, t.epoch
	}
	v.TimeoutMillis = int32(t.timeout.Milliseconds())
	v.ClientTransactionVersion = t.version
	v.LastUpdateTimestamp, v.StartTimestamp = t.updated.UnixMilli(), -1
	if !t.started.IsZero() {
		v.StartTimestamp = t.started.UnixMilli()
	}
	for _, tp := range slices.SortedFunc(maps.Keys(t.partitions), compareTP) {
		if n := len(v.Topics); n == 0 || v.Topics[n-1].Topic != tp.Topic {
			topic := kmsg.NewTxnMetadataValueTopic()
			topic.Topic = tp.Topic
			v.Topics = append(v.Topics, topic)
		}
		last := &v.Topics[len(v.Topics)-1]
		last.Partitions = append(last.Partitions, tp.Partition)
	}
	ticket, err := s.journal(t.id).Append(journal.Entry{Key: txnKey(t.id), Value: v.AppendTo(nil)})
	if err != nil {
		return err
	}
	t.ticket = max(t.ticket, ticket)
	return nil
}

func (s *Txns) tombstone(t *txn) error {
	_, err := s.journal(t.id).Append(journal.Entry{Key: txnKey(t.id)})
	return err
}

// replay applies what one partition of the transaction topic says.
func (s *Txns) replay(p *log.Partition) error {
	var r batch.Record
	err := journal.Replay(p, func(b journal.Replayed) error {
		for b.Marker == nil && b.Reader.Next(&r) {
			if err := s.replayRecord(r.Key, r.Value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("coord: %w", err)
	}
	return nil
}

func (s *Txns) replayRecord(key, value []byte) error {
	k := kmsg.NewTxnMetadataKey()
	if err := k.ReadFrom(key); err != nil {
		return fmt.Errorf("coord: transaction key: %w", err)
	}
	if value == nil {
		delete(s.txns, k.TransactionalID)
		return nil
	}
	v := kmsg.NewTxnMetadataValue()
	if err := v.ReadFrom(value); err != nil {
		return fmt.Errorf("coord: transaction %q: %w", k.TransactionalID, err)
	}
	if v.State < 0 || int(v.State) >= len(txnStateNames) {
		return fmt.Errorf("coord: transaction %q has state %d: written by a newer version?", k.TransactionalID, v.State)
	}
	t := newTxn(k.TransactionalID)
	t.producerID, t.epoch, t.prevID = v.ProducerID, v.ProducerEpoch, v.PreviousProducerID
	t.version, t.state = v.ClientTransactionVersion, TxnState(v.State)
	t.timeout = time.Duration(v.TimeoutMillis) * time.Millisecond
	t.updated = time.UnixMilli(v.LastUpdateTimestamp)
	if v.StartTimestamp >= 0 {
		t.started = time.UnixMilli(v.StartTimestamp)
	}
	t.partitions = map[TopicPartition]struct{}{}
	for _, topic := range v.Topics {
		for _, p := range topic.Partitions {
			t.partitions[TopicPartition{topic.Topic, p}] = struct{}{}
		}
	}
	if t.state == TxnPrepareCommit || t.state == TxnPrepareAbort {
		t.ending = &ending{
			commit: t.state == TxnPrepareCommit, producerID: v.ProducerID, epoch: v.ProducerEpoch, outstanding: maps.Clone(t.partitions),
		}
		if v.NextProducerID >= 0 && v.NextProducerID != v.ProducerID {
			t.prevID = v.ProducerID
		}
		if v.NextProducerID >= 0 {
			t.producerID, t.epoch = v.NextProducerID, v.NextProducerEpoch
		}
	}
	s.txns[t.id] = t
	return nil
}
