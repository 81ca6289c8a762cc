package engine

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// TestCommitOfAnotherGenerationIsRefused: who was left out of a rebalance does not know it, and its positions would go back
// behind those of the member that has its partitions now. The same holds within a transaction (KIP-447).
func TestCommitOfAnotherGenerationIsRefused(t *testing.T) {
	e := open(t, testConfig())
	createTopic(t, e, "words", 1, nil)
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = "g", "consumer", 5000, 5000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", []byte{1}
	join.Protocols = append(join.Protocols, p)
	joined := rawRequest(t, e, join, 3).(*kmsg.JoinGroupResponse)
	if joined.ErrorCode != 0 {
		t.Fatal(code.Code(joined.ErrorCode))
	}
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation = "g", joined.MemberID, joined.Generation
	if got := rawRequest(t, e, sync, 2).(*kmsg.SyncGroupResponse).ErrorCode; got != 0 {
		t.Fatal(code.Code(got))
	}

	id, epoch := initProducer(t, client(t, e), "teller")
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = "teller", id, epoch, "g"
	if got := rawRequest(t, e, add, 3).(*kmsg.AddOffsetsToTxnResponse).ErrorCode; got != 0 {
		t.Fatal(code.Code(got))
	}
	for generation, want := range map[int32]code.Code{
		joined.Generation - 1: code.IllegalGeneration, joined.Generation: code.None, joined.Generation + 1: code.IllegalGeneration,
	} {
		plain := kmsg.NewPtrOffsetCommitRequest()
		plain.Group, plain.MemberID, plain.Generation = "g", joined.MemberID, generation
		plain.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "words", Partitions: []kmsg.OffsetCommitRequestTopicPartition{kmsg.NewOffsetCommitRequestTopicPartition()}}}
		got := code.Code(rawRequest(t, e, plain, 7).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
		if got != want {
			t.Errorf("generation %d, the group's is %d: %v, want %v", generation, joined.Generation, got, want)
		}
		txn := kmsg.NewPtrTxnOffsetCommitRequest()
		txn.TransactionalID, txn.ProducerID, txn.ProducerEpoch = "teller", id, epoch
		txn.Group, txn.MemberID, txn.Generation = "g", joined.MemberID, generation
		txn.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "words", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{kmsg.NewTxnOffsetCommitRequestTopicPartition()}}}
		got = code.Code(rawRequest(t, e, txn, 3).(*kmsg.TxnOffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
		if got != want {
			t.Errorf("in a transaction, generation %d, the group's is %d: %v, want %v", generation, joined.Generation, got, want)
		}
	}
}
