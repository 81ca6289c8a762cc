package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
)

// FindCoordinator: v0-6
//
// Behavior:
//   - Groups (type 0) and transactions (type 1) are coordinated by the only broker. Share groups are not served.
//
// Version notes:
//   - v1: type
//   - v4: several keys at once
const findCoordinatorShape = "s@0-3 b@1 [@4 s]"

func findCoordinator(r *request) kmsg.Response {
	req := r.body.(*kmsg.FindCoordinatorRequest)
	resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
	if r.version < 4 {
		resp.ErrorCode, resp.NodeID, resp.Host, resp.Port = r.coordinator(req.CoordinatorKey, req.CoordinatorType)
		return resp
	}
	for _, key := range req.CoordinatorKeys {
		sc := kmsg.NewFindCoordinatorResponseCoordinator()
		sc.Key = key
		sc.ErrorCode, sc.NodeID, sc.Host, sc.Port = r.coordinator(key, req.CoordinatorType)
		resp.Coordinators = append(resp.Coordinators, sc)
	}
	return resp
}

func (r *request) coordinator(key string, kind int8) (errorCode int16, node int32, host string, port int32) {
	c := code.InvalidRequest
	switch kind {
	case 0:
		c = r.refusal(auth.Group, key)
	case 1:
		c = r.refusal(auth.TransactionalID, key)
	}
	if c != code.None {
		return int16(c), -1, "", -1
	}
	return 0, nodeID, r.conn.addr.host, r.conn.addr.port
}
