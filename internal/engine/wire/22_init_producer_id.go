package wire

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
)

// InitProducerID: v0-5
//
// Behavior:
//   - Without a transactional id: a fresh producer id each time, never one given out before.
//   - With one: an open transaction is aborted, and the next epoch fences whoever had the id.
//
// Version notes:
//   - v3: id and epoch the producer has, to go on with (KIP-360)
//   - v4: PRODUCER_FENCED; before it INVALID_PRODUCER_EPOCH
const initProducerIDShape = "s i l@3 h@3"

func initProducerID(r *request) kmsg.Response {
	req := r.body.(*kmsg.InitProducerIDRequest)
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if req.TransactionalID == nil {
		if !r.may(auth.Cluster, auth.ClusterName) && !r.maySome(auth.Topic) {
			resp.ErrorCode = int16(code.ClusterAuthorizationFailed)
			return resp
		}
		id, err := r.meta.NextProducerID()
		if err != nil {
			r.cfg.Logger.Error("no producer id", "err", err)
			resp.ErrorCode = int16(code.CoordinatorNotAvailable)
			return resp
		}
		resp.ProducerID, resp.ProducerEpoch = id, 0
		return resp
	}
	if c := r.refusal(auth.TransactionalID, *req.TransactionalID); c != code.None {
		resp.ErrorCode = int16(c)
		return resp
	}
	q := coord.Init{
		ID: *req.TransactionalID, Timeout: time.Duration(req.TransactionTimeoutMillis) * time.Millisecond,
		ProducerID: -1, Epoch: -1,
	}
	if r.version >= 3 {
		q.ProducerID, q.Epoch = req.ProducerID, req.ProducerEpoch
	}
	done, c := r.txns.Init(q)
	if c != code.None {
		resp.ErrorCode = int16(fencedBefore(c, r.version, 4))
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = done.ProducerID, done.Epoch
	r.settle(done.Ticket, func(c code.Code) {
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = int16(c), -1, -1
	})
	return resp
}

// fencedBefore answers PRODUCER_FENCED as the versions did that do not know it.
func fencedBefore(c code.Code, version, since int16) code.Code {
	if c == code.ProducerFenced && version < since {
		return code.InvalidProducerEpoch
	}
	return c
}
