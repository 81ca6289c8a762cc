package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
)

// DescribeGroups: v0-6
//
// Behavior:
//   - A group that does not exist, or is not one by the classic protocol, is Dead. Metadata and assignments are those of a stable group.
//
// Version notes:
//   - v4: group.instance.id
//   - v6: a group that does not exist is GROUP_ID_NOT_FOUND as well
const describeGroupsShape = "[s] b@3"

func describeGroups(r *request) kmsg.Response {
	req := r.body.(*kmsg.DescribeGroupsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	resp.Groups = make([]kmsg.DescribeGroupsResponseGroup, 0, len(req.Groups))
	seen := once[string]{}
	for _, id := range req.Groups {
		if !seen.first(id) {
			continue
		}
		sg := kmsg.NewDescribeGroupsResponseGroup()
		if c := r.refusal(auth.Group, id); c != code.None {
			sg.Group, sg.ErrorCode, sg.AuthorizedOperations = id, int16(c), noOperations
			resp.Groups = append(resp.Groups, sg)
			continue
		}
		d, c := r.groups.Describe(id)
		sg.Group, sg.State, sg.ProtocolType, sg.Protocol = id, d.State, d.ProtocolType, d.Protocol
		sg.AuthorizedOperations = r.authorized(req.IncludeAuthorizedOperations, auth.Group, id)
		switch {
		case c == code.GroupIDNotFound && r.version < 6:
			sg.State = coord.Dead.String()
		case c == code.GroupIDNotFound:
			sg.State, sg.ErrorCode = coord.Dead.String(), int16(c)
			sg.ErrorMessage = kmsg.StringPtr("there is no group by the classic protocol " + id)
		case c != code.None:
			sg.ErrorCode = int16(c)
		}
		for _, m := range d.Members {
			sm := kmsg.NewDescribeGroupsResponseGroupMember()
			sm.MemberID, sm.ClientID, sm.ClientHost = m.ID, m.Client, m.Host
			sm.ProtocolMetadata, sm.MemberAssignment = append([]byte{}, m.Metadata...), append([]byte{}, m.Assignment...)
			if m.Instance != "" {
				sm.InstanceID = &m.Instance
			}
			sg.Members = append(sg.Members, sm)
		}
		resp.Groups = append(resp.Groups, sg)
	}
	return resp
}
