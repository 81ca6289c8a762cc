package engine

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/code"
)

// bothVersions runs a test under both transaction protocols.
func bothVersions(t *testing.T, f func(t *testing.T, cfg Config)) {
	for _, v := range []int{1, 2} {
		t.Run(fmt.Sprintf("transaction.version=%d", v), func(t *testing.T) {
			cfg := testConfig()
			cfg.TransactionVersion = v
			f(t, cfg)
		})
	}
}

// transact produces n records in one transaction and ends it.
func transact(t *testing.T, c *kgo.Client, topic, prefix string, n int, end kgo.TransactionEndTry) []string {
	t.Helper()
	ctx := testContext(t)
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	var values []string
	for i := range n {
		v := fmt.Sprintf("%s-%d", prefix, i)
		values = append(values, v)
		c.Produce(ctx, &kgo.Record{Topic: topic, Value: []byte(v)}, nil)
	}
	if err := c.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	// A client that gets its first answer before it has stored the topic's partitions for itself takes the transaction for
	// empty and aborts it (franz-go 1.22, storePartitionsUpdate): an engine in the same process can be that fast.
	for leader := int32(-1); leader < 0; runtime.Gosched() {
		leader, _, _ = c.PartitionLeader(topic, 0)
	}
	if err := c.EndTransaction(ctx, end); err != nil {
		t.Fatal(err)
	}
	return values
}

