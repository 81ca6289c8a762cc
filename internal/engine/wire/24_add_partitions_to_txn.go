package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
)

// AddPartitionsToTxn: v0-3 (4-5, which brokers send to brokers, are answered CLUSTER_AUTHORIZATION_FAILED)
//
// Behavior:
//   - All partitions are added or none: with a bad one among them the others are OPERATION_NOT_ATTEMPTED.
//
// Version notes:
//   - v2: PRODUCER_FENCED; before it INVALID_PRODUCER_EPOCH
const addPartitionsToTxnShape = "s@0-3 l@0-3 h@0-3 (@0-3 s [i]) (@4 s l h b (s [i]))"

func addPartitionsToTxn(r *request) kmsg.Response {
	req := r.body.(*kmsg.AddPartitionsToTxnRequest)
	resp := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	if r.version >= 4 {
		resp.ErrorCode = int16(code.ClusterAuthorizationFailed)
		return resp
	}
	refused := r.refusal(auth.TransactionalID, req.TransactionalID)
	var parts []coord.TopicPartition
	bad := false
	for i := range req.Topics {
		rt := &req.Topics[i]
		st := kmsg.NewAddPartitionsToTxnResponseTopic()
		st.Topic = rt.Topic
		for _, p := range rt.Partitions {
			sp := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
			sp.Partition = p
			_, c := r.topicPartition(rt.Topic, [16]byte{}, false, p)
			if refused != code.None {
				c = refused
			}
			sp.ErrorCode = int16(c)
			bad = bad || c != code.None
			parts = append(parts, coord.TopicPartition{Topic: rt.Topic, Partition: p})
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	all := func(c code.Code) {
		for i := range resp.Topics {
			for j := range resp.Topics[i].Partitions {
				if sp := &resp.Topics[i].Partitions[j]; sp.ErrorCode == 0 {
					sp.ErrorCode = int16(c)
				}
			}
		}
	}
	if bad {
		all(code.OperationNotAttempted)
		return resp
	}
	ticket, c := r.txns.AddPartitions(req.TransactionalID, req.ProducerID, req.ProducerEpoch, parts)
	if c != code.None {
		all(fencedBefore(c, r.version, 2))
		return resp
	}
	r.settle(ticket, all)
	return resp
}
