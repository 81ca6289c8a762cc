package wire

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
)

// SyncGroup: v0-5
//
// Behavior:
//   - Answered when the leader has assigned and the assignment is durable.
//
// Version notes:
//   - v3: group.instance.id
//   - v5: protocol type and name are checked and answered
const syncGroupShape = "s i s s@3 s@5 s@5 (s y)"

func syncGroup(r *request) kmsg.Response {
	req := r.body.(*kmsg.SyncGroupRequest)
	resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
	if c := r.refusal(auth.Group, req.Group); c != code.None {
		resp.ErrorCode, resp.MemberAssignment = int16(c), []byte{}
		return resp
	}
	y := coord.Sync{
		Group: req.Group, Generation: req.Generation, MemberID: req.MemberID, Instance: req.InstanceID,
		ProtocolType: req.ProtocolType, Protocol: req.Protocol, Assignments: map[string][]byte{},
	}
	for _, a := range req.GroupAssignment {
		y.Assignments[a.MemberID] = a.MemberAssignment
	}
	answer := r.groups.Sync(y)
	r.finish = func(ctx context.Context) error {
		res, err := await(r, ctx, answer)
		if err != nil {
			return err
		}
		resp.ErrorCode, resp.MemberAssignment = int16(res.Code), []byte{}
		if res.Code != code.None {
			return nil
		}
		if err := r.dir.WaitDurable(ctx, res.Ticket); err != nil {
			return err
		}
		resp.ProtocolType, resp.Protocol = &res.ProtocolType, &res.Protocol
		resp.MemberAssignment = append(resp.MemberAssignment, res.Assignment...)
		return nil
	}
	return resp
}
