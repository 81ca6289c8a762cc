package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
)

// Heartbeat: v0-4
//
// Behavior:
//   - Never waits. REBALANCE_IN_PROGRESS asks the member to join again.
//
// Version notes:
//   - v3: group.instance.id
const heartbeatShape = "s i s s@3"

func heartbeat(r *request) kmsg.Response {
	req := r.body.(*kmsg.HeartbeatRequest)
	resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
	if c := r.refusal(auth.Group, req.Group); c != code.None {
		resp.ErrorCode = int16(c)
		return resp
	}
	resp.ErrorCode = int16(r.groups.Heartbeat(req.Group, req.Generation, req.MemberID, req.InstanceID))
	return resp
}
