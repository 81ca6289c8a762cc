package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
)

// EndTxn: v0-5
//
// Behavior:
//   - Answered when the decision, the markers and the completion are durable together, so that all the transaction wrote
//     is visible by then. A marker that cannot be written does not hold up the answer: it is written later, and the
//     producer is told CONCURRENT_TRANSACTIONS until then.
//   - The version, not the finalized feature, decides the protocol.
//
// Version notes:
//   - v2: PRODUCER_FENCED; before it INVALID_PRODUCER_EPOCH
//   - v5: every end gives the producer its next epoch; a retry is known by the one before
const endTxnShape = "s l h b"

func endTxn(r *request) kmsg.Response {
	req := r.body.(*kmsg.EndTxnRequest)
	resp := req.ResponseKind().(*kmsg.EndTxnResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if c := r.refusal(auth.TransactionalID, req.TransactionalID); c != code.None {
		resp.ErrorCode = int16(c)
		return resp
	}
	done, c := r.txns.End(coord.End{
		ID: req.TransactionalID, ProducerID: req.ProducerID, Epoch: req.ProducerEpoch, Commit: req.Commit, Bumps: r.version >= 5,
	})
	if c != code.None {
		resp.ErrorCode = int16(fencedBefore(c, r.version, 2))
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = done.ProducerID, done.Epoch
	r.settle(done.Ticket, func(c code.Code) {
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = int16(c), -1, -1
	})
	return resp
}
