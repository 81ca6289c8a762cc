package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
)

// AddOffsetsToTxn: v0-4
//
// Behavior:
//   - Adds the partition of the offsets topic that has the group. Clients from TxnOffsetCommit v5 on do not ask.
//
// Version notes:
//   - v2: PRODUCER_FENCED; before it INVALID_PRODUCER_EPOCH
const addOffsetsToTxnShape = "s l h s"

func addOffsetsToTxn(r *request) kmsg.Response {
	req := r.body.(*kmsg.AddOffsetsToTxnRequest)
	resp := req.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
	c := r.refusal(auth.TransactionalID, req.TransactionalID)
	if c == code.None {
		c = r.refusal(auth.Group, req.Group)
	}
	if c != code.None {
		resp.ErrorCode = int16(c)
		return resp
	}
	ticket, c := r.txns.AddOffsets(req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group)
	if c != code.None {
		resp.ErrorCode = int16(fencedBefore(c, r.version, 2))
		return resp
	}
	r.settle(ticket, func(c code.Code) { resp.ErrorCode = int16(c) })
	return resp
}
