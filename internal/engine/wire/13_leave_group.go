package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
)

// LeaveGroup: v0-5
//
// Behavior:
//   - Removes at once; the others rebalance. A static member leaves by its instance id alone.
//
// Version notes:
//   - v3: several members, each with its own result
const leaveGroupShape = "s s@0-2 (@3 s s s@5)"

func leaveGroup(r *request) kmsg.Response {
	req := r.body.(*kmsg.LeaveGroupRequest)
	resp := req.ResponseKind().(*kmsg.LeaveGroupResponse)
	if c := r.refusal(auth.Group, req.Group); c != code.None {
		resp.ErrorCode = int16(c)
		return resp
	}
	leavers := []coord.Leaver{{MemberID: req.MemberID}}
	if r.version >= 3 {
		leavers = leavers[:0]
		for _, m := range req.Members {
			leavers = append(leavers, coord.Leaver{MemberID: m.MemberID, Instance: m.InstanceID})
		}
	}
	results, c := r.groups.Leave(req.Group, leavers)
	if r.version < 3 {
		if c == code.None {
			c = results[0]
		}
		resp.ErrorCode = int16(c)
		return resp
	}
	if c == code.UnknownMemberID { // no such group: each of its members is unknown
		results, c = make([]code.Code, len(leavers)), code.None
		for i := range results {
			results[i] = code.UnknownMemberID
		}
	}
	resp.ErrorCode = int16(c)
	for i, res := range results {
		sm := kmsg.NewLeaveGroupResponseMember()
		sm.MemberID, sm.InstanceID, sm.ErrorCode = leavers[i].MemberID, leavers[i].Instance, int16(res)
		resp.Members = append(resp.Members, sm)
	}
	return resp
}
