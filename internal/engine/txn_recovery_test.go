package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/code"
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

// TestProducerThatRunsOutOfEpochs gets a new producer id: at the end of a transaction under version 2, and from
// InitProducerID. A client that lost the answer gets it again.
func TestProducerThatRunsOutOfEpochs(t *testing.T) {
	const last = 1<<15 - 2
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	createTopic(t, e, "in", 1, nil)
	c := client(t, e)
	id, _ := initProducer(t, c, "teller")
	writeTxnRecord(t, e, "teller", id, last, kmsg.TransactionStateCompleteCommit)
	c.Close()
	closeEngine(t, e)

	e = openAt(t, fs, "data", testConfig())
	c = client(t, e)
	commitInTxn(t, c, "teller", "g", id, last, 7)
	var next int64
	for try := range 2 {
		end := kmsg.NewPtrEndTxnRequest()
		end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = "teller", id, last, true
		resp := rawRequest(t, e, end, 5).(*kmsg.EndTxnResponse)
		if resp.ErrorCode != 0 || resp.ProducerID == id || resp.ProducerEpoch != 0 || try > 0 && resp.ProducerID != next {
			t.Fatalf("try %d: %v, producer %d (was %d), epoch %d", try, code.Code(resp.ErrorCode), resp.ProducerID, id, resp.ProducerEpoch)
		}
		next = resp.ProducerID
	}
	if got := fetchOffset(t, c, "g", true); got != "7" {
		t.Errorf("offset %s", got)
	}
	commitInTxn(t, c, "teller", "g", next, 0, 8)
	if newID, epoch := initProducer(t, c, "teller"); newID != next || epoch != 2 {
		t.Errorf("producer %d, epoch %d after a fence; want %d and 2", newID, epoch, next)
	}
	if got := fetchOffset(t, c, "g", true); got != "7" {
		t.Errorf("offset %s after the abort", got)
	}
}

// TestInitProducerIDAgain sends InitProducerID with an id and epoch (KIP-360): a retry gets the same answer, others
// are fenced.
func TestInitProducerIDAgain(t *testing.T) {
	e := open(t, testConfig())
	c := client(t, e)
	id, epoch := initProducer(t, c, "teller")
	ask := func(epoch int16) (int16, code.Code) {
		req := kmsg.NewPtrInitProducerIDRequest()
		txid := "teller"
		req.TransactionalID, req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = &txid, 60_000, id, epoch
		resp := rawRequest(t, e, req, 4).(*kmsg.InitProducerIDResponse)
		return resp.ProducerEpoch, code.Code(resp.ErrorCode)
	}
	for _, test := range []struct {
		epoch, want int16
		code        code.Code
	}{
		{epoch, epoch + 1, code.None},
		{epoch, epoch + 1, code.None},     // the answer was lost
		{epoch + 1, epoch + 2, code.None}, // the next bump
		{epoch, -1, code.ProducerFenced},  // too old
		{epoch + 9, -1, code.ProducerFenced},
	} {
		if got, c := ask(test.epoch); got != test.want || c != test.code {
			t.Errorf("with epoch %d: epoch %d, %v; want %d, %v", test.epoch, got, c, test.want, test.code)
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

// TestMarkerThatCannotBeWrittenIsWrittenLater takes one partition of a transaction offline before the commit. The
// decision holds: the producer must wait, and after a restart on a sound disk the transaction is there as a whole.
func TestMarkerThatCannotBeWrittenIsWrittenLater(t *testing.T) {
	mem := vfs.NewMem()
	var refused atomic.Pointer[string]
	e, err := Open(slowFS{FS: mem, refused: &refused}, "data", testConfig())
	if err != nil {
		t.Fatal(err)
	}
	createTopic(t, e, "sound", 1, nil)
	createTopic(t, e, "bad", 1, nil)
	c := client(t, e)
	id, epoch := initProducer(t, c, "teller")
	txid := "teller"
	for _, topic := range []string{"sound", "bad"} {
		var b batch.Builder
		b.Append(time.Now().UnixMilli(), nil, []byte(topic), nil)
		out, err := b.Finish(batch.Seal{ProducerID: id, ProducerEpoch: epoch, Transactional: true})
		if err != nil {
			t.Fatal(err)
		}
		req := produceRequest(topic, out)
		req.TransactionID = &txid
		if got := rawRequest(t, e, req, 12).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode; got != 0 {
			t.Fatal(code.Code(got))
		}
	}
	topicID := e.meta.Topic("bad").ID
	dir := fmt.Sprintf("%x", topicID[:])
	refused.Store(&dir)
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = txid, id, epoch, true
	done := rawRequest(t, e, end, 5).(*kmsg.EndTxnResponse)
	if done.ErrorCode != 0 || done.ProducerEpoch != epoch+1 {
		t.Fatalf("end: %v, epoch %d", code.Code(done.ErrorCode), done.ProducerEpoch)
	}
	if e.Health() == nil {
		t.Fatal("no partition went offline: the test refuses the wrong files")
	}
	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionalID, init.TransactionTimeoutMillis = &txid, 60_000
	if got := code.Code(rawRequest(t, e, init, 4).(*kmsg.InitProducerIDResponse).ErrorCode); got != code.ConcurrentTransactions {
		t.Errorf("init while markers are missing: %v", got)
	}
	var next batch.Builder
	next.Append(time.Now().UnixMilli(), nil, []byte("next"), nil)
	out, err := next.Finish(batch.Seal{ProducerID: id, ProducerEpoch: epoch + 1, Transactional: true})
	if err != nil {
		t.Fatal(err)
	}
	req := produceRequest("sound", out)
	req.TransactionID = &txid
	if got := code.Code(rawRequest(t, e, req, 12).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode); got != code.ConcurrentTransactions {
		t.Errorf("the next transaction's produce: %v", got)
	}
	c.Close()
	refused.Store(nil)
	e.Close(testContext(t)) // its error is the refused write

	e = openAt(t, mem, "data", testConfig())
	for _, topic := range []string{"sound", "bad"} {
		checkOnce(t, []string{topic}, consume(t, committedReader(t, e, topic), 1))
	}
	txns, err := kadm.NewClient(client(t, e)).DescribeTransactions(testContext(t), txid)
	if err != nil || txns[txid].State != "CompleteCommit" {
		t.Errorf("after the restart: %v, %v", txns[txid], err)
	}
}
