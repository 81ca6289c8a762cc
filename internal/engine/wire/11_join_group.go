package wire

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
)

// JoinGroup: v0-9
//
// Behavior:
//   - Answered when all members have joined, or the rebalance timeout is over. Other connections are not held up.
//   - A static member that comes back keeps its assignment; its new id is durable before it is told.
//
// Version notes:
//   - v1: rebalance timeout; before it the session timeout serves as one
//   - v4: a new dynamic member is given its id first (MEMBER_ID_REQUIRED)
//   - v5: group.instance.id
//   - v7: protocol type in the answer
//   - v9: SkipAssignment
const joinGroupShape = "s i i@1 s s@5 s (s y) s@8"

func joinGroup(r *request) kmsg.Response {
	req := r.body.(*kmsg.JoinGroupRequest)
	resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
	if c := r.refusal(auth.Group, req.Group); c != code.None {
		r.joined(resp, &coord.JoinResult{Code: c, Generation: -1})
		return resp
	}
	j := coord.Join{
		Group: req.Group, MemberID: req.MemberID, Instance: req.InstanceID, ProtocolType: req.ProtocolType,
		Session: time.Duration(req.SessionTimeoutMillis) * time.Millisecond,
		Client:  r.client, Host: "/" + r.conn.host,
		NeedsID: r.version >= 4, CanSkip: r.version >= 9,
	}
	j.Rebalance = j.Session
	if r.version >= 1 {
		j.Rebalance = time.Duration(max(req.RebalanceTimeoutMillis, 0)) * time.Millisecond
	}
	for _, p := range req.Protocols {
		j.Protocols = append(j.Protocols, coord.Protocol{Name: p.Name, Metadata: p.Metadata})
	}
	answer := r.groups.Join(j)
	r.finish = func(ctx context.Context) error {
		res, err := await(r, ctx, answer)
		if err != nil {
			return err
		}
		if res.Code == code.None {
			if err := r.dir.WaitDurable(ctx, res.Ticket); err != nil {
				return err
			}
		}
		r.joined(resp, &res)
		return nil
	}
	return resp
}

// await waits for a coordinator's answer. When the server closes, the connection does.
func await[T any](r *request, ctx context.Context, answer <-chan T) (T, error) {
	select {
	case res := <-answer:
		return res, nil
	default:
	}
	defer r.idles(r.cfg.Clock.Now())
	var none T
	select {
	case res := <-answer:
		return res, nil
	case <-r.Server.ctx.Done():
		return none, r.Server.ctx.Err()
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

func (r *request) joined(resp *kmsg.JoinGroupResponse, res *coord.JoinResult) {
	resp.ErrorCode, resp.Generation = int16(res.Code), res.Generation
	resp.LeaderID, resp.MemberID, resp.SkipAssignment = res.Leader, res.MemberID, res.SkipAssignment
	resp.Protocol = &res.Protocol
	if res.Code == code.None {
		resp.ProtocolType = &res.ProtocolType
	} else if r.version >= 7 {
		resp.Protocol = nil
	}
	for _, m := range res.Members {
		sm := kmsg.NewJoinGroupResponseMember()
		sm.MemberID, sm.ProtocolMetadata = m.MemberID, m.Metadata
		if m.Instance != "" {
			sm.InstanceID = &m.Instance
		}
		resp.Members = append(resp.Members, sm)
	}
}
