package wire

import "github.com/twmb/franz-go/pkg/kmsg"

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
	resp.ErrorCode = int16(r.groups.Heartbeat(req.Group, req.Generation, req.MemberID, req.InstanceID))
	return resp
}
