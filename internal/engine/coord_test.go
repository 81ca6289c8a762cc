package engine

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/journal"
)

// TestPreparedTransactionIsFinishedAtTheNextStart puts the engine where a crash between decision and markers leaves it:
// the decision is in the log, no marker is.
func TestPreparedTransactionIsFinishedAtTheNextStart(t *testing.T) {
	for _, commit := range []bool{true, false} {
		fs := vfs.NewMem()
		e := openAt(t, fs, "data", testConfig())
		createTopic(t, e, "in", 1, nil)
		c := client(t, e)
		id, epoch := initProducer(t, c, "teller")
		commitInTxn(t, c, "teller", "g", id, epoch, 42)
		state := kmsg.TransactionStatePrepareAbort
		if commit {
			state = kmsg.TransactionStatePrepareCommit
		}
		writeTxnRecord(t, e, "teller", id, epoch+1, state)
		c.Close()
		closeEngine(t, e)

		e = openAt(t, fs, "data", testConfig())
		c = client(t, e)
		want, wantState := "-1", "CompleteAbort"
		if commit {
			want, wantState = "42", "CompleteCommit"
		}
		if got := fetchOffset(t, c, "g", true); got != want {
			t.Errorf("commit %t: offset %s, want %s", commit, got, want)
		}
		txns, err := kadm.NewClient(c).DescribeTransactions(testContext(t), "teller")
		if err != nil {
			t.Fatal(err)
		}
		if x := txns["teller"]; x.State != wantState || x.ProducerEpoch != epoch+1 {
			t.Errorf("commit %t: %s at epoch %d", commit, x.State, x.ProducerEpoch)
		}
	}
}

// writeTxnRecord writes the state of a transaction over the offsets topic past the coordinator.
func writeTxnRecord(t *testing.T, e *Engine, txid string, id int64, epoch int16, state kmsg.TransactionState) {
	t.Helper()
	k := kmsg.NewTxnMetadataKey()
	k.TransactionalID = txid
	v := kmsg.NewTxnMetadataValue()
	v.Version, v.ProducerID, v.ProducerEpoch, v.State, v.TimeoutMillis = 1, id, epoch, state, 60_000
	v.NextProducerID, v.NextProducerEpoch, v.ClientTransactionVersion = id, epoch, 2
	topic := kmsg.NewTxnMetadataValueTopic()
	topic.Topic, topic.Partitions = "__consumer_offsets", []int32{0}
	v.Topics = append(v.Topics, topic)
	p := e.meta.Partition(e.meta.Topic("__transaction_state"), 0)
	ticket, err := journal.New(p, e.cfg.Clock).Append(journal.Entry{Key: k.AppendTo(nil), Value: v.AppendTo(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.dir.WaitDurable(context.Background(), ticket); err != nil {
		t.Fatal(err)
	}
}