func committedReader(t *testing.T, e *Engine, topic string) *kgo.Client {
	return client(t, e, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
}

func TestReadCommittedShowsCommittedTransactionsAlone(t *testing.T) {
	bothVersions(t, func(t *testing.T, cfg Config) {
		e := open(t, cfg)
		createTopic(t, e, "ledger", 2, nil)
		p := client(t, e, kgo.TransactionalID("teller"))
		var want []string
		for i := range 5 {
			want = append(want, transact(t, p, "ledger", fmt.Sprintf("kept-%d", i), 20, kgo.TryCommit)...)
			transact(t, p, "ledger", fmt.Sprintf("dropped-%d", i), 20, kgo.TryAbort)
		}
		checkOnce(t, want, consume(t, committedReader(t, e, "ledger"), len(want)))
	})
}

func TestOpenTransactionHoldsBackReaders(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "ledger", 1, nil)
	ctx := testContext(t)
	open := client(t, e, kgo.TransactionalID("slow"))
	if err := open.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := open.ProduceSync(ctx, &kgo.Record{Topic: "ledger", Value: []byte("held")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	produce(t, client(t, e), "ledger", 1)
	adm := kadm.NewClient(client(t, e))
	end, err := adm.ListEndOffsets(ctx, "ledger")
	if err != nil {
		t.Fatal(err)
	}
	stable, err := adm.ListCommittedOffsets(ctx, "ledger")
	if err != nil {
		t.Fatal(err)
	}
	if e, s := end["ledger"][0].Offset, stable["ledger"][0].Offset; e != 2 || s != 0 {
		t.Errorf("high watermark %d, last stable offset %d; want 2 and 0", e, s)
	}
	if err := open.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	checkOnce(t, []string{"held", "ledger-0"}, consume(t, committedReader(t, e, "ledger"), 2))
}

func TestSecondProducerFencesTheFirst(t *testing.T) {
	bothVersions(t, func(t *testing.T, cfg Config) {
		e := open(t, cfg)
		createTopic(t, e, "ledger", 1, nil)
		ctx := testContext(t)
		first := client(t, e, kgo.TransactionalID("teller"))
		if err := first.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := first.ProduceSync(ctx, &kgo.Record{Topic: "ledger", Value: []byte("zombie")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		second := client(t, e, kgo.TransactionalID("teller"))
		want := transact(t, second, "ledger", "alive", 3, kgo.TryCommit)
		err := first.ProduceSync(ctx, &kgo.Record{Topic: "ledger", Value: []byte("zombie")}).FirstErr()
		if err == nil {
			err = first.EndTransaction(ctx, kgo.TryCommit)
		}
		if err == nil {
			t.Error("the fenced producer could commit")
		}
		checkOnce(t, want, consume(t, committedReader(t, e, "ledger"), len(want)))
	})
}

func TestTransactionOpenTooLongIsAborted(t *testing.T) {
	bothVersions(t, func(t *testing.T, cfg Config) {
		e := open(t, cfg)
		createTopic(t, e, "ledger", 1, nil)
		ctx := testContext(t)
		p := client(t, e, kgo.TransactionalID("teller"), kgo.TransactionTimeout(200*time.Millisecond))
		if err := p.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := p.ProduceSync(ctx, &kgo.Record{Topic: "ledger", Value: []byte("late")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		want := produce(t, client(t, e), "ledger", 1)
		// The reader can go on only when the transaction has been aborted.
		checkOnce(t, want, consume(t, committedReader(t, e, "ledger"), 1))
		if err := p.EndTransaction(ctx, kgo.TryCommit); err == nil {
			t.Error("the transaction could be committed after its timeout")
		}
	})
}

// TestOffsetsMoveWithTheTransaction checks commit and abort of offsets, and that RequireStable waits for either.
func TestOffsetsMoveWithTheTransaction(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "in", 1, nil)
	ctx := testContext(t)
	c := client(t, e)
	for _, commit := range []bool{true, false} {
		group := fmt.Sprintf("group-%t", commit)
		id, epoch := initProducer(t, c, group)
		commitInTxn(t, c, group, group, id, epoch, 7)
		if got := fetchOffset(t, c, group, true); got != code.UnstableOffsetCommit.Error() {
			t.Errorf("stable fetch with the transaction open: %s", got)
		}
		if got := fetchOffset(t, c, group, false); got != "-1" {
			t.Errorf("fetch with the transaction open: %s", got)
		}
		end := kmsg.NewPtrEndTxnRequest()
		end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = group, id, epoch, commit
		done, err := end.RequestWith(ctx, c)
		if err != nil || done.ErrorCode != 0 {
			t.Fatalf("end: %v, %v", err, code.Code(done.ErrorCode))
		}
		if done.ProducerEpoch != epoch+1 {
			t.Errorf("epoch %d after the end of a transaction with %d", done.ProducerEpoch, epoch)
		}
		want := "-1"
		if commit {
			want = "7"
		}
		if got := fetchOffset(t, c, group, true); got != want {
			t.Errorf("commit %t: offset %s, want %s", commit, got, want)
		}
	}
}

func initProducer(t *testing.T, c *kgo.Client, id string) (int64, int16) {
	t.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &id, 60_000
	resp, err := req.RequestWith(testContext(t), c)
	if err != nil || resp.ErrorCode != 0 {
		t.Fatalf("init producer id: %v, %v", err, code.Code(resp.ErrorCode))
	}
	return resp.ProducerID, resp.ProducerEpoch
}

func commitInTxn(t *testing.T, c *kgo.Client, txid, group string, id int64, epoch int16, offset int64) {
	t.Helper()
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch, req.Generation = txid, group, id, epoch, -1
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic = "in"
	md, err := kadm.NewClient(c).Metadata(testContext(t), "in")
	if err != nil {
		t.Fatal(err)
	}
	topic.TopicID = md.Topics["in"].ID
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset, p.Metadata = offset, kmsg.StringPtr("note")
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(testContext(t), c)
	if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("txn offset commit: %v, %v", err, code.Code(resp.Topics[0].Partitions[0].ErrorCode))
	}
}

// fetchOffset returns the offset of partition 0 of "in", or the error's name.
func fetchOffset(t *testing.T, c *kgo.Client, group string, stable bool) string {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = stable
	md, err := kadm.NewClient(c).Metadata(testContext(t), "in")
	if err != nil {
		t.Fatal(err)
	}
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	topic := kmsg.NewOffsetFetchRequestGroupTopic()
	topic.Topic, topic.TopicID, topic.Partitions = "in", md.Topics["in"].ID, []int32{0}
	g.Topics = append(g.Topics, topic)
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(testContext(t), c)
	if err != nil {
		t.Fatal(err)
	}
	p := resp.Groups[0].Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		return code.Code(p.ErrorCode).Error()
	}
	return fmt.Sprint(p.Offset)
}

// TestEndTxnAgain sends the end of a transaction a second time, as a client does that lost the answer.
func TestEndTxnAgain(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "in", 1, nil)
	c := client(t, e)
	for _, test := range []struct {
		version int16
		want    code.Code
		bump    int16
	}{
		{4, code.None, 0},
		{5, code.None, 1},
	} {
		t.Run(fmt.Sprintf("v%d", test.version), func(t *testing.T) {
			txid := fmt.Sprintf("again-%d", test.version)
			id, epoch := initProducer(t, c, txid)
			commitInTxn(t, c, txid, txid, id, epoch, 3)
			for range 2 {
				end := kmsg.NewPtrEndTxnRequest()
				end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = txid, id, epoch, true
				resp := rawRequest(t, e, end, test.version).(*kmsg.EndTxnResponse)
				if got := code.Code(resp.ErrorCode); got != test.want {
					t.Errorf("got %v, want %v", got, test.want)
				}
				if test.version >= 5 && resp.ProducerEpoch != epoch+test.bump {
					t.Errorf("epoch %d, want %d", resp.ProducerEpoch, epoch+test.bump)
				}
			}
			abort := kmsg.NewPtrEndTxnRequest()
			abort.TransactionalID, abort.ProducerID, abort.ProducerEpoch = txid, id, epoch
			resp := rawRequest(t, e, abort, test.version).(*kmsg.EndTxnResponse)
			if got := code.Code(resp.ErrorCode); got != code.InvalidTxnState {
				t.Errorf("abort after commit: %v", got)
			}
		})
	}
}

// TestTransactionsSurviveARestart closes the engine with one transaction open and one ended.
func TestTransactionsSurviveARestart(t *testing.T) {
	bothVersions(t, func(t *testing.T, cfg Config) {
		fs := vfs.NewMem()
		e := openAt(t, fs, "data", cfg)
		createTopic(t, e, "ledger", 1, nil)
		want := transact(t, client(t, e, kgo.TransactionalID("done")), "ledger", "done", 3, kgo.TryCommit)
		p := client(t, e, kgo.TransactionalID("open"), kgo.TransactionTimeout(time.Minute))
		if err := p.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := p.ProduceSync(testContext(t), &kgo.Record{Topic: "ledger", Value: []byte("open")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		closeEngine(t, e)

		e = openAt(t, fs, "data", cfg)
		ctx := testContext(t)
		txns, err := kadm.NewClient(client(t, e)).DescribeTransactions(ctx, "done", "open")
		if err != nil {
			t.Fatal(err)
		}
		if s := txns["done"].State; s != "CompleteCommit" {
			t.Errorf("the ended transaction is %s", s)
		}
		if s := txns["open"].State; s != "Ongoing" {
			t.Errorf("the open transaction is %s", s)
		}
		// The next owner of the id aborts what is open, and readers go on.
		want = append(want, transact(t, client(t, e, kgo.TransactionalID("open")), "ledger", "next", 2, kgo.TryCommit)...)
		checkOnce(t, want, consume(t, committedReader(t, e, "ledger"), len(want)))
	})
}

// TestTransactionalWritesByVersion writes to a partition that was not added to the transaction, commits offsets that
// were not, and does both with an epoch that is over.
func TestTransactionalWritesByVersion(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "in", 1, nil)
	id := e.meta.Topic("in").ID
	for _, test := range []struct {
		produce, offsets int16
		want, zombie     code.Code // of the offsets commit; a produce of a zombie is always INVALID_PRODUCER_EPOCH
	}{
		{9, 3, code.InvalidTxnState, code.ProducerFenced},
		{11, 4, code.TransactionAbortable, code.ProducerFenced},
		{12, 5, code.None, code.InvalidProducerEpoch},
		{13, 6, code.None, code.InvalidProducerEpoch},
	} {
		txid := fmt.Sprintf("v%d", test.produce)
		pid, epoch := initProducer(t, client(t, e), txid)
		write := func(epoch int16, sequence int32) code.Code {
			var b batch.Builder
			b.Append(time.Now().UnixMilli(), nil, []byte("v"), nil)
			out, err := b.Finish(batch.Seal{ProducerID: pid, ProducerEpoch: epoch, BaseSequence: sequence, Transactional: true})
			if err != nil {
				t.Fatal(err)
			}
			req := produceRequest("in", out)
			req.TransactionID, req.Topics[0].TopicID = &txid, id
			return code.Code(rawRequest(t, e, req, test.produce).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode)
		}
		commit := func(epoch int16) code.Code {
			req := kmsg.NewPtrTxnOffsetCommitRequest()
			req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch, req.Generation = txid, "g", pid, epoch, -1
			rt := kmsg.NewTxnOffsetCommitRequestTopic()
			rt.Topic, rt.TopicID = "in", id
			rt.Partitions = append(rt.Partitions, kmsg.NewTxnOffsetCommitRequestTopicPartition())
			req.Topics = append(req.Topics, rt)
			return code.Code(rawRequest(t, e, req, test.offsets).(*kmsg.TxnOffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
		}
		if got := write(epoch, 0); got != test.want {
			t.Errorf("produce v%d: %v, want %v", test.produce, got, test.want)
		}
		if got := commit(epoch); got != test.want {
			t.Errorf("offsets v%d: %v, want %v", test.offsets, got, test.want)
		}
		initProducer(t, client(t, e), txid)
		if got := write(epoch, 1); got != code.InvalidProducerEpoch {
			t.Errorf("zombie's produce v%d: %v", test.produce, got)
		}
		if got := commit(epoch); got != test.zombie {
			t.Errorf("zombie's offsets v%d: %v, want %v", test.offsets, got, test.zombie)
		}
	}
}
