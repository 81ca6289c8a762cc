package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
)

// DescribeTransactions: v0
//
// Behavior:
//   - State, producer and partitions of each transactional id.
const describeTransactionsShape = "[s]"

func describeTransactions(r *request) kmsg.Response {
	req := r.body.(*kmsg.DescribeTransactionsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	resp.TransactionStates = make([]kmsg.DescribeTransactionsResponseTransactionState, 0, len(req.TransactionalIDs))
	seen := once[string]{}
	for _, id := range req.TransactionalIDs {
		if !seen.first(id) {
			continue
		}
		st := kmsg.NewDescribeTransactionsResponseTransactionState()
		st.TransactionalID = id
		if c := r.refusal(auth.TransactionalID, id); c != code.None {
			st.ErrorCode = int16(c)
			resp.TransactionStates = append(resp.TransactionStates, st)
			continue
		}
		d, ok := r.txns.Describe(id)
		if !ok {
			st.ErrorCode = int16(code.TransactionalIDNotFound)
			resp.TransactionStates = append(resp.TransactionStates, st)
			continue
		}
		st.State, st.TimeoutMillis, st.StartTimestamp = d.State.String(), int32(d.Timeout.Milliseconds()), -1
		st.ProducerID, st.ProducerEpoch = d.ProducerID, d.Epoch
		if !d.Started.IsZero() {
			st.StartTimestamp = d.Started.UnixMilli()
		}
		for _, tp := range d.Partitions {
			if !r.may(auth.Topic, tp.Topic) {
				continue
			}
			if n := len(st.Topics); n == 0 || st.Topics[n-1].Topic != tp.Topic {
				x := kmsg.NewDescribeTransactionsResponseTransactionStateTopic()
				x.Topic = tp.Topic
				st.Topics = append(st.Topics, x)
			}
			last := &st.Topics[len(st.Topics)-1]
			last.Partitions = append(last.Partitions, tp.Partition)
		}
		resp.TransactionStates = append(resp.TransactionStates, st)
	}
	return resp
}
