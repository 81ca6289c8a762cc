package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
)

// TxnOffsetCommit: v0-6
//
// Behavior:
//   - The offsets count when the transaction commits. Until then RequireStable fetches of them wait.
//
// Version notes:
//   - v3: generation, member and instance are checked
//   - v4: what was not added to the transaction is TRANSACTION_ABORTABLE
//   - v5: adds the group to the transaction
//   - v6: topics by id
const txnOffsetCommitShape = "s s l h i@3 s@3 s@3 (s@0-5 u@6 (i l i@2 s))"

func txnOffsetCommit(r *request) kmsg.Response {
	req := r.body.(*kmsg.TxnOffsetCommitRequest)
	resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	from := coord.Sender{Group: req.Group, Generation: -1}
	if r.version >= 3 {
		from.Generation, from.MemberID, from.Instance = req.Generation, req.MemberID, req.InstanceID
	}
	refused := r.refusal(auth.TransactionalID, req.TransactionalID)
	if refused == code.None {
		refused = r.refusal(auth.Group, req.Group)
	}
	var commits []coord.Commit
	var at [][2]int
	for i := range req.Topics {
		rt := &req.Topics[i]
		st := kmsg.NewTxnOffsetCommitResponseTopic()
		st.Topic, st.TopicID = rt.Topic, rt.TopicID
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			sp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			sp.Partition = rp.Partition
			name, c := r.topicPartition(rt.Topic, rt.TopicID, r.version >= 6, rp.Partition)
			if refused != code.None {
				c = refused
			}
			if sp.ErrorCode = int16(c); c == code.None {
				x := coord.Commit{
					TopicPartition: coord.TopicPartition{Topic: name, Partition: rp.Partition},
					Offset:         rp.Offset, LeaderEpoch: -1, Metadata: deref(rp.Metadata), Timestamp: -1,
				}
				if r.version >= 2 {
					x.LeaderEpoch = rp.LeaderEpoch
				}
				commits, at = append(commits, x), append(at, [2]int{i, j})
			}
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	if refused != code.None {
		return resp
	}
	results, ticket := r.txns.CommitOffsets(req.TransactionalID, req.ProducerID, req.ProducerEpoch, r.version, from, commits)
	set := func(c code.Code, k int) { resp.Topics[at[k][0]].Partitions[at[k][1]].ErrorCode = int16(c) }
	for k, c := range results {
		set(c, k)
	}
	r.settle(ticket, func(c code.Code) {
		for k, was := range results {
			if was == code.None {
				set(c, k)
			}
		}
	})
	return resp
}
