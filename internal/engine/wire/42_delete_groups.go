package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// DeleteGroups: v0-3
//
// Behavior:
//   - A group with members is NON_EMPTY_GROUP. The offsets go with the group.
const deleteGroupsShape = "[s]"

func deleteGroups(r *request) kmsg.Response {
	req := r.body.(*kmsg.DeleteGroupsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
	var last log.Ticket
	for _, id := range req.Groups {
		t, c := log.Ticket(0), r.refusal(auth.Group, id)
		if c == code.None {
			t, c = r.groups.Delete(id)
		}
		last = max(last, t)
		sg := kmsg.NewDeleteGroupsResponseGroup()
		sg.Group, sg.ErrorCode = id, int16(c)
		resp.Groups = append(resp.Groups, sg)
	}
	r.settle(last, func(c code.Code) {
		for i := range resp.Groups {
			if resp.Groups[i].ErrorCode == 0 {
				resp.Groups[i].ErrorCode = int16(c)
			}
		}
	})
	return resp
}
